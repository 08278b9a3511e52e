"""What a plan does with one address: one class for each kind of change, with its steps and its reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from reconciler.core.members import Delta, TargetMembers
from reconciler.core.model import Address, SegmentKey, SegmentSpec
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.losses import MemberCounts
from reconciler.core.plan.observed import Departure
from reconciler.core.plan.reasons import Reason
from reconciler.core.plan.steps import MoveState, SendMembers, Steps
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag, with_tag
from reconciler.core.state.resource import RetiredSlot


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """One attribute of a segment, at Criteo and as desired.

    `drifted`: it had the desired value after the last apply.
    """

    name: str
    before: str
    after: str
    drifted: bool = False


@dataclass(frozen=True, slots=True)
class PartChange:
    """One part of a definition, as last applied and now; "" if it is not set."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class MemberChange:
    """How the members of one segment change. `before` is the confirmed count, None if unknown.

    `done` members were sent by an interrupted run. The change waits until `not_before`.
    """

    before: int | None
    target: TargetMembers
    delta: Delta
    done: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """Create and fill a segment."""

    spec: SegmentSpec
    members: MemberChange
    steps: Steps
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Adopt:
    """Manage a segment that exists: a forgotten one again, or one that another tool created."""

    spec: SegmentSpec
    attributes: tuple[AttributeChange, ...]
    members: MemberChange
    steps: Steps
    reason: Reason


@dataclass(frozen=True, slots=True)
class Update:
    """Change attributes or members of a segment in place."""

    spec: SegmentSpec
    attributes: tuple[AttributeChange, ...]
    members: MemberChange
    steps: Steps
    reason: Reason | None = None

    @property
    def is_move(self) -> bool:
        """Return whether the address gets the segment of its old address."""
        return any(isinstance(step, MoveState) for step in self.steps.setup)


@dataclass(frozen=True, slots=True)
class Replace:
    """Fill a new segment and give it the name of the old one. Nothing is deleted."""

    spec: SegmentSpec
    attributes: tuple[AttributeChange, ...]
    members: MemberChange
    steps: Steps
    reason: Reason


@dataclass(frozen=True, slots=True)
class Refill:
    """Send all members again: Criteo counts fewer identifiers than it acknowledged."""

    spec: SegmentSpec
    attributes: tuple[AttributeChange, ...]
    members: MemberChange
    steps: Steps
    counts: MemberCounts


@dataclass(frozen=True, slots=True)
class Forget:
    """Stop managing a segment whose audience was removed from the manifests. It stays at Criteo.

    `count` is the confirmed count, None if unknown. `drop_state`: nothing of it is left at Criteo, so its
    resource state is deleted too.
    """

    address: Address
    count: int | None
    drop_state: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class Emptying:
    """The removal of all known members from the segments of one address.

    `title` is the name of its segment at Criteo, `key` its key. `count` is the confirmed count of all its
    segments, None if unknown. `removes` are to be sent by the `transfers`; an interrupted run sent `done`.
    """

    title: str
    key: SegmentKey
    credential: str
    count: int | None
    removes: int
    done: int
    transfers: tuple[SendMembers, ...]

    @property
    def not_before(self) -> datetime | None:
        """Return the time until which the last transfer waits; None if none waits."""
        return max((one.not_before for one in self.transfers if one.not_before), default=None)


@dataclass(frozen=True, slots=True)
class Empty:
    """Remove all known members from the segments of an address, and forget it. The segments stay."""

    address: Address
    emptying: Emptying
    segment_ids: tuple[str, ...]
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove all known members from the segments of an address, and delete the segments."""

    address: Address
    emptying: Emptying
    segment_ids: tuple[str, ...]
    reason: Reason | None = None


SegmentChange = Create | Adopt | Update | Replace | Refill
Teardown = Empty | Delete
Ending = Forget | Teardown
"""Afterwards, the address is not managed any more. What it should be is in no manifest."""
Change = SegmentChange | Ending


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An address that needs no change."""

    spec: SegmentSpec
    target: TargetMembers


@dataclass(frozen=True, slots=True)
class Undecided:
    """An address that cannot be decided yet."""

    spec: SegmentSpec


PlannedOutcome = Change | Unchanged | Undecided
"""The outcome of an address if nothing blocked or paused it."""


@dataclass(frozen=True, slots=True)
class Removal:
    """The removal of suppressed members, and nothing else, from segments of one address."""

    spec: SegmentSpec
    departures: tuple[Departure, ...]

    def beside(self, change: "SegmentChange | Teardown") -> "Removal":
        """Return the part of it that concerns segments that the change leaves alone.

        It leaves retired segments alone and, if it fills a replacement, the replaced one. A teardown leaves
        none alone.
        """
        if isinstance(change, Empty | Delete):
            return Removal(self.spec, ())
        replaced = "current" if isinstance(change, Replace) else None
        left = (one for one in self.departures if isinstance(one.slot, RetiredSlot) or one.slot == replaced)
        return Removal(self.spec, tuple(left))

    @property
    def count(self) -> int:
        return sum(one.urgent.count for one in self.departures)


def address_of(change: PlannedOutcome) -> Address:
    """Return the address of a change."""
    return change.address if isinstance(change, Ending) else change.spec.address


def kind_of(change: Change) -> ChangeKind:
    """Return the kind of a change."""
    match change:
        case Create():
            return ChangeKind.CREATE
        case Adopt():
            return ChangeKind.ADOPT
        case Update():
            return ChangeKind.MOVE if change.is_move else ChangeKind.UPDATE
        case Replace():
            return ChangeKind.REPLACE
        case Refill():
            return ChangeKind.REFILL
        case Forget():
            return ChangeKind.FORGET
        case Empty():
            return ChangeKind.EMPTY
        case Delete():
            return ChangeKind.DELETE
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


def beyond_tag(attributes: tuple[AttributeChange, ...], spec: SegmentSpec) -> tuple[AttributeChange, ...]:
    """Return the changes without a description that only gets the ownership tag."""
    only_tag = ("description", spec.description.strip())
    return tuple(one for one in attributes if (one.name, one.before.strip()) != only_tag)
