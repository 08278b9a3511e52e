"""Identifiers that Criteo called invalid: which share of them fails an address, or stops its first fill."""

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
    """A segment of whose `sent` identifiers Criteo rejected so many that the share is beyond `limit`."""

    rejected: int
    sent: int
    limit: float

    @property
    def problem(self) -> str:
        """Rounded, as it is printed wherever the plan is."""
        return (
            f"Criteo rejected {_count(self.rejected)} of {_count(self.sent)} identifiers as invalid "
            f"(limit {format_limit(self.limit)}, maxInvalid)"
        )


def rejection(holding: SegmentState, limit: float) -> Rejection | None:
    """What Criteo rejected of a segment's members; None within the limit."""
    sent, rejected = _sent(holding), holding.rejected
    return Rejection(rejected, sent, limit) if rejected > limit * sent + 1e-6 else None


def rejections(
    specs: Iterable[SegmentSpec], resources: Mapping[Address, ResourceState]
) -> Iterator[tuple[SegmentSpec, Rejection]]:
    """The addresses whose segment, or the one that is to replace it, is beyond the limit of its audience."""
    for spec in specs:
        resource = resources.get(spec.address)
        if resource is None or resource.forgotten_at:
            continue
        limit = spec.audience.guards.max_invalid
        holdings = (one for one in (resource.replacement, resource.current) if one)
        if found := next((one for holding in holdings if (one := rejection(holding, limit))), None):
            yield spec, found


def holds_nobody(holding: SegmentState) -> bool:
    """Criteo rejected all who were ever sent to this segment: nobody in it can leave."""
    return 0 < _sent(holding) <= holding.rejected


def nothing_accepted(holding: SegmentState, limit: float) -> bool:
    """Criteo rejected all that was added so far, and more is to be added: it would be sent in vain."""
    return limit < 1 and remaining(holding.transfer).adds > 0 and holds_nobody(holding)


def failure(holding: SegmentState, spec: SegmentSpec) -> InvalidIdentifiersError | None:
    """Why an address is not in order although all of its calls were answered."""
    limit = spec.audience.guards.max_invalid
    remedy = REMEDY.format(file=spec.audience.place.file)
    if nothing_accepted(holding, limit):
        return InvalidIdentifiersError(_stopped(holding, limit), remedy=remedy)
    found = rejection(holding, limit)
    return InvalidIdentifiersError(found.problem, remedy=remedy) if found else None


def standstill(change: SegmentChange, resource: ResourceState | None) -> Finding | None:
    """Why an interrupted first fill doesn't resume: all that was sent of this very list was rejected."""
    transfer = change.steps.transfer
    holding = _receiving(transfer, resource) if transfer and resource else None
    limit = change.spec.audience.guards.max_invalid
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
    """Members in the segment if Criteo accepted all of them, with those of a transfer on its way."""
    moving = holding.transfer
    return holding.confirmed.count + (moving.size.adds - remaining(moving).adds if moving else 0)


def _count(number: int) -> str:
    return format_count(rounded_count(number))
