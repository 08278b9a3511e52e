"""How counts of people, shares, times and durations are written."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from reconciler.core.approval import Shown
from reconciler.core.guards import percent

MINUS = "−"


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of people to the nearest `step`: small ones never show in what is saved or sent around."""

    step: int

    def count(self, number: int) -> str:
        if 0 < number < self.step:
            return f"<{self.step}"
        return f"{self._rounded(number):,}"

    def number(self, number: int) -> Shown:
        """As JSON has it: "<10", or a number that can be reckoned with."""
        return self.count(number) if 0 < number < self.step else self._rounded(number)

    def plus(self, number: int) -> str:
        """As "+18,240"; nothing for zero."""
        return f"+{self.count(number)}" if number else ""

    def minus(self, number: int) -> str:
        """As "−2,911"; nothing for zero."""
        return f"{MINUS}{self.count(number)}" if number else ""

    def move(self, before: int, after: int) -> str:
        """As "412,006 → 427,335 (+3.7 %)"; one count where they read the same."""
        if self.count(before) == self.count(after):
            return self.count(after)
        text = f"{self.count(before)} → {self.count(after)}"
        start, end = self._rounded(before), self._rounded(after)
        if not start or 0 < before < self.step:
            return text
        change = f"{100 * (end - start) / start:+,.1f} %".replace("-", MINUS)
        return f"{text} ({change})"

    def share(self, part: int, whole: int) -> str:
        """As "12.3 %"; nothing where it would give a small count away."""
        if not whole or 0 < part < self.step:
            return ""
        return percent(min(1.0, self._rounded(part) / max(1, self._rounded(whole))))

    def _rounded(self, number: int) -> int:
        return self.step * ((number + self.step // 2) // self.step)


EXACT = Figures(1)
"""For a person at a terminal."""

ROUNDED = Figures(10)
"""For logs of CI and everything that is saved: one more or less must not point at a person."""


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def near(moment: datetime, now: datetime) -> str:
    """A time of day, with its date when that is not today's."""
    return (
        f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%H:%M} UTC on {moment:%Y-%m-%d}"
    )


def duration(time: timedelta) -> str:
    """As "2 min 54 s"; the two largest units that count."""
    seconds = max(0, round(time.total_seconds()))
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    for (unit, size), (lesser, small) in pairwise(units):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size:,} {unit} {rest} {lesser}" if rest else f"{seconds // size:,} {unit}"
    return f"{seconds} s"


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
