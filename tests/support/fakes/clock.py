"""A clock that moves only when a caller waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from reconciler.core.errors import CancelledError

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that never sleeps: `wait` moves it on and notes why."""

    def __init__(self, start: datetime = NOON) -> None:
        self.time = start
        self.waits: list[tuple[float, str]] = []
        self.shown: list[float] = []
        self.patience = float("inf")
        """How often it is asked before someone asks to stop."""

    def now(self) -> datetime:
        return self.time

    def wait(self, seconds: float, reason: str, shown: float = 0.0) -> None:
        self.check()
        self.waits.append((seconds, reason))
        self.shown.append(max(seconds, shown))
        self.advance(seconds)

    @contextmanager
    def critical_section(self) -> Iterator[None]:
        yield

    def check(self) -> None:
        self.patience -= 1
        if self.patience < 0:
            raise CancelledError("stopped")

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    @property
    def waited(self) -> float:
        return sum(seconds for seconds, _ in self.waits)
