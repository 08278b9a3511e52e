"""How counts, shares, times and durations are written."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.core.rounding import (
    STEP,
    LessThan,
    RoundedCount,
    format_count,
    format_share,
    percent,
    rounded_count,
    share_of,
)

MINUS = "−"
UNKNOWN = "?"
_TINY = 0.0005
"""A change by less would read as none."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """Counts rounded to the nearest `step`, so that saved output contains no small counts."""

    step: int

    @property
    def precision(self) -> str:
        """Return the note about rounded counts; "" if counts are exact."""
        if self.step == 1:
            return ""
        return f"Counts are rounded to {self.step}; exact ones are shown at a terminal."

    def count(self, number: int | None) -> str:
        """Return "?" if the count is unknown."""
        return counted_or_unknown(None if number is None else self.number(number))

    def number(self, number: int) -> RoundedCount:
        """Return the count as it is printed."""
        return rounded_count(number, self.step)

    def share(self, part: int, whole: int) -> str:
        """Return text such as "12.3%"; "" if it would reveal a small count."""
        share = share_of(part, whole, self.step)
        return "" if share is None else percent(min(1.0, share))


EXACT = NumberFormat(1)
"""For a person at a terminal."""

ROUNDED = NumberFormat(STEP)
"""For logs of CI and everything that is saved: one more or less must not point at a person."""


def counted_or_unknown(count: RoundedCount | None) -> str:
    return UNKNOWN if count is None else format_count(count)


def plus(count: RoundedCount) -> str:
    """Return text such as "+18,240"; "" for zero."""
    return f"+{format_count(count)}" if count else ""


def minus(count: RoundedCount) -> str:
    """Return text such as "−2,911"; "" for zero."""
    return f"{MINUS}{format_count(count)}" if count else ""


def move(
    before: RoundedCount | None,
    after: RoundedCount | None,
    adds: RoundedCount = 0,
    removes: RoundedCount = 0,
    step: int = STEP,
) -> str:
    """Return text such as "412,006 → 427,335 (+3.7%)", or one count if both read the same.

    `step`: the rounding.
    """
    if before is None or after is None:
        return f"{counted_or_unknown(before)} → {counted_or_unknown(after)}"
    if before == after:
        return format_count(after)
    text = f"{format_count(before)} → {format_count(after)}"
    low, high = _known(before), _known(after)
    moved = abs(_net(low, high, _known(adds) - _known(removes), step))
    if isinstance(after, LessThan) or moved < _TINY * low:
        return text
    share = format_share(moved, low, step, MINUS if high < low else "+")
    return f"{text} ({share})" if share else text


def _net(before: int, after: int, by_moves: int, step: int) -> int:
    """Return the net change from the printed counts. It is more exact than the difference of both sizes.

    If an earlier run sent a part, the change now is only the rest.
    """
    by_size = after - before
    close = step > 1 and abs(by_moves - by_size) <= 2 * step
    return by_moves if close else by_size


def _known(count: RoundedCount) -> int:
    return 0 if isinstance(count, LessThan) else count


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def near(moment: datetime, now: datetime) -> str:
    """A time of day, with its date when that is not today's."""
    return (
        f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%H:%M} UTC on {moment:%Y-%m-%d}"
    )


def age(moment: datetime, now: datetime) -> str:
    """Return text such as "2 h old"."""
    seconds = max(0.0, (now - moment).total_seconds())
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:,.0f} {unit} old"
    return "just written"


def counted(number: int, one: str, many: str = "") -> str:
    """Return text such as "1 address" or "2 addresses"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
