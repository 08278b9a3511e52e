"""How counts, shares and times are rounded and written."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import ceil, inf


@dataclass(frozen=True, slots=True)
class LessThan:
    """A count of at least one that is too small to be saved."""

    less_than: int

    def __str__(self) -> str:
        return f"<{self.less_than}"


RoundedCount = int | LessThan
"""A count as a saved plan has it: rounded to the nearest ten, or less than ten."""

STEP = 10
"""The step of rounded counts in saved output. A count does not reveal a single member."""

_TELLING = 10
"""A share of fewer steps is not shown: one step more or less would change it."""

PRECISE = 1_000
"""Below this count, shares are whole percentages marked "about"."""

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_DAYS_FROM = timedelta(hours=72)
"""Shorter times are written in hours, as manifests write them."""


def rounded(number: int, step: int = STEP) -> int:
    return step * ((number + step // 2) // step)


def rounded_count(number: int, step: int = STEP) -> RoundedCount:
    """A count as it may be saved."""
    return LessThan(step) if 0 < number < step else rounded(number, step)


def format_count(count: RoundedCount) -> str:
    """Return "1,230" or "<10"."""
    return str(count) if isinstance(count, LessThan) else f"{count:,}"


def bounds(count: RoundedCount) -> tuple[int, int]:
    """The least and the most that a shown count may have been."""
    if isinstance(count, LessThan):
        return 1, count.less_than - 1
    return (max(count - STEP // 2, STEP), count + STEP // 2 - 1) if count else (0, 0)


def share_of(part: int, whole: int, step: int = STEP) -> float | None:
    """Return the share as the rounded counts show it; None if they show none."""
    around = rounded(whole, step)
    if step == 1:
        return part / whole if whole else None
    if 0 < part < step or around < _TELLING * step:
        return None
    share = rounded(part, step) / around
    return share if around >= PRECISE else round(share, 2)


def format_share(part: int, whole: int, step: int = STEP, sign: str = "") -> str:
    """Return a share as text: "about" for small counts, "" if the rounded counts show none."""
    share = share_of(part, whole, step)
    if share is None:
        return ""
    precise = step == 1 or rounded(whole, step) >= PRECISE
    return f"{'' if precise else 'about '}{sign}{percent(share)}"


def percent(share: float) -> str:
    """A share that was measured, as "20%" or "3.7%"."""
    text = f"{100 * share:,.1f}".removesuffix(".0")
    return "<0.1%" if text == "0" and share > 0 else f"{text}%"


def format_limit(share: float) -> str:
    """Return a share as manifests write it: "20%" or "0.125%"."""
    return f"{100 * share:.3f}".rstrip("0").rstrip(".") + "%"


def percent_up(share: float) -> str:
    """Return the smallest whole percentage that allows `share`, as manifests write it."""
    return f"{ceil(100 * share - 1e-6)}%"


def share_beyond(part: int, whole: int, limit: float) -> str:
    """Return the share, if the rounded counts show that it is beyond the limit."""
    share = share_of(part, whole)
    if share is None or percent(share) == format_limit(limit) or share < limit:
        return f"more than {format_limit(limit)}"
    return format_share(part, whole)


def enough(part: int, whole: int, up_to: float = inf) -> str:
    """Return a limit that allows every share that reads like this; "" if only a disabled guard would."""
    most, least = bounds(rounded_count(part))[1], bounds(rounded_count(whole))[0]
    if share_of(part, whole) is None or most / least > up_to:
        return ""
    return percent_up(most / least)


def certainly_enough(part: int, whole: int, up_to: float = inf) -> str:
    """Return a limit that allows every share that reads like this, also if only a disabled guard does."""
    most, least = bounds(rounded_count(part))[1], bounds(rounded_count(whole))[0]
    return percent_up(min(up_to, most / max(1, least)))


def is_past(part: int, limit: float, whole: int) -> bool:
    """Past the limit, and not just by how a computer writes 29 %."""
    return part > limit * whole + 1e-6


def duration(time: timedelta) -> str:
    """Return text such as "2 minutes 54 seconds", with the two largest units."""
    seconds = max(0, round(time.total_seconds()))
    units = _UNITS if time >= _DAYS_FROM else _UNITS[1:]
    for (unit, size), (lesser, small) in pairwise(units):
        if seconds >= size:
            whole, rest = seconds // size, seconds % size // small
            return f"{_counted(whole, unit)} {_counted(rest, lesser)}" if rest else _counted(whole, unit)
    return _counted(seconds, "second")


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"
