"""The end of support of each version of Criteo's API. Reads no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Support:
    """The last three months of support are announced as deprecated."""

    deprecated_from: date
    ends: date


SUPPORT: Mapping[str, Support] = {
    "2025-10": Support(date(2026, 7, 27), date(2026, 10, 27)),
    "2026-01": Support(date(2026, 10, 27), date(2027, 1, 27)),
    "2026-07": Support(date(2027, 4, 21), date(2027, 7, 21)),
    "2027-01": Support(date(2027, 10, 31), date(2028, 1, 31)),
}
"""From Criteo's changelog; of the two newest only the month is published, so a day in it is assumed."""
