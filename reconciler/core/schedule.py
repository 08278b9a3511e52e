"""When Criteo computes audiences, which computation includes a change, and when that change is live."""

from datetime import datetime, timedelta

COMPUTATION_INTERVAL = timedelta(hours=12)
"""Criteo computes at 00:00 and 12:00 UTC (Criteo, "Audience Segment Endpoints")."""
SAFE_MARGIN = timedelta(hours=1)
"""A change sent later than this before a computation may be missing from it."""
ACTIVATION_DELAY = timedelta(hours=5)
"""From a computation to live campaigns (Criteo, "Audience Segment Endpoints")."""


def next_computation(moment: datetime) -> datetime:
    """Return the first computation after a moment."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    times = (midnight + COMPUTATION_INTERVAL, midnight + 2 * COMPUTATION_INTERVAL)
    return next(time for time in times if time > moment)


def last_computation(moment: datetime) -> datetime:
    """Return the last computation that is not after a moment."""
    return next_computation(moment) - COMPUTATION_INTERVAL


def computation_at(hour: int, moment: datetime) -> datetime:
    """Return the first computation at this hour (0 or 12, UTC) after a moment."""
    first = next_computation(moment)
    return first if first.hour == hour else first + COMPUTATION_INTERVAL


def seen_at(completed_at: datetime) -> datetime:
    """Return the first computation that certainly includes a change completed at this time."""
    return next_computation(completed_at + SAFE_MARGIN)
