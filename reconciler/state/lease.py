"""One writer per state on any number of machines: a lease with a heartbeat and a number that only grows.

The number (fencing token) protects the state exactly: see `bucket_writer.py`. Criteo knows no tokens, so
time must protect it: a request is sent only if the lease outlasts it, and a new holder waits as long.
"""

import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from reconciler.buckets.bucket import Bucket, PreconditionFailedError, Version
from reconciler.core.errors import LockedError, StorageError

MARGIN = timedelta(seconds=10)
"""For clocks that differ, and for the time between a check and a request."""
BEAT = timedelta(seconds=15)
TAKEN_OVER = "another run has taken over the state; the last result of this run is not saved"
RUN_AGAIN = "let the other run end, then run again: it resumes after both"


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as stored. `id` names it for `state lock break`; a released lease has no holder."""

    token: int
    id: str
    who: str
    what: str
    since: datetime
    expires_at: datetime
    released: bool = False


@dataclass(frozen=True, slots=True)
class LeaseLocation:
    """Where a lease is stored. `what` it is taken for; `held` begins the error of a second run."""

    bucket: Bucket
    path: str
    what: str
    held: str


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """`life` is what a heartbeat renews; `grace` is how long a lost holder's request may take effect."""

    life: timedelta
    grace: timedelta

    @classmethod
    def of(cls, request: timedelta) -> "LeaseTiming":
        """`request` is the longest duration of a request to Criteo."""
        return cls(life=request + MARGIN + 4 * BEAT, grace=request + MARGIN)


def encode(lease: Lease) -> bytes:
    """Encode with a nonce, so that no store takes two writes for one."""
    plain = asdict(lease) | {"since": lease.since.isoformat(), "expires_at": lease.expires_at.isoformat()}
    return json.dumps(plain | {"nonce": secrets.token_hex(8)}, indent=1).encode()


