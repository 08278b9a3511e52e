"""The real clock: waits in short steps, reports the remaining time, and stops on request."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

from reconciler.core.errors import CancelledError

STEP = 0.25
LONGEST_RENEWAL = 60.0
"""Seconds that a process still waits for after a request to end at once."""


class WaitReporter(Protocol):
    """Shows that a thread waits; several threads may call it."""

    def waiting(self, reason: str, seconds_left: float) -> None: ...

    def done_waiting(self) -> None: ...


class StopSignal(threading.Event):
    """Set by a stop request. A second request takes effect after the current critical section."""

    def __init__(self) -> None:
        super().__init__()
        self._unbroken = threading.RLock()

    def check(self) -> None:
        """Raise CancelledError after a stop request."""
        if self.is_set():
            raise CancelledError("stopped on request", remedy="run the same command again to resume")

    @contextmanager
    def critical_section(self) -> Iterator[None]:
        """Enter a section that must not be interrupted, one thread at a time: it would cost a consent."""
        with self._unbroken:
            yield

    def wait_until_idle(self, seconds: float) -> None:
        """Wait until no critical section is active, with a time limit."""
        if self._unbroken.acquire(timeout=seconds):
            self._unbroken.release()


class SystemClock:
    """Shared by all threads of a run."""

    def __init__(self, stop: StopSignal, shown: WaitReporter) -> None:
        self._stop = stop
        self._shown = shown

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float, reason: str, shown: float = 0.0) -> None:
        """Raise CancelledError on a stop request. `shown` seconds are shown as left, if they are more."""
        end = monotonic() + seconds
        more = max(0.0, shown - seconds)
        try:
            while (left := end - monotonic()) > 0 and not self._stop.is_set():
                self._shown.waiting(reason, left + more)
                self._stop.wait(min(STEP, left))
        finally:
            self._shown.done_waiting()
        self.check()

    def critical_section(self) -> AbstractContextManager[None]:
        return self._stop.critical_section()

    def check(self) -> None:
        self._stop.check()


class OffsetClock(SystemClock):
    """The clock of an advanced emulator. Its waits take real time."""

    def __init__(self, stop: StopSignal, shown: WaitReporter, ahead: timedelta) -> None:
        super().__init__(stop, shown)
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead
