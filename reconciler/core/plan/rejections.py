"""Identifiers that Criteo called invalid: the share that fails an address, or stops its first fill."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.errors import Finding, InvalidIdentifiersError
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.plan.steps import SendMembers
from reconciler.core.rounding import format_count, format_limit, rounded_count
from reconciler.core.state.resource import ResourceState, SegmentState, remaining

REMEDY = (
    "check which column holds these identifiers and how they are hashed: a corrected list is sent as usual; "
    "if the share is acceptable, set a larger maxInvalid under `guards` in {file}"
)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A segment with more rejected identifiers than `limit` allows, as a share of those `sent`."""

    rejected: int
    sent: int
    limit: float

    @property
    def problem(self) -> str:
        """Return the problem with rounded counts."""
        return (
            f"Criteo rejected {_count(self.rejected)} of {_count(self.sent)} identifiers as invalid "
            f"(limit {format_limit(self.limit)}, maxInvalid)"
        )


def rejection(holding: SegmentState, limit: float) -> Rejection | None:
    """Return what Criteo rejected of a segment's members; None within the limit."""
    sent, rejected = _sent(holding), holding.rejected
    return Rejection(rejected, sent, limit) if rejected > limit * sent + 1e-6 else None


def rejections(
    specs: Iterable[SegmentSpec], resources: Mapping[Address, ResourceState]
) -> Iterator[tuple[SegmentSpec, Rejection]]:
    """Yield the addresses whose segment or replacement has more rejected identifiers than allowed."""
    for spec in specs:
        resource = resources.get(spec.address)
        if resource is None or resource.forgotten_at:
            continue
        limit = spec.guards.max_invalid
        holdings = (one for one in (resource.replacement, resource.current) if one)
        if found := next((one for holding in holdings if (one := rejection(holding, limit))), None):
            yield spec, found


def holds_nobody(holding: SegmentState) -> bool:
    """Return whether Criteo rejected every identifier that was sent to this segment."""
    return 0 < _sent(holding) <= holding.rejected


def nothing_accepted(holding: SegmentState, limit: float) -> bool:
    """Return whether Criteo rejected all additions so far, although more are to be sent."""
    return limit < 1 and remaining(holding.transfer).adds > 0 and holds_nobody(holding)


def failure(holding: SegmentState, spec: SegmentSpec) -> InvalidIdentifiersError | None:
    """Return the error of an address with too many rejected identifiers, if it has."""
    limit = spec.guards.max_invalid
    remedy = REMEDY.format(file=spec.audience.place.file)
    if nothing_accepted(holding, limit):
        return InvalidIdentifiersError(_stopped(holding, limit), remedy=remedy)
    found = rejection(holding, limit)
    return InvalidIdentifiersError(found.problem, remedy=remedy) if found else None


def standstill(change: SegmentChange, resource: ResourceState | None) -> Finding | None:
    """Return why an interrupted first fill does not resume: Criteo rejected every identifier of the list."""
    transfer = change.steps.transfer
    holding = _receiving(transfer, resource) if transfer and resource else None
    limit = change.spec.guards.max_invalid
    if holding is None or not (transfer and transfer.comparison.resumes and nothing_accepted(holding, limit)):
        return None
    remedy = REMEDY.format(file=change.spec.audience.place.file)
    return Finding(str(change.spec.address), _stopped(holding, limit), remedy)


def _receiving(transfer: SendMembers, resource: ResourceState) -> SegmentState | None:
    return resource.current if transfer.slot == "current" else resource.replacement


def _stopped(holding: SegmentState, limit: float) -> str:
    left = remaining(holding.transfer).adds
    return (
        f"Criteo rejected all {_count(holding.rejected)} identifiers that were sent "
        f"(limit {format_limit(limit)}, maxInvalid); the other {_count(left)} were not sent"
    )


def _sent(holding: SegmentState) -> int:
    """Return the number of identifiers sent to the segment, with those of an unfinished transfer."""
    moving = holding.transfer
    return holding.confirmed.count + (moving.size.adds - remaining(moving).adds if moving else 0)


def _count(number: int) -> str:
    return format_count(rounded_count(number))
