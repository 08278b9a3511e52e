"""Waits are reported repeatedly; saved output has few lines about them."""

from collections.abc import Callable

from reconciler.core.events import Waiting

BETWEEN_WAITS = 30.0
"""Seconds between two lines on waiting."""

WORTH_A_LINE = 5.0
"""Waits shorter than this many seconds go unmentioned."""


class WaitThrottle:
    """Those of one reader. `now` is a clock in seconds that never goes back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last: float | None = None

    def worth_a_line(self, event: Waiting) -> bool:
        """Remembers that there was one."""
        now = self._now()
        recent = self._last is not None and now - self._last < BETWEEN_WAITS
        worth = event.seconds_left >= WORTH_A_LINE and not recent
        self._last = now if worth else self._last
        return worth
