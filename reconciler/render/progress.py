"""Apply while it runs: bars on a terminal, few plain lines in a log, or nothing."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, assert_never

from rich.console import Console

from reconciler.core.events import (
    BatchTaken,
    ChangeEnded,
    Event,
    SegmentCreated,
    SegmentPatched,
    TransferStarted,
)
from reconciler.core.model import Address
from reconciler.render.bars import Bars
from reconciler.render.figures import Figures
from reconciler.render.steps import stepped
from reconciler.render.text import name, sentence

BETWEEN_LINES = 5.0
"""Seconds between two lines on one transfer in a log."""

BETWEEN_WAITS = 30.0
"""Seconds between two lines on waiting in a log."""

WORTH_A_LINE = 5.0
"""Waits shorter than this many seconds go unmentioned in a log."""


class Progress(Protocol):
    """What a run shows while it goes on. All methods may be called from several threads."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def emit(self, event: Event) -> None: ...

    def doing(self, what: str) -> None:
        """What goes on now, in a few words, until the next is said; "" for nothing more to say."""
        ...

    def waiting(self, reason: str, seconds_left: float) -> None:
        """Called again and again while the calling thread waits."""
        ...

    def done_waiting(self) -> None:
        """The calling thread goes on."""
        ...


def progress(out: Console, now: Callable[[], float], figures: Figures) -> Progress:
    """Bars on a terminal, lines elsewhere. `now` is a clock in seconds that never goes back."""
    return Bars(out, now, figures) if out.is_terminal else Lines(out, now, figures)


class Quiet:
    """Shows nothing; the report at the end says it all."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def emit(self, event: Event) -> None:
        pass

    def doing(self, what: str) -> None:
        pass

    def waiting(self, reason: str, seconds_left: float) -> None:
        pass

    def done_waiting(self) -> None:
        pass


class Lines(Quiet):
    """Plain lines: every step, and of transfers and waits as few as keep a log readable."""

    def __init__(self, out: Console, now: Callable[[], float], figures: Figures) -> None:
        self._out = out
        self._now = now
        self._figures = figures
        self._said: dict[Address, float] = {}
        self._waited: float | None = None
        self._saying = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._saying:
            match event:
                case SegmentCreated() | SegmentPatched() | ChangeEnded():
                    self._say(stepped(event))
                case TransferStarted():
                    self._said[event.address] = self._now()
                    total, done = self._figures.count(event.total), self._figures.count(event.done)
                    resumed = f", {done} of them done already" if event.done else ""
                    self._say(f"{_at(event)}: {total} identifiers to send{resumed}")
                case BatchTaken():
                    self._batch(event)
                case _:
                    assert_never(event)

    def doing(self, what: str) -> None:
        """A log has no use for it."""

    def waiting(self, reason: str, seconds_left: float) -> None:
        with self._saying:
            now = self._now()
            recent = self._waited is not None and now - self._waited < BETWEEN_WAITS
            if seconds_left >= WORTH_A_LINE and not recent:
                self._waited = now
                self._say(f"waiting {seconds_left:,.0f} s: {sentence(reason)}")

    def _batch(self, event: BatchTaken) -> None:
        now, last = self._now(), event.done >= event.total
        if not last and now - self._said.get(event.address, now - BETWEEN_LINES) < BETWEEN_LINES:
            return
        self._said[event.address] = now
        done, total = self._figures.count(event.done), self._figures.count(event.total)
        self._say(f"{_at(event)}: {done} of {total} identifiers ({event.done / max(1, event.total):.0%})")

    def _say(self, line: str) -> None:
        self._out.print(line, soft_wrap=True)


def _at(event: Event) -> str:
    return name(str(event.address))
