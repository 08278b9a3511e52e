"""Progress of a run: the interface, a silent reporter, and plain lines for a log."""

import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self, assert_never

from rich.console import Console

from reconciler.core.events import (
    ActivityStarted,
    AddressBlocked,
    ApplyStarted,
    BatchAcknowledged,
    BatchSizeLowered,
    ChangeEnded,
    ChangeOutcome,
    Event,
    PlanCreated,
    ProgressReporter,
    RunEnded,
    RunStarted,
    SegmentCreated,
    SegmentDeleted,
    SegmentUpdated,
    TransferStarted,
    WaitEnded,
    Waiting,
)
from reconciler.core.model import Address
from reconciler.core.rounding import duration
from reconciler.render.document.apply_pace import ApplyPace, pace_text
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import name, sentence

BETWEEN_LINES = 5.0
"""Seconds between two lines about one transfer."""
BETWEEN_PACES = 10.0
"""Seconds between two lines about the whole apply."""
BETWEEN_WAITS = 30.0
"""Seconds between two lines about waiting."""
SHARE_BETWEEN_WAITS = 0.1
"""Of a long wait: the part of the remaining time between two lines."""
IN_SECONDS = 120.0
"""A longer wait is written in minutes and hours."""
WORTH_A_LINE = 5.0
"""Seconds. A shorter wait gets no line."""


class Progress(ProgressReporter, Protocol):
    """Shows the events of a run. Several threads may call its methods."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Quiet(Progress):
    """Shows nothing. The report at the end has the results."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def emit(self, event: Event) -> None:
        pass


def step_text(event: SegmentCreated | SegmentUpdated | SegmentDeleted | ChangeEnded) -> str:
    """Return one line: the address and what was done there."""
    at = name(str(event.address))
    match event:
        case SegmentCreated():
            return f"{at}: segment {name(event.segment_id)} created"
        case SegmentDeleted():
            return f"{at}: segment {name(event.segment_id)} deleted"
        case SegmentUpdated():
            return f"{at}: name or description changed"
        case ChangeEnded(outcome=ChangeOutcome.FAILED):
            return f"{at}: failed: {sentence(event.problem)}"
        case ChangeEnded():
            return f"{at}: {event.outcome}"
        case _:
            assert_never(event)


def wait_text(seconds_left: float, reason: str) -> str:
    """Return one line: the remaining time and the reason."""
    seconds = max(0.0, seconds_left)
    left = f"{seconds:,.0f} s" if seconds < IN_SECONDS else duration(timedelta(seconds=seconds))
    return f"waiting {left}: {sentence(reason)}"


class WaitThrottle:
    """Limits the lines about waiting. `now` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last: float | None = None

    def worth_a_line(self, event: Waiting) -> bool:
        """Return whether to print a line about this wait, and remember the time if so."""
        now = self._now()
        between = max(BETWEEN_WAITS, SHARE_BETWEEN_WAITS * event.seconds_left)
        recent = self._last is not None and now - self._last < between
        worth = event.seconds_left >= WORTH_A_LINE and not recent
        self._last = now if worth else self._last
        return worth


class Lines(Quiet):
    """Prints a line about the whole apply every few seconds, and one for each failure.

    Before the apply, it prints long waits. `now` is a monotonic clock in seconds.
    """

    def __init__(self, out: Console, now: Callable[[], float]) -> None:
        self._out = out
        self._now = now
        self._waits = WaitThrottle(now)
        self._saying = threading.Lock()
        self._pace: ApplyPace | None = None
        self._paced = 0.0

    def emit(self, event: Event) -> None:
        with self._saying:
            self._follow(event)
            if isinstance(event, ChangeEnded) and event.outcome is ChangeOutcome.FAILED:
                self._say(step_text(event))
            elif isinstance(event, Waiting) and self._pace is None:
                self._wait(event)

    def _follow(self, event: Event) -> None:
        now = self._now()
        if isinstance(event, ApplyStarted):
            self._pace, self._paced = ApplyPace(event, now), now
        elif isinstance(event, RunEnded):
            self._pace = None
        elif self._pace:
            self._pace.take(event, now)
            if now - self._paced >= BETWEEN_PACES:
                self._paced = now
                self._say(pace_text(self._pace.at(now)))

    def _wait(self, event: Waiting) -> None:
        if self._waits.worth_a_line(event):
            self._say(wait_text(event.seconds_left, event.reason))

    def _say(self, line: str) -> None:
        self._out.print(line, soft_wrap=True)


class StepLines(Lines):
    """Prints a line for each step too, and one every few seconds for a transfer or a wait."""

    def __init__(self, out: Console, now: Callable[[], float], figures: NumberFormat) -> None:
        super().__init__(out, now)
        self._figures = figures
        self._said: dict[Address, float] = {}

    def emit(self, event: Event) -> None:
        with self._saying:
            self._follow(event)
            match event:
                case SegmentCreated() | SegmentUpdated() | SegmentDeleted() | ChangeEnded():
                    self._say(step_text(event))
                case TransferStarted():
                    self._said[event.address] = self._now()
                    total, done = self._figures.count(event.total), self._figures.count(event.done)
                    resumed = f", {done} of them done already" if event.done else ""
                    self._say(f"{_at(event)}: {total} identifiers to send{resumed}")
                case BatchAcknowledged():
                    self._batch(event)
                case Waiting():
                    self._wait(event)
                case (
                    RunStarted()
                    | ActivityStarted()
                    | PlanCreated()
                    | AddressBlocked()
                    | ApplyStarted()
                    | BatchSizeLowered()
                    | WaitEnded()
                    | RunEnded()
                ):
                    pass  # shown by the plan or the report, or not useful in a log
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


def _at(event: TransferStarted | BatchAcknowledged) -> str:
    return name(str(event.address))
