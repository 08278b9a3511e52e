"""How much of Criteo's rate limit an apply uses: new audiences, each of one batch, in simulated time.

For each kind of minute, 1 and 20 credentials, and three latencies: the share of the bound, and the number of
429s. The bound is the time that a known limiter leaves for the same calls, with a worker for each call.
Each credential allows 250 calls a minute and has `--audiences` audiences. No process, socket or clock takes
part, so the time that this machine needs for a call is left out. The applies leave 4% of the limit to others.

A second table has two environments that share one credential, with 50% each and the same audiences.

    python benchmarks/pacing.py
    python benchmarks/pacing.py --audiences 100
"""

import argparse
import heapq
import sys
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import count
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.fakes.rate_limiters import KINDS, Event, World, run_together, steady

from reconciler.core.plan.worker_count import workers_per_group
from reconciler.core.remote import BULK_ITEMS, RESERVE
from reconciler.criteo import pacing
from reconciler.criteo.pacing import RateState
from reconciler.criteo.rate_limiter import SLICE

LIMIT = 250
CREDENTIALS, LATENCIES = (1, 20), (0.2, 1.0, 10.0)
MEMBERS = 5_000
"""Members of each audience: fewer than a batch holds."""


@dataclass
class Worker:
    """Takes the calls of a queue one after the other; `world` is the credential of its current call."""

    queue: deque[World]
    world: World | None = None


@dataclass
class Apply:
    """Calls of many credentials on one clock; `run` may be called once for each phase of an apply."""

    now: float
    agenda: list[tuple[float, int, Worker, Event]] = field(default_factory=list)
    order: count = field(default_factory=count)

    def run(self, queues: list[deque[World]], workers: int) -> None:
        """Send all calls of the queues, each with its own workers."""
        for queue in queues:
            for _ in range(min(workers, len(queue))):
                self._add(self.now, Worker(queue), Event("ready"))
        while self.agenda:
            self.now, _, worker, event = heapq.heappop(self.agenda)
            self._step(worker, event)

    def _step(self, worker: Worker, event: Event) -> None:
        if worker.world is None:
            if not worker.queue:
                return
            worker.world = worker.queue.popleft()
        world = worker.world
        if event.what == "arrive":
            self._add(self.now + event.back, worker, world.judge(event, self.now))
        elif event.what == "answer":
            worker.world = None if world.learn(event, self.now) else world
            self._add(self.now, worker, Event("ready"))
        else:
            self._send(worker, world)

    def _send(self, worker: Worker, world: World) -> None:
        world.pace, ticket = pacing.reserve(world.pace, self.now)
        if ticket:
            latency, share = world.latency(), world.there()
            arrival = Event("arrive", ticket, latency * (1 - share))
            self._add(self.now + latency * share, worker, arrival)
            return
        wait = pacing.delay(world.pace, self.now)
        wait = max(0.001, min(wait, SLICE) if world.pace.in_flight else wait)
        self._add(self.now + wait, worker, Event("ready"))

    def _add(self, time: float, worker: Worker, event: Event) -> None:
        heapq.heappush(self.agenda, (time, next(self.order), worker, event))


def worlds(kind: str, credentials: int, latency: float) -> list[World]:
    """Return the credentials of one apply: each has its own limiter."""
    made = [steady(kind, LIMIT, latency, seed) for seed in range(credentials)]
    for world in made:
        world.pace = pacing.leave_reserve(RateState(LIMIT), RESERVE)
        world.start = made[0].start
    return made


def halves(kind: str, latency: float, audiences: int) -> tuple[float, int]:
    """Return the share of the bound that two applies with 50% each reach together, and the number of 429s."""
    first = replace(steady(kind, LIMIT, latency, 0), share=0.5, reserve=RESERVE)
    first.workers = workers_per_group([MEMBERS] * audiences, 1)
    second = replace(first, start=first.start + 5)
    calls = audiences + ceil(audiences / BULK_ITEMS)
    seconds = run_together([first, second], calls)
    bound = replace(steady(kind, LIMIT, latency, 0), workers=2 * calls).oracle(2 * calls)
    return bound / seconds, first.refused + second.refused


def measured(kind: str, credentials: int, latency: float, audiences: int) -> tuple[float, int]:
    """Return the share of the bound, and the number of 429s."""
    made, creates = worlds(kind, credentials, latency), ceil(audiences / BULK_ITEMS)
    run = Apply(made[0].start)
    bulk = workers_per_group([BULK_ITEMS] * creates * credentials, credentials)
    run.run([deque([world] * creates) for world in made], bulk)
    workers = workers_per_group([MEMBERS] * audiences * credentials, credentials)
    run.run([deque([world] * audiences) for world in made], workers)
    calls = creates + audiences
    bounds = (replace(world, workers=calls).oracle(calls) for world in worlds(kind, credentials, latency))
    return max(bounds) / (run.now - made[0].start), sum(world.refused for world in made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audiences", type=int, default=1_000, help="audiences of each credential")
    audiences = parser.parse_args().audiences
    print(f"{audiences:,} new audiences for each credential, {LIMIT} calls a minute")
    print(f"{'minute':<9}{'credentials':>12}{'latency':>9}{'workers':>9}{'share':>8}{'429s':>6}")
    for kind in KINDS:
        for credentials in CREDENTIALS:
            workers = workers_per_group([MEMBERS] * audiences * credentials, credentials)
            for latency in LATENCIES:
                share, refused = measured(kind, credentials, latency, audiences)
                row = f"{kind:<9}{credentials:>12}{latency:>7} s{workers:>9}{share:>8.0%}{refused:>6}"
                print(row, flush=True)
    print(f"\n2 environments with 50% each of one credential, {audiences:,} new audiences for each")
    print(f"{'minute':<9}{'latency':>9}{'share':>8}{'429s':>6}")
    for kind in KINDS:
        for latency in LATENCIES:
            share, refused = halves(kind, latency, audiences)
            print(f"{kind:<9}{latency:>7} s{share:>8.0%}{refused:>6}", flush=True)


if __name__ == "__main__":
    main()
