"""A lock with an expiry, for backends without locks of their own.

It is reliable if the clocks of the machines differ by much less than a minute. It contains no secret.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from reconciler.core.errors import AuthenticationError, LockedError

LIFE = timedelta(seconds=180)
"""Longer than one token request takes, its connection, a slow answer and three tries to keep it included."""
ENDED = {"holder": "", "until": ""}

Now = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SecretLock:
    """`holder` is unique; a run killed meanwhile holds the lock until `until`."""

    holder: str
    until: datetime

    def written(self) -> dict[str, str]:
        return {"holder": self.holder, "until": self.until.isoformat()}


def begin(now: datetime) -> SecretLock:
    return SecretLock(uuid4().hex, now + LIFE)


def refuse_while_held(reference: str, written: object, now: datetime) -> None:
    """Raises LockedError, or AuthenticationError for what is not a lease."""
    if written == ENDED:
        return
    try:
        until = datetime.fromisoformat(written["until"])  # type: ignore[index] # anything may be there
        held = until > now
    except (KeyError, TypeError, ValueError):
        raise AuthenticationError(
            f"the lock of {reference} holds something else", remedy="remove it, and run again"
        ) from None
    if held:
        raise LockedError(
            f"another run holds {reference}, until {until.astimezone(UTC):%H:%M:%S} UTC at the latest",
            remedy="wait for it to end, and run again",
        )


def lost(reference: str) -> LockedError:
    """Return the error of a run that another run preceded."""
    return LockedError(f"another run has just taken {reference}", remedy="wait for it to end, and run again")
