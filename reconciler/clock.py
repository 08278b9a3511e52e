"""The real clock: waits in short steps, tells how long is left, and stops when asked to."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

from reconciler.core.errors import CancelledError

STEP = 0.25


class SystemClock:
    """Shared by all threads of a run. `waiting` hears the reason and the seconds left, again and again."""

    def __init__(self, stop: threading.Event, waiting: Callable[[str, float], None]) -> None:
        self._stop = stop
        self._waiting = waiting

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float, reason: str) -> None:
        """Raises CancelledError as soon as someone asks to stop."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            self._waiting(reason, left)
            if self._stop.wait(min(STEP, left)):
                break
        self._waiting(reason, 0.0)
        self.check()

    def check(self) -> None:
        if self._stop.is_set():
            raise CancelledError(
                "stopped on request", remedy="run the same command again: it goes on where it stopped"
            )
