"""When Criteo computes audiences, and what a computation has seen."""

from datetime import datetime, timedelta

APART = timedelta(hours=12)
"""Criteo computes at 00:00 and 12:00 UTC (Criteo, "Audience Segment Endpoints")."""

SETTLING = timedelta(hours=1)
"""What is sent so shortly before a computation may not be in it."""


def next_computation(moment: datetime) -> datetime:
    """The first computation after a moment."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return next(time for time in (midnight + APART, midnight + 2 * APART) if time > moment)


def seen_at(settled_at: datetime) -> datetime:
    """The first computation that surely sees what was settled then."""
    return next_computation(settled_at + SETTLING)