def decode(content: bytes) -> Lease:
    try:
        found = json.loads(content)
        return Lease(
            token=int(found["token"]),
            id=str(found["id"]),
            who=str(found["who"]),
            what=str(found["what"]),
            since=datetime.fromisoformat(found["since"]),
            expires_at=datetime.fromisoformat(found["expires_at"]),
            released=bool(found["released"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StorageError(
            "the lock of the state holds something else",
            remedy="it was edited by hand: when no run is active, remove lease.json there",
        ) from None


def free_from(lease: Lease, timing: LeaseTiming) -> datetime:
    """Return when a new holder may begin: by then no request of the old holder can take effect."""
    return lease.since if lease.released else lease.expires_at + timing.grace


class HeldLease:
    """A held lease, until another run takes it over. Several threads may read it; one renews it."""

    def __init__(
        self,
        place: LeaseLocation,
        timing: LeaseTiming,
        now: Callable[[], datetime],
        lease: Lease,
        version: Version,
    ) -> None:
        self._place = place
        self._timing = timing
        self._now = now
        self._gate = threading.Lock()
        self._lease = lease
        self._version = version
        self._unanswered: list[bytes] = []
        self._lost = False

    @property
    def lease(self) -> Lease:
        return self._lease

    def renew(self) -> None:
        """Renew the lease. An unreachable store may be back before the lease ends."""
        with self._gate:
            if not self._lost:
                self._write(replace(self._lease, expires_at=self._now() + self._timing.life))

    def assure(self) -> None:
        """Raise StorageError unless a request sent now ends before another run may begin."""
        if self._lost:
            raise StorageError(TAKEN_OVER, remedy=RUN_AGAIN)
        if self._lease.expires_at - self._now() < self._timing.grace:
            raise StorageError(
                "the lock could not be renewed in time, and nothing more is sent",
                remedy="check the store and the network, then run again: it resumes",
            )

    def release(self) -> None:
        """Release the lease, so that the next holder need not wait."""
        with self._gate:
            if not self._lost:
                self._write(replace(self._lease, released=True))

    def _write(self, lease: Lease) -> None:
        """Write the lease. An own earlier write without a response is not a lost race."""
        bucket, path, content = self._place.bucket, self._place.path, encode(lease)
        earlier, self._unanswered = self._unanswered, [*self._unanswered, content]
        for _ in range(2):
            try:
                self._version = bucket.replace(path, content, self._version)
            except PreconditionFailedError:
                there = bucket.read(path)
                if there is None or there.content not in earlier:
                    break
                self._version = there.version
            else:
                self._lease, self._unanswered = lease, []
                return
        self._lost = True


def acquire(
    place: LeaseLocation,
    timing: LeaseTiming,
    now: Callable[[], datetime],
    wait: Callable[[float, str], None],
    who: str,
    least: int = 0,
) -> tuple[HeldLease, bool]:
    """Return the lease, and whether it was taken over from a holder that did not release it.

    Waits for the grace of an expired lease. Raises LockedError with the holder while a lease is valid.
    `least` is the highest token known to be in use, in case the lease was removed by hand.
    """
    before = read_lease(place)
    if before is not None and not before.released:
        _refuse_alive(before, place, timing, now())
        left = (free_from(before, timing) - now()).total_seconds()
        if left > 0:
            wait(left, "a run that vanished may still have a request under way")
    return _claimed(place, timing, now, who, least)


def try_acquire(
    place: LeaseLocation, timing: LeaseTiming, now: Callable[[], datetime], who: str
) -> HeldLease:
    """Return the lease without waiting. Raises LockedError while another run's lease is valid."""
    hold, _ = _claimed(place, timing, now, who)
    return hold


def _claimed(
    place: LeaseLocation, timing: LeaseTiming, now: Callable[[], datetime], who: str, least: int = 0
) -> tuple[HeldLease, bool]:
    """Claim the lease as it is now: another run may have held it since the last read."""
    found = place.bucket.read(place.path)
    before = decode(found.content) if found else None
    orphaned = before is not None and not before.released
    if before is not None and orphaned:
        _refuse_alive(before, place, timing, now(), timing.grace)
    last = before.token if before else 0
    lease = Lease(
        token=max(last, least) + 1,
        id=secrets.token_hex(4),
        who=who,
        what=place.what,
        since=now(),
        expires_at=now() + timing.life,
    )
    content = encode(lease)
    try:
        if found is None:
            version = place.bucket.create(place.path, content)
        else:
            version = place.bucket.replace(place.path, content, found.version)
    except PreconditionFailedError:
        raise LockedError(
            f"{place.held}: another run took it in the same moment", remedy="wait for it to end"
        ) from None
    return HeldLease(place, timing, now, lease, version), orphaned or last < least


def read_lease(place: LeaseLocation) -> Lease | None:
    """Return the current or last lease; None before the first."""
    found = place.bucket.read(place.path)
    return decode(found.content) if found else None


def break_lease(place: LeaseLocation, lease_id: str, now: datetime) -> Lease:
    """End the lease of a run that no longer exists: it expires now, and its grace begins.

    Raises LockedError if another run holds it.
    """
    found = place.bucket.read(place.path)
    lease = decode(found.content) if found else None
    if found is None or lease is None or lease.released or lease.id != lease_id:
        raise LockedError(
            f"{place.held}: no run of that id holds it", remedy="look again: `reconciler state lock list ENV`"
        )
    ended = replace(lease, expires_at=min(lease.expires_at, now))
    try:
        place.bucket.replace(place.path, encode(ended), found.version)
    except PreconditionFailedError:
        raise LockedError(
            f"{place.held}: its holder is alive: it has just renewed the lock",
            remedy="end that run first; its address is in the message of `state lock list`",
        ) from None
    return ended


def _refuse_alive(
    lease: Lease, place: LeaseLocation, timing: LeaseTiming, now: datetime, grace: timedelta = timedelta(0)
) -> None:
    if now < lease.expires_at + grace:
        raise LockedError(
            f"{place.held}: {describe(lease)}",
            remedy=f"wait for it to end; if it has vanished, its lock is free from"
            f" {free_from(lease, timing):%H:%M:%S} UTC on",
        )


def describe(lease: Lease) -> str:
    """Return who, where, what, since when, until when."""
    return (
        f"{lease.who}, {lease.what}, since {lease.since:%Y-%m-%d %H:%M:%S} UTC, "
        f"until {lease.expires_at:%H:%M:%S} UTC unless renewed (id {lease.id})"
    )
