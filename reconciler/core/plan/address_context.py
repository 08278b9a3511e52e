"""What the planner knows of one address, from its resource state and the segments at Criteo."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reconciler.core.adoption import Adoption
from reconciler.core.members import TargetMembers
from reconciler.core.model import Address, RepairMode, SegmentSpec
from reconciler.core.plan.observed import MemberDiff
from reconciler.core.plan.steps import CreateSegment, FinishStep, SetupStep, UpdateSegment
from reconciler.core.remote import Segment, Statistics
from reconciler.core.state.ownership_tag import Tag, with_tag
from reconciler.core.state.resource import ResourceState, SegmentState, Slot


@dataclass(frozen=True, slots=True)
class AddressContext:
    """The inputs of `plan_address`.

    `tag` is the ownership tag of the address in this state. `segments` are all listed segments, by ID.
    `unconfirmed_matches` are the segments that an unconfirmed create may have created, by slot.
    `claimed_names` are the names that other addresses take in this plan. `reserved_names` are the account and
    name of each unconfirmed create. `readable` are the listed accounts. `quiet` is `api.gracePeriod`.
    `origin` is the old address that the state still has the resource state under. `former` are the tags of
    all old addresses. `owned` are the IDs of all segments in the state.
    `adoption` is set if `resource` is the first one of a segment that this plan adopts.
    """

    spec: SegmentSpec
    environment: str
    tag: Tag
    resource: ResourceState | None
    target: TargetMembers
    comparison: MemberDiff | None
    segments: Mapping[str, Segment]
    unconfirmed_matches: Mapping[Slot, Segment]
    statistics: Mapping[str, Statistics]
    claimed_names: tuple[str, ...]
    reserved_names: frozenset[tuple[str, str]]
    readable: frozenset[str]
    now: datetime
    quiet: timedelta
    origin: Address | None = None
    former: tuple[Tag, ...] = ()
    owned: frozenset[str] = frozenset()
    adoption: Adoption | None = None
    repair: RepairMode = RepairMode.ASK

    @property
    def untracked(self) -> Iterator[Segment]:
        """Return the segments that no resource state has."""
        return (one for one in self.segments.values() if one.id not in self.owned)

    @property
    def description(self) -> str:
        """Return the desired description at Criteo, with the ownership tag."""
        return with_tag(self.spec.description, self.tag)

    @property
    def today(self) -> date:
        return self.now.date()

    def segment(self, holding: SegmentState) -> Segment | None:
        return self.segments.get(holding.segment_id)

    def names(self, account_id: str, setup: tuple[SetupStep, ...]) -> list[str]:
        """Return the names that are taken: at Criteo, reserved, claimed by this plan, or set by `setup`."""
        listed = [one.name for one in self.segments.values() if one.account_id == account_id]
        given = (name for step in setup if (name := assigned_name(step)))
        reserved = (name for account, name in self.reserved_names if account == account_id)
        return [*listed, *reserved, *self.claimed_names, self.spec.name, *given]


def receiving_segment(
    spec: SegmentSpec, resource: ResourceState | None, present: Mapping[str, Segment]
) -> tuple[Slot, SegmentState] | None:
    """Return the existing segment that receives the members of `spec`; None if one must be created first."""
    if resource is None:
        return None
    slots: tuple[tuple[Slot, SegmentState | None], ...] = (
        ("current", resource.current),
        ("replacement", resource.replacement),
    )
    for slot, holding in slots:
        if holding and resource.can_keep(holding, spec.key) and holding.segment_id in present:
            return slot, holding
    return None


def assigned_name(step: SetupStep | FinishStep) -> str | None:
    """Return the name that a step gives to a segment; None if it gives none."""
    return step.name if isinstance(step, UpdateSegment | CreateSegment) else None
