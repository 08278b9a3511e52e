"""What one run read, as values for the planner: segments, resource states, targets and member diffs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.core.errors import Finding
from reconciler.core.lists import ListChange
from reconciler.core.members import Delta, SnapshotRef, TargetMembers
from reconciler.core.model import Address
from reconciler.core.ports import StateHead
from reconciler.core.remote import RateLimit, Segment, Statistics
from reconciler.core.state.resource import ResourceState, Slot


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
