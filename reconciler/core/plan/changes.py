"""What a plan does with one address: one class for each kind of change, with its steps and its reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from reconciler.core.losses import MemberCounts
from reconciler.core.members import Delta, TargetMembers
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.observed import Departure
from reconciler.core.plan.reasons import Reason
from reconciler.core.plan.steps import Steps
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag, with_tag


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """One attribute of a segment, as it is at Criteo and as it should be.

    `drifted`: it was as it should be when we left it.
    """

    name: str
    before: str
    after: str
    drifted: bool = False


@dataclass(frozen=True, slots=True)
class PartChange:
    """One part of a definition, as it was last applied and as it is now; "" where it is not set."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class MemberChange:
    """How the members of one segment change; `before` is what it surely holds now, None for unknown."""

    before: int | None
    target: TargetMembers
    delta: Delta
    done: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """A segment that isn't there is created and filled."""

    spec: SegmentSpec
    members: MemberChange
    steps: Steps
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Adopt:
    """A segment that had been forgotten is managed again."""

    spec: SegmentSpec
    attributes: tuple[AttributeChange, ...]
    members: MemberChange
    steps: Steps
    reason: Reason


@dataclass(frozen=True, slots=True)
class Update:
    """Attributes or members of a segment change in place."""

    spec: SegmentSpec
    attributes: tuple[AttributeChange, ...]
    members: MemberChange
    steps: Steps
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Replace:
    """A new segment is filled beside the old one and takes its name; nothing is deleted."""

    spec: SegmentSpec
    attributes: tuple[AttributeChange, ...]
    members: MemberChange
    steps: Steps
    reason: Reason


@dataclass(frozen=True, slots=True)
class Refill:
    """Criteo counts fewer identifiers than it acknowledged: all members are sent to the segment again."""

    spec: SegmentSpec
    attributes: tuple[AttributeChange, ...]
    members: MemberChange
    steps: Steps
    counts: MemberCounts


@dataclass(frozen=True, slots=True)
class Forget:
    """The audience left the manifests: the segment stays at Criteo and is no longer managed.

    `count` is what it surely holds, None for unknown. `drop_state`: nothing of it is left at Criteo, so its
    resource state goes too.
    """

    address: Address
    count: int | None
    drop_state: bool
    reason: Reason


SegmentChange = Create | Adopt | Update | Replace | Refill
Change = SegmentChange | Forget


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An address that is as it should be."""

    spec: SegmentSpec
    target: TargetMembers


@dataclass(frozen=True, slots=True)
class Undecided:
    """An address of which nothing can be decided yet."""

    spec: SegmentSpec


PlannedOutcome = Change | Unchanged | Undecided
"""What would become of an address if nothing stood against it."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Suppressed people leave the segments of an address, whatever else blocks it."""

    spec: SegmentSpec
    departures: tuple[Departure, ...]

    @property
    def count(self) -> int:
        return sum(one.urgent.count for one in self.departures)


def address_of(change: PlannedOutcome) -> Address:
    """The address a change is about."""
    return change.address if isinstance(change, Forget) else change.spec.address


def kind_of(change: Change) -> ChangeKind:
    """What happens to its address."""
    match change:
        case Create():
            return ChangeKind.CREATE
        case Adopt():
            return ChangeKind.ADOPT
        case Update():
            return ChangeKind.UPDATE
        case Replace():
            return ChangeKind.REPLACE
        case Refill():
            return ChangeKind.REFILL
        case Forget():
            return ChangeKind.FORGET
        case _:
            assert_never(change)


def attribute_changes(segment: Segment, spec: SegmentSpec, tag: Tag) -> tuple[AttributeChange, ...]:
    """Return the changes of name and description, compared exactly. The description includes its tag."""
    before = {"name": segment.name, "description": segment.description}
    after = {"name": spec.name, "description": with_tag(spec.description, tag)}
    if before == after:
        return ()
    # Its import alone takes a third of a second: only where values differ.
    from deepdiff import DeepDiff

    changed = DeepDiff(before, after, view="tree").get("values_changed", ())
    return tuple(
        AttributeChange(str(level.path(output_format="list")[0]), level.t1, level.t2)
        for level in sorted(changed, key=lambda level: level.path())
    )
