"""What one run read, as values for the planner: segments, resource states, targets and member diffs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.core.errors import Finding
from reconciler.core.lists import ListChange
from reconciler.core.members import Delta, SnapshotRef, TargetMembers
from reconciler.core.model import Address
from reconciler.core.remote import RateLimit, Segment, Statistics
from reconciler.core.reuse import ReadRecord
from reconciler.core.state.model import StateHead
from reconciler.core.state.resource import MemberSlot, ResourceState


@dataclass(frozen=True, slots=True)
class MemberDiff:
    """The members to send to the receiving segment to reach its target.

    `confirmed` and `uncertain` are the members of the segment after an unfinished transfer to another target
    was abandoned (`abandoned`). `resumes`: the unfinished transfer has this target and resumes.
    """

    confirmed: SnapshotRef
    uncertain: SnapshotRef
    priority_removes: SnapshotRef
    delta: Delta
    abandoned: bool = False
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class Departure:
    """Suppressed members (`urgent`) that one segment holds (`base`) or may hold (`maybe`).

    `base` and `maybe` apply after an unfinished transfer was abandoned. The removal waits until `not_before`.
    """

    slot: MemberSlot
    base: SnapshotRef
    maybe: SnapshotRef
    urgent: SnapshotRef
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ErasedAtAddress:
    """The erased members to remove from the segments of one address."""

    address: Address
    credential: str
    departures: tuple[Departure, ...]


class TeardownEnd(StrEnum):
    """What becomes of segments that a teardown has emptied."""

    FORGET = "forget"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ObservedState:
    """The inputs of the planner, read once. `segments` are keyed by account ID, `statistics` by segment ID.

    `statistics` are those to compare with acknowledged counts. `unread`: findings about the sources of
    addresses without a target. `lists` are the lists of each address with a target, compared with those last
    applied, and `lists_alone` those of each other address. `records` are the readings of sources that a later
    run may rely on, by audience. `reused` are the audiences whose sources were not read again, and when they
    were read. `emptyings` are the members to remove from each segment of removed addresses, `users` the
    audiences built on those that are to be deleted, both by segment ID. `resources` are as after all moves,
    of which `origins` and `conflicts` state the old addresses by new one. `superseded` are old addresses
    whose move was interrupted, with the new ones. `adopted` are the first resource states of segments that
    this plan adopts, and `not_adoptable` why it does not adopt others.
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
    lists_alone: Mapping[Address, tuple[ListChange, ...]] = field(default_factory=dict)
    records: Mapping[str, ReadRecord] = field(default_factory=dict)
    reused: Mapping[str, datetime] = field(default_factory=dict)
    emptyings: Mapping[str, MemberDiff] = field(default_factory=dict)
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origins: Mapping[Address, Address] = field(default_factory=dict)
    conflicts: Mapping[Address, Address] = field(default_factory=dict)
    superseded: Mapping[Address, Address] = field(default_factory=dict)
    adopted: Mapping[Address, ResourceState] = field(default_factory=dict)
    not_adoptable: Mapping[Address, Finding] = field(default_factory=dict)

    @property
    def lineage(self) -> str:
        """Return the lineage of the state, or "" before the first apply."""
        return self.head.lineage if self.head else ""

    @property
    def managed(self) -> Mapping[Address, ResourceState]:
        """Return the resource states that the plan is made for: of the state, and of adopted segments."""
        return {**self.resources, **self.adopted}
