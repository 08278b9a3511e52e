"""What a plan, a run or drift states, as values. `statement_text` writes their sentences.

The name of each class is its `code` in JSON, and its fields are the parameters. A class that has only a
`text` carries a sentence of the planner.
"""

from dataclasses import dataclass
from datetime import datetime

from reconciler.core.members import DropReason
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.drift import NotComparable, OutsideChange
from reconciler.core.plan.reasons import Reason
from reconciler.core.rounding import RoundedCount


@dataclass(frozen=True, slots=True)
class RelaxedGuard:
    """A change that only the audience's own guards allow."""

    text: str


@dataclass(frozen=True, slots=True)
class Blocker:
    """What blocks an address."""

    cause: Cause
    text: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """How to fix what was stated before."""

    text: str


@dataclass(frozen=True, slots=True)
class SuppressedRemoved:
    """These members are removed although the address is blocked or paused."""

    members: RoundedCount


@dataclass(frozen=True, slots=True)
class SuppressedFirst:
    """So many of the removed members are suppressed: they are removed first."""

    members: RoundedCount


@dataclass(frozen=True, slots=True)
class SegmentsDeleted:
    """So many segments of an address are deleted, once their members are removed."""

    segments: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """An interrupted transfer resumes. `done` of `total` identifiers are acknowledged already."""

    done: RoundedCount
    total: RoundedCount
    batches_left: int


@dataclass(frozen=True, slots=True)
class WaitsUntil:
    """An unconfirmed request may take effect until then; nothing is sent before."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Drop:
    """So many rows, or their identifiers, are not members for this reason."""

    reason: DropReason
    rows: RoundedCount


@dataclass(frozen=True, slots=True)
class Dropped:
    """Why there are fewer members than rows."""

    rows: RoundedCount
    drops: tuple[Drop, ...]


@dataclass(frozen=True, slots=True)
class RevertsChange:
    """These attributes changed outside reconciler, and the plan reverts them."""

    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RenamedTemporarily:
    """The segment gets this name for the time in which another address takes its old name."""

    name: str


@dataclass(frozen=True, slots=True)
class RenamedAfterCreate:
    """The segment is created under the name of an earlier request, then renamed."""


@dataclass(frozen=True, slots=True)
class MovedFrom:
    """The address gets the segment, the members and the state of its old address."""

    address: str


@dataclass(frozen=True, slots=True)
class LooksRenamed:
    """The new address has the source, the columns and the key of this forgotten one."""

    address: str


@dataclass(frozen=True, slots=True)
class ReplacementDiscarded:
    """An unfinished replacement is given up. `segment_remains`: its segment stays at Criteo."""

    segment_remains: bool


@dataclass(frozen=True, slots=True)
class ReplacementRenamed:
    """The segment of a replacement that is given up gets this name."""

    name: str


@dataclass(frozen=True, slots=True)
class OldSegmentKept:
    """The replaced segment stays at Criteo under this name."""

    name: str


@dataclass(frozen=True, slots=True)
class OldSegmentMissing:
    """The replaced segment is missing at Criteo."""


@dataclass(frozen=True, slots=True)
class MembersLost:
    """Criteo counts fewer identifiers than it acknowledged: all are sent again."""

    counted: RoundedCount
    acknowledged: RoundedCount


@dataclass(frozen=True, slots=True)
class SegmentUntracked:
    """A segment has the ownership tag of this address, and is not in the state."""

    segment_id: str


@dataclass(frozen=True, slots=True)
class AttributesChanged:
    """What others did to the name and the description of this address."""

    changes: tuple[OutsideChange, ...]


@dataclass(frozen=True, slots=True)
class CountsDiffer:
    """Criteo counts another number of identifiers than it acknowledged.

    `change` is what others did; None if the counts do not show it.
    """

    acknowledged: RoundedCount
    counted: RoundedCount
    change: OutsideChange | None = None


@dataclass(frozen=True, slots=True)
class TouchedOutside:
    """Another actor changed the segment after reconciler did."""

    at: datetime


Statement = (
    Reason
    | RelaxedGuard
    | Blocker
    | Remedy
    | SuppressedRemoved
    | SuppressedFirst
    | SegmentsDeleted
    | Resumed
    | WaitsUntil
    | Dropped
    | RevertsChange
    | RenamedTemporarily
    | RenamedAfterCreate
    | MovedFrom
    | LooksRenamed
    | ReplacementDiscarded
    | ReplacementRenamed
    | OldSegmentKept
    | OldSegmentMissing
    | MembersLost
    | SegmentUntracked
    | AttributesChanged
    | CountsDiffer
    | TouchedOutside
)
"""Of one address."""


@dataclass(frozen=True, slots=True)
class Sample:
    """At most so many rows of each audience are sent."""

    rows: int


@dataclass(frozen=True, slots=True)
class Remark:
    """Anything else that a reader of the plan has to know."""

    text: str


@dataclass(frozen=True, slots=True)
class IdentifiersRejected:
    """Criteo rejected too many identifiers of an address."""

    address: str
    text: str


@dataclass(frozen=True, slots=True)
class MembersNotCompared:
    """The members of so many addresses can't be compared now; `again_after`: when they can."""

    reason: NotComparable
    addresses: int
    again_after: datetime | None


@dataclass(frozen=True, slots=True)
class MembersLeftBehind:
    """Forgotten addresses of a test environment, and how many members their segments at Criteo still have."""

    addresses: tuple[str, ...]
    members: RoundedCount
    environment: str


@dataclass(frozen=True, slots=True)
class SegmentsLeftBehind:
    """Segments with the prefix or the tag of a test environment that its state doesn't know."""

    segment_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddressesNotListed:
    """So many addresses were skipped, as their account can't be listed."""

    addresses: int


@dataclass(frozen=True, slots=True)
class AddressesPaused:
    """So many of the addresses with drift are paused: no apply reverts it."""

    addresses: int


@dataclass(frozen=True, slots=True)
class AccessMayBeLost:
    """More segments than `guards.maxMissing` allows are missing at once."""


@dataclass(frozen=True, slots=True)
class SourcesUnchanged:
    """The sources of so many audiences are unchanged `since` then, and were not read again."""

    audiences: int
    since: datetime


@dataclass(frozen=True, slots=True)
class BeforeDeadline:
    """So many of the changes are complete before this computation; these addresses are not."""

    computed_at: datetime
    complete: int
    changes: int
    late: tuple[str, ...]


Note = (
    Sample
    | Remark
    | IdentifiersRejected
    | MembersNotCompared
    | AddressesNotListed
    | AddressesPaused
    | MembersLeftBehind
    | SegmentsLeftBehind
    | AccessMayBeLost
    | SourcesUnchanged
    | BeforeDeadline
)
"""Of a whole document."""
