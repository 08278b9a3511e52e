"""The real clock: waits in short steps, tells how long is left, and stops when asked to."""

import threading
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

from reconciler.core.errors import CancelledError

STEP = 0.25


class Waits(Protocol):
    """Who shows that a thread waits; both may be called by several threads."""

    def waiting(self, reason: str, seconds_left: float) -> None: ...

    def done_waiting(self) -> None: ...


class SystemClock:
    """Shared by all threads of a run."""

    def __init__(self, stop: threading.Event, shown: Waits) -> None:
        self._stop = stop
        self._shown = shown

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float, reason: str) -> None:
        """Raises CancelledError as soon as someone asks to stop."""
        end = monotonic() + seconds
        try:
            while (left := end - monotonic()) > 0 and not self._stop.is_set():
                self._shown.waiting(reason, left)
                self._stop.wait(min(STEP, left))
        finally:
            self._shown.done_waiting()
        self.check()

    def check(self) -> None:
        if self._stop.is_set():
            raise CancelledError(
                "stopped on request", remedy="run the same command again: it goes on where it stopped"
            )
