"""The written decision: every change, why, and the very steps that apply carries out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Literal, assert_never

from reconciler.core.errors import Finding
from reconciler.core.lists import ListChange
from reconciler.core.losses import MemberCounts
from reconciler.core.members import Delta, SnapshotRef, TargetMembers
from reconciler.core.model import Address, SegmentKey, SegmentSpec
from reconciler.core.plan.change_kinds import Cause, ChangeKind
from reconciler.core.plan.reasons import Reason
from reconciler.core.ports import StateHead
from reconciler.core.remote import RateLimit, Segment, Statistics
from reconciler.core.state.resource import ResourceState

Slot = Literal["current", "replacement"]


class SetupPhase(IntEnum):
    """The order of the cheap calls: names are let go, then taken, then segments created, then renamed."""

    FREE_NAMES = 0
    RENAME = 1
    CREATE = 2
    RENAME_CREATED = 3


@dataclass(frozen=True, slots=True)
class MemberDiff:
    """What it takes to bring the segment that will receive members to its target.

    `confirmed` and `uncertain` are what the segment holds once an unfinished transfer to another target
    is given up (`abandoned`); `resumes`: the unfinished transfer has this very target and continues.
    """

    confirmed: SnapshotRef
    uncertain: SnapshotRef
    priority_removes: SnapshotRef
    delta: Delta
    abandoned: bool = False
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class Departure:
    """Suppressed people (`urgent`) whom one segment holds (`base`), or may hold (`maybe`).

    `base` and `maybe` are what it holds once an unfinished transfer is given up.
    """

    slot: Slot
    base: SnapshotRef
    maybe: SnapshotRef
    urgent: SnapshotRef


@dataclass(frozen=True, slots=True)
class ObservedState:
    """The world as it was read once, for the planner. `segments` is keyed by account id.

    `statistics` is keyed by segment id and holds those that are compared with what was acknowledged.
    `unread`: what is wrong with the sources of addresses that have no target because of it.
    `lists` are the exclusion lists of each address, compared with those last applied.
    """

    head: StateHead | None
    resources: Mapping[Address, ResourceState]
    segments: Mapping[str, tuple[Segment, ...]]
    targets: Mapping[Address, TargetMembers]
    comparisons: Mapping[Address, MemberDiff]
    statistics: Mapping[str, Statistics]
    rates: Mapping[str, RateLimit]
    now: datetime
    unread: Mapping[Address, tuple[Finding, ...]] = field(default_factory=dict)
    departures: Mapping[Address, tuple[Departure, ...]] = field(default_factory=dict)
    lists: Mapping[Address, tuple[ListChange, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreateSegment:
    """Write the intent down, then create. Apply adds the ownership tag to the description."""

    slot: Slot
    key: SegmentKey
    name: str
    description: str
    turn: SetupPhase = SetupPhase.CREATE


@dataclass(frozen=True, slots=True)
class ConfirmCreate:
    """Note that an unanswered create did happen; no call."""

    slot: Slot
    segment_id: str


@dataclass(frozen=True, slots=True)
class UpdateSegment:
    """Change the name or the description at Criteo; None leaves it alone.

    Not before an earlier, unanswered call that could undo it can no longer land. Apply adds the ownership
    tag to the description.
    """

    slot: Slot
    account_id: str
    name: str | None = None
    description: str | None = None
    turn: SetupPhase = SetupPhase.RENAME
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class DiscardReplacement:
    """Give up an unfinished replacement in the state. No call. `old_segment_remains`: Criteo still has it."""

    old_segment_remains: bool


@dataclass(frozen=True, slots=True)
class PromoteReplacement:
    """Record that the replacement is now the segment. No call. `old_segment_remains`: Criteo still has it."""

    old_segment_remains: bool


@dataclass(frozen=True, slots=True)
class SendMembers:
    """Bring one segment to its target, batch by batch, not before `not_before`."""

    slot: Slot
    target: SnapshotRef
    comparison: MemberDiff
    not_before: datetime | None = None


SetupStep = CreateSegment | ConfirmCreate | UpdateSegment | DiscardReplacement
FinishStep = UpdateSegment | PromoteReplacement


@dataclass(frozen=True, slots=True)
class Steps:
    """What apply does for one address: cheap calls first, then members, then the closing calls."""

    setup: tuple[SetupStep, ...] = ()
    transfer: SendMembers | None = None
    finalize: tuple[FinishStep, ...] = ()


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
class Blocked:
    """An address that the plan leaves as it is, and why."""

    address: Address
    finding: Finding
    cause: Cause


@dataclass(frozen=True, slots=True)
class Removal:
    """Suppressed people leave the segments of an address, whatever else blocks it."""

    spec: SegmentSpec
    departures: tuple[Departure, ...]

    @property
    def count(self) -> int:
        return sum(one.urgent.count for one in self.departures)


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What applying takes: calls by credential, the time that pacing and waits allow, and when it shows.

    `waits_until`: some of it may not be sent before, since unconfirmed requests may still take effect.
    """

    calls: Mapping[str, int]
    rates: Mapping[str, RateLimit]
    duration: timedelta
    computed_at: datetime
    live_at: datetime
    waits_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What the plan was derived from."""

    environment: str
    today: date
    made_at: datetime
    lineage: str
    serial: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One environment's decision. `problems` stand against all of it, `blocked` against single addresses.

    `changes` can be applied without the blocked addresses. `blocked_outcomes` is what these would become.
    `relaxed_guards`: what only the audience's own guards let pass.
    `redefined`: which parts of a definition changed since it was applied.
    `deferred`: so many addresses change and are not part of it, as the notes say.
    `lists` are the exclusion lists of each address. `givers`: from which addresses an address takes a name.
    `suppressed`: who leaves an address if it is blocked, where that is safe.
    """

    basis: PlanInputs
    changes: tuple[Change, ...]
    unchanged: tuple[Unchanged, ...]
    blocked: tuple[Blocked, ...]
    cost: CostEstimate
    notes: tuple[str, ...] = field(default=())
    deferred: int = 0
    problems: tuple[Finding, ...] = ()
    blocked_outcomes: tuple[PlannedOutcome, ...] = ()
    relaxed_guards: Mapping[Address, tuple[str, ...]] = field(default_factory=dict)
    redefined: Mapping[Address, tuple[PartChange, ...]] = field(default_factory=dict)
    lists: Mapping[Address, tuple[ListChange, ...]] = field(default_factory=dict)
    givers: Mapping[Address, frozenset[Address]] = field(default_factory=dict)
    suppressed: Mapping[Address, Removal] = field(default_factory=dict)

    @property
    def removals(self) -> tuple[Removal, ...]:
        """What is done at blocked addresses all the same."""
        blocked = sorted({one.address for one in self.blocked})
        return tuple(self.suppressed[address] for address in blocked if address in self.suppressed)

    @property
    def all_blocked(self) -> bool:
        """No address is healthy."""
        return bool(self.blocked) and not (self.changes or self.unchanged or self.deferred)

    @property
    def refused(self) -> bool:
        """Nothing of it may be applied, the removal of suppressed people apart."""
        return bool(self.problems) or self.all_blocked


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
