"""Run the jobs of an apply in parallel, and abandon them after a request to stop."""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from time import monotonic
from typing import NoReturn

from reconciler.apply.job_groups import Job, RunJobs

GRACE = 4.0
"""Seconds for calls in flight after a request to stop: CI systems kill 7.5 seconds after it."""

POLL = 0.05


class _Crew:
    """Threads that take jobs, each from the queue of its group, until it is empty or a job has raised."""

    def __init__(self) -> None:
        self.raised: list[BaseException] = []

    def work(self, queue: SimpleQueue[Job]) -> None:
        while not self.raised:
            try:
                job = queue.get_nowait()
            except Empty:
                return
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for us
                self.raised.append(error)


def _queue(jobs: Sequence[Job]) -> SimpleQueue[Job]:
    queue: SimpleQueue[Job] = SimpleQueue()
    for job in jobs:
        queue.put(job)
    return queue


def run_concurrently(stop: threading.Event, on_stuck: Callable[[], NoReturn]) -> RunJobs:
    """Return a runner with threads; `on_stuck` ends the process if a request outlasts the grace.

    A thread in a request can't be ended and must not outlive the lock, so the process ends. The resource
    state already names the request in flight.
    """

    def run(groups: Sequence[Sequence[Job]], workers: int) -> None:
        crew = _Crew()
        threads = [
            threading.Thread(target=crew.work, args=(queue,), daemon=True)
            for jobs in groups
            for queue in [_queue(jobs)]
            for _ in range(min(workers, len(jobs)))
        ]
        for thread in threads:
            thread.start()
        deadline: float | None = None
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(POLL / len(threads))
            if stop.is_set() and deadline is None:
                deadline = monotonic() + GRACE
            if deadline is not None and monotonic() > deadline:
                on_stuck()
        if crew.raised:
            raise crew.raised[0]

    return run
