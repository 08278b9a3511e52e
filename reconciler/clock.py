"""The real clock: waits in short steps, tells how long is left, and stops when asked to."""

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
    """Who shows that a thread waits; both may be called by several threads."""

    def waiting(self, reason: str, seconds_left: float) -> None: ...

    def done_waiting(self) -> None: ...


class StopSignal(threading.Event):
    """Set when somebody asks to stop. Who insists is heard once nothing is under way that must end well."""

    def __init__(self) -> None:
        super().__init__()
        self._unbroken = threading.RLock()

    def check(self) -> None:
        """Raises CancelledError when somebody has asked."""
        if self.is_set():
            raise CancelledError("stopped on request", remedy="run the same command again to resume")

    @contextmanager
    def critical_section(self) -> Iterator[None]:
        """One at a time: what is done here costs a person's time when it is broken off."""
        with self._unbroken:
            yield

    def wait_until_idle(self, seconds: float) -> None:
        """Waits until nothing such is under way, so long at most."""
        if self._unbroken.acquire(timeout=seconds):
            self._unbroken.release()


class SystemClock:
    """Shared by all threads of a run."""

    def __init__(self, stop: StopSignal, shown: WaitReporter) -> None:
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

    def critical_section(self) -> AbstractContextManager[None]:
        return self._stop.critical_section()

    def check(self) -> None:
        self._stop.check()


class OffsetClock(SystemClock):
    """That of an emulator which was moved on. It waits as long as any other."""

    def __init__(self, stop: StopSignal, shown: WaitReporter, ahead: timedelta) -> None:
        super().__init__(stop, shown)
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead
