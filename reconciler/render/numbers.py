"""How counts of people, shares, times and durations are written."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.core.rounding import STEP, RoundedCount, format_share, percent, rounded_count, share_of

MINUS = "−"
UNKNOWN = "?"
_TINY = 0.0005
"""A change by less would read as none."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """Counts of people to the nearest `step`: small ones never show in what is saved or sent around."""

    step: int

    @property
    def precision(self) -> str:
        """What a reader of rounded counts needs to know; "" where they are exact."""
        if self.step == 1:
            return ""
        return f"Counts are rounded to {self.step}; exact ones are shown at a terminal."

    def count(self, number: int | None) -> str:
        """ "?" where nobody knows."""
        if number is None:
            return UNKNOWN
        told = self.number(number)
        return told if isinstance(told, str) else f"{told:,}"

    def number(self, number: int) -> RoundedCount:
        """As JSON has it: "<10", or a number that can be reckoned with."""
        return rounded_count(number, self.step)

    def plus(self, number: int) -> str:
        """As "+18,240"; nothing for zero."""
        return f"+{self.count(number)}" if number else ""

    def minus(self, number: int) -> str:
        """As "−2,911"; nothing for zero."""
        return f"{MINUS}{self.count(number)}" if number else ""

    def move(self, before: int | None, after: int, adds: int = 0, out: int = 0) -> str:
        """As "412,006 → 427,335 (+3.7%)"; one count where they read the same."""
        if before is None:
            return f"{UNKNOWN} → {self.count(after)}"
        if self.count(before) == self.count(after):
            return self.count(after)
        text = f"{self.count(before)} → {self.count(after)}"
        moved = abs(self._net(before, after, adds, out))
        hidden = isinstance(self.number(after), str)
        if hidden or moved < _TINY * self._known(before):
            return text
        share = format_share(moved, before, self.step, MINUS if after < before else "+")
        return f"{text} ({share})" if share else text

    def _net(self, before: int, after: int, adds: int, out: int) -> int:
        """By how many it moves, from counts as they read. What moves tells that closer than both sizes do.

        Where an earlier run has sent a part, what moves now is not the whole of it.
        """
        by_size = self._known(after) - self._known(before)
        by_moves = self._known(adds) - self._known(out)
        close = self.step > 1 and abs(by_moves - by_size) <= 2 * self.step
        return by_moves if close else by_size

    def _known(self, number: int) -> int:
        told = self.number(number)
        return told if isinstance(told, int) else 0

    def share(self, part: int, whole: int) -> str:
        """As "12.3%"; nothing where it would give a small count away."""
        share = share_of(part, whole, self.step)
        return "" if share is None else percent(min(1.0, share))


EXACT = NumberFormat(1)
"""For a person at a terminal."""

ROUNDED = NumberFormat(STEP)
"""For logs of CI and everything that is saved: one more or less must not point at a person."""


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def near(moment: datetime, now: datetime) -> str:
    """A time of day, with its date when that is not today's."""
    return (
        f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%H:%M} UTC on {moment:%Y-%m-%d}"
    )


def age(moment: datetime, now: datetime) -> str:
    """As "2 h old", as coarse as one cares."""
    seconds = max(0.0, (now - moment).total_seconds())
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:,.0f} {unit} old"
    return "just written"


def counted(number: int, one: str, many: str = "") -> str:
    """As "1 address", "2 addresses"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
