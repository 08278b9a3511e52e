"""Apply while it runs: bars on a terminal, few plain lines in a log, or nothing."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, assert_never

from rich.console import Console

from reconciler.core.events import (
    ActivityStarted,
    AddressBlocked,
    BatchAcknowledged,
    ChangeEnded,
    Event,
    PlanCreated,
    ProgressReporter,
    RunEnded,
    RunStarted,
    SegmentCreated,
    SegmentUpdated,
    TransferStarted,
    WaitEnded,
    Waiting,
)
from reconciler.core.model import Address
from reconciler.render.numbers import NumberFormat
from reconciler.render.progress_bars import Bars
from reconciler.render.steps import stepped
from reconciler.render.text import name, sentence
from reconciler.render.waits import WaitThrottle

BETWEEN_LINES = 5.0
"""Seconds between two lines on one transfer in a log."""


class Progress(ProgressReporter, Protocol):
    """What a run shows while it goes on. All methods may be called from several threads."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def progress(out: Console, now: Callable[[], float], figures: NumberFormat, *, still: bool) -> Progress:
    """Bars on a terminal, lines elsewhere, and wherever nothing may move (`still`).

    `now` is a clock in seconds that never goes back.
    """
    return Bars(out, now, figures) if out.is_terminal and not still else Lines(out, now, figures)


class Quiet(Progress):
    """Shows nothing; the report at the end says it all."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def emit(self, event: Event) -> None:
        pass


class Lines(Quiet):
    """Plain lines: every step, and of transfers and waits as few as keep a log readable."""

    def __init__(self, out: Console, now: Callable[[], float], figures: NumberFormat) -> None:
        self._out = out
        self._now = now
        self._figures = figures
        self._said: dict[Address, float] = {}
        self._waits = WaitThrottle(now)
        self._saying = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._saying:
            match event:
                case SegmentCreated() | SegmentUpdated() | ChangeEnded():
                    self._say(stepped(event))
                case TransferStarted():
                    self._said[event.address] = self._now()
                    total, done = self._figures.count(event.total), self._figures.count(event.done)
                    resumed = f", {done} of them done already" if event.done else ""
                    self._say(f"{_at(event)}: {total} identifiers to send{resumed}")
                case BatchAcknowledged():
                    self._batch(event)
                case Waiting():
                    if self._waits.worth_a_line(event):
                        self._say(f"waiting {event.seconds_left:,.0f} s: {sentence(event.reason)}")
                case (
                    RunStarted()
                    | ActivityStarted()
                    | PlanCreated()
                    | AddressBlocked()
                    | WaitEnded()
                    | RunEnded()
                ):
                    pass  # a log has no use for it, or the plan and the report say it
                case _:
                    assert_never(event)

    def _batch(self, event: BatchAcknowledged) -> None:
        now, last = self._now(), event.done >= event.total
        if not last and now - self._said.get(event.address, now - BETWEEN_LINES) < BETWEEN_LINES:
            return
        self._said[event.address] = now
        done, total = self._figures.count(event.done), self._figures.count(event.total)
        share = self._figures.share(event.done, event.total)
        self._say(f"{_at(event)}: {done} of {total} identifiers{f' ({share})' if share else ''}")

    def _say(self, line: str) -> None:
        self._out.print(line, soft_wrap=True)


def _at(event: TransferStarted | BatchAcknowledged) -> str:
    return name(str(event.address))
