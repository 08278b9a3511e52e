"""Durations as manifests write them."""

from datetime import timedelta
from typing import Any

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(value: dict[str, Any], key: str) -> timedelta | None:
    """`36h` → 36 hours; None when the key is absent."""
    text: str = value.get(key, "")
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])}) if text else None
