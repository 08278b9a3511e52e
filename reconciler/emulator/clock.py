"""Instants of the emulator: when audiences are computed and how times are written."""

from datetime import UTC, datetime

HALF_A_DAY = 43_200


def computation_before(now: float) -> int:
    """The last 00:00 or 12:00 UTC that is not after `now`, in Unix seconds."""
    return int(now // HALF_A_DAY) * HALF_A_DAY


def short(instant: float) -> str:
    """2026-11-20T09:15:00Z, as in segments."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def long(instant: float) -> str:
    """2026-11-20T09:15:00.0000000+00:00, as in add-remove: seven digits, which few parsers take."""
    moment = datetime.fromtimestamp(instant, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0+00:00"
