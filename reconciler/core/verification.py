"""Whether the members of an address arrived at Criteo and can be used, by the counts of a computation.

Members arrived if Criteo counts at least the confirmed identifiers without the rejected ones. The comparison
is exact, because Criteo documents no rounding. It starts with the first computation that certainly
includes the last acknowledgement. Criteo does not state when a computation ends, so a count that is too low
is final only when that computation is live.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import Address, Seat, SegmentSpec
from reconciler.core.portable_definition import PartDigest, part_digests, portable_parts
from reconciler.core.promotion.gate import PortablePart
from reconciler.core.remote import RateLimit, Statistics
from reconciler.core.schedule import ACTIVATION_DELAY, last_computation, next_computation, seen_at
from reconciler.core.state.resource import ResourceState

MIN_MATCH_RATE = 0.001
"""Share of identifiers that Criteo must match before an audience is usable (0.1%, according to partners)."""
POLL_INTERVAL = timedelta(minutes=10)
"""The least time between two checks while Criteo computes."""
LEAST_CALLS = 10
"""Calls per minute that any application may send: the lowest limit that Criteo documents."""
UNKNOWN_COUNTS = Statistics(None, None, None)


class VerificationOutcome(StrEnum):
    """What a check of one address found."""

    VERIFIED = "verified"
    """All members arrived, and enough of them match."""

    NOT_COMPUTED = "not_computed"
    """No computation includes the last acknowledgement yet, or its counts are not there yet."""

    TOO_FEW = "too_few"
    """Criteo counts fewer identifiers than it acknowledged without rejecting them."""

    BELOW_MINIMUM = "below_minimum"
    """All members arrived, and too few match."""

    NOT_APPLIED = "not_applied"
    """No apply filled a segment, or the address was forgotten since."""

    INCOMPLETE = "incomplete"
    """A change is unfinished, or the segment may hold members that the state does not know."""

    DEFINITION_CHANGED = "definition_changed"
    """The manifests differ from the definition that was last applied in full."""

    MISSING = "missing"
    """Criteo has no such segment."""

    @property
    def is_kept(self) -> bool:
        """Return whether the state keeps this outcome: it states something about the applied definition."""
        return self in _KEPT


_KEPT = frozenset(
    {
        VerificationOutcome.VERIFIED,
        VerificationOutcome.TOO_FEW,
        VerificationOutcome.BELOW_MINIMUM,
        VerificationOutcome.MISSING,
    }
)


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """The check of one address. `sent` are the confirmed members.

    `counts` are Criteo's; unknown if they were not asked. `computed_at` is the first computation that
    certainly includes the last acknowledgement. `due_at`: when another check finds more; only of an address
    that is not computed.
    """

    address: Address
    outcome: VerificationOutcome
    segment_id: str = ""
    sent: int = 0
    rejected: int = 0
    counts: Statistics = UNKNOWN_COUNTS
    computed_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def expected(self) -> int:
        """Return how many identifiers must arrive."""
        return self.sent - self.rejected


@dataclass(frozen=True, slots=True)
class Verification:
    """The newest final result of an address, and all that it depends on.

    `computed_at` is the computation whose counts were read. `parts` are those of the applied definition,
    which was the definition of the manifests too. `sample_rows` is None without a sample.
    """

    address: Address
    outcome: VerificationOutcome
    at: datetime
    computed_at: datetime
    parts: tuple[PartDigest, ...]
    endpoint: EndpointKind
    seat: Seat
    sample_rows: int | None
    segment_id: str
    sent: int
    rejected: int
    arrived: int | None
    matched: int | None

    @property
    def digests(self) -> dict[PortablePart, str]:
        """Return the digest of each part of the verified definition."""
        return {one.part: one.digest for one in self.parts}

    def changed_parts(self, spec: SegmentSpec) -> tuple[PortablePart, ...]:
        """Return the parts of a definition that differ from the verified one."""
        held = self.digests
        return tuple(part for part, digest in portable_parts(spec).items() if held.get(part) != digest)


@dataclass(frozen=True, slots=True)
class Verifications:
    """The newest verification of each address, in order. An advisory document beside the state."""

    verifications: tuple[Verification, ...] = ()

    def by_address(self) -> dict[Address, Verification]:
        return {one.address: one for one in self.verifications}

    @property
    def is_whole(self) -> bool:
        """Return whether each address is there once, with each part of its definition once."""
        addresses = [one.address for one in self.verifications]
        return len(set(addresses)) == len(addresses) and all(
            [part.part for part in one.parts] == list(PortablePart) for one in self.verifications
        )


@dataclass(frozen=True, slots=True)
class KeptVerification:
    """The newest verification of an address, and the parts of its definition that changed since."""

    verification: Verification
    changed: tuple[PortablePart, ...]


def kept_verifications(
    verifications: Verifications, specs: Iterable[SegmentSpec]
) -> dict[Address, KeptVerification]:
    """Return the newest verification of each address of the manifests that has one."""
    known = verifications.by_address()
    return {
        spec.address: KeptVerification(found, found.changed_parts(spec))
        for spec in specs
        if (found := known.get(spec.address))
    }


def before_counts(
    spec: SegmentSpec, resource: ResourceState | None, present: Container[str], now: datetime
) -> VerificationOutcome | None:
    """Return the outcome that needs no counts of Criteo; None if they decide.

    `present` are the IDs of all segments at Criteo.
    """
    if resource is None or resource.forgotten_at:
        return VerificationOutcome.NOT_APPLIED
    current = resource.current
    if current.intent or current.transfer or current.uncertain or resource.replacement:
        return VerificationOutcome.INCOMPLETE
    if current.completed_at is None:
        return VerificationOutcome.NOT_APPLIED
    if resource.definition != spec.definition:
        return VerificationOutcome.DEFINITION_CHANGED
    if current.members_unknown_before:
        return VerificationOutcome.INCOMPLETE
    if current.segment_id not in present:
        return VerificationOutcome.MISSING
    return VerificationOutcome.NOT_COMPUTED if now < seen_at(current.completed_at) else None


def verify(
    spec: SegmentSpec,
    resource: ResourceState | None,
    present: Container[str],
    statistics: Mapping[str, Statistics],
    now: datetime,
) -> VerificationResult:
    """Return the check of one address. `statistics` is by segment ID, where counts decide."""
    if resource is None:
        return VerificationResult(spec.address, VerificationOutcome.NOT_APPLIED)
    held = resource.current
    expected = held.confirmed.count - held.rejected
    counts = statistics.get(held.segment_id, UNKNOWN_COUNTS)
    computed_at = seen_at(held.completed_at) if held.completed_at else None
    is_live = computed_at is not None and now >= computed_at + ACTIVATION_DELAY
    outcome = before_counts(spec, resource, present, now) or _by_counts(expected, counts, final=is_live)
    is_open = outcome is VerificationOutcome.NOT_COMPUTED
    return VerificationResult(
        address=spec.address,
        outcome=outcome,
        segment_id=held.segment_id,
        sent=held.confirmed.count,
        rejected=held.rejected,
        counts=counts,
        computed_at=computed_at,
        due_at=_due_at(computed_at, now) if is_open and computed_at else None,
    )


def next_check(
    results: Iterable[VerificationResult], now: datetime, limit: RateLimit | None
) -> datetime | None:
    """Return when to check again; None if another check finds nothing before the next computation.

    A check of all open addresses uses at most half of the calls that Criteo allows until then.
    """
    waiting = [one for one in results if one.due_at and one.computed_at]
    calls = timedelta(minutes=2 * len(waiting) / (limit.limit if limit else LEAST_CALLS))
    polled = now + max(POLL_INTERVAL, calls)
    times = [_checked_at(one.computed_at, polled, now) for one in waiting if one.computed_at]
    return min((time for time in times if time), default=None)


def kept(
    result: VerificationResult, spec: SegmentSpec, endpoint: EndpointKind, now: datetime
) -> Verification | None:
    """Return what the state keeps of a check; None if the check is not final."""
    if not result.outcome.is_kept:
        return None
    return Verification(
        address=result.address,
        outcome=result.outcome,
        at=now,
        computed_at=last_computation(now),
        parts=part_digests(portable_parts(spec)),
        endpoint=endpoint,
        seat=Seat(spec.key.account_id, spec.key.retailer_id),
        sample_rows=spec.audience.source.sample_rows,
        segment_id=result.segment_id,
        sent=result.sent,
        rejected=result.rejected,
        arrived=result.counts.identifiers,
        matched=result.counts.matches,
    )


def renewed(
    earlier: Verifications, found: Iterable[Verification], addresses: Container[Address]
) -> Verifications:
    """Return the verifications to store: `found`, and earlier ones of other known addresses."""
    known = {address: one for address, one in earlier.by_address().items() if address in addresses}
    known |= {one.address: one for one in found}
    return Verifications(tuple(known[address] for address in sorted(known)))


def _by_counts(expected: int, counts: Statistics, *, final: bool) -> VerificationOutcome:
    """Return the outcome by Criteo's counts. Only a verified one is certain while Criteo may compute."""
    outcome = _counted(expected, counts)
    return outcome if final or outcome is VerificationOutcome.VERIFIED else VerificationOutcome.NOT_COMPUTED


def _counted(expected: int, counts: Statistics) -> VerificationOutcome:
    if counts.identifiers is not None and counts.identifiers < expected:
        return VerificationOutcome.TOO_FEW
    if counts.identifiers is None or counts.match_rate is None:
        return VerificationOutcome.NOT_COMPUTED
    if counts.match_rate < MIN_MATCH_RATE:
        return VerificationOutcome.BELOW_MINIMUM
    return VerificationOutcome.VERIFIED


def _due_at(computed_at: datetime, now: datetime) -> datetime:
    """Return when another check finds more: when Criteo computes, when that is live, or the next time."""
    times = (computed_at, computed_at + ACTIVATION_DELAY, next_computation(now))
    return next(time for time in times if time > now)


def _checked_at(computed_at: datetime, polled: datetime, now: datetime) -> datetime | None:
    if now < computed_at:
        return computed_at
    live = computed_at + ACTIVATION_DELAY
    return min(polled, live) if now < live else None
