"""The resource state of one address: the members that Criteo holds, and how each event changes it. No I/O.

Criteo accepts members and never lists them, so this record is the only one. The caller writes each result
to disk before it continues.

    start_transfer ─► record_dispatch ─► acknowledge ─┬─► record_dispatch ─► …
                            │                         └─► complete_transfer   confirmed = target
                            ├─► record_no_response    the batch may take effect until grace_until
                            └─► (a kill)              the next run: resume_transfer, and the batch again

    abandon_transfer: the target changed; the batch in flight becomes uncertain

Example: a and b are confirmed, b and c are the target, and a batch holds one identifier. Position 1 adds c,
position 2 removes a. A kill after the dispatch of 1 leaves `in_flight.end` 1 and `acknowledged` 0: Criteo
may hold c. The next run sends batch 1 again, then batch 2. After that, b and c are confirmed.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from reconciler.core.members import EMPTY_SNAPSHOT, NO_DELTA, AppliedList, Batch, Delta, SnapshotRef
from reconciler.core.model import Address, SegmentKey
from reconciler.core.remote import Acknowledgement

Slot = Literal["current", "replacement"]
"""The two segments of a resource state that can receive members."""


@dataclass(frozen=True, slots=True)
class RetiredSlot:
    """A replaced segment of a resource state, by its ID. It can only lose members."""

    segment_id: str


MemberSlot = Slot | RetiredSlot

CLOCK_SKEW = timedelta(minutes=2)
PROMPT = timedelta(seconds=1)
"""A request sent within this time of its record keeps the recorded time."""


@dataclass(frozen=True, slots=True)
class CreateIntent:
    """A create, recorded before it is sent. If its response is lost, its segment can be found by name.

    `sent_at`: when it was sent, or recorded if that is not known.
    """

    name: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class InFlightBatch:
    """A batch that was sent, without a recorded response: positions up to `end`."""

    end: int
    dispatched_at: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """An unfinished change of members to `target`. Criteo acknowledged the positions up to `acknowledged`.

    Positions count in the deterministic order: excluded members out, additions in, other members out. `size`
    is the length of each phase. The batch size may change between runs, so positions count members.
    `batch_size`: of its last batch, if Criteo refused larger batches; None before.
    """

    target: SnapshotRef
    priority_removes: SnapshotRef
    size: Delta
    acknowledged: int = 0
    in_flight: InFlightBatch | None = None
    batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class UnconfirmedUpdate:
    """An update of name or description without a response yet. None: the update leaves this field alone."""

    name: str | None
    description: str | None
    sent_at: datetime

    def contradicts(self, name: str | None, description: str | None) -> bool:
        """Return whether this update would undo these values if it took effect after them."""
        pairs = ((self.name, name), (self.description, description))
        return any(mine is not None and other is not None and mine != other for mine, other in pairs)


@dataclass(frozen=True, slots=True)
class SegmentState:
    """One segment: Criteo holds `confirmed`, and may hold `uncertain`. The two sets never overlap.

    `segment_id` is "" until Criteo responds to the create. `completed_size` is the size of the last completed
    transfer, None before the first. `rejected` is the least number of `confirmed` identifiers that Criteo
    called invalid; removals from `uncertain` lower it too. An unconfirmed member request may take effect
    until `grace_until`. `unconfirmed_updates` are unconfirmed changes of the name or the description.
    `members_unknown_before` is when the state was lost: unknown members from before may remain.
    `updated_at` is when the last confirmed update of the name or the description was sent.
    `former_lineage` is the lineage of the ownership tag that a rebuild found on the segment.
    """

    key: SegmentKey
    segment_id: str = ""
    intent: CreateIntent | None = None
    confirmed: SnapshotRef = EMPTY_SNAPSHOT
    uncertain: SnapshotRef = EMPTY_SNAPSHOT
    transfer: Transfer | None = None
    rejected: int = 0
    completed_size: int | None = None
    completed_at: datetime | None = None
    grace_until: datetime | None = None
    unconfirmed_updates: tuple[UnconfirmedUpdate, ...] = ()
    members_unknown_before: datetime | None = None
    updated_at: datetime | None = None
    former_lineage: str = ""

    @property
    def size(self) -> int | None:
        """Return the number of confirmed members;

        None if the state was lost and no transfer completed since.
        """
        known = self.members_unknown_before is None or self.completed_size is not None
        return self.confirmed.count if known else None

    @property
    def is_being_emptied(self) -> bool:
        """Return whether a run began to remove all members and was interrupted."""
        return self.transfer is not None and not self.transfer.target

    @property
    def is_empty(self) -> bool:
        """Return whether Criteo holds no known member of this segment, and no batch is under way."""
        moving = self.transfer is not None and (self.transfer.acknowledged or self.transfer.in_flight)
        return not (self.confirmed or self.uncertain or moving)

    @property
    def last_changed_at(self) -> datetime | None:
        """Return the time of the last confirmed change by reconciler."""
        return max((time for time in (self.completed_at, self.updated_at) if time), default=None)


@dataclass(frozen=True, slots=True)
class RetiredSegment:
    """A segment that was replaced and remains at Criteo under another name, with its members."""

    segment: SegmentState
    retired_at: datetime


@dataclass(frozen=True, slots=True)
class ResourceState:
    """The record of one address. A Replace fills `replacement` beside `current`.

    `definition` is the digest of the definition last applied in full, `parts` its parts
    (`core/definition.py`). `forgotten_at` is set when the manifests no longer contain the audience. Its
    members stay recorded, so that they can still be removed. `replace_requested`: the next apply replaces a
    segment that may hold unknown members. `lists` are the exclusion lists that members were last sent under.
    `protected`: the definition last applied protects its segments, also after it left the manifests.
    `moved_from` are its old addresses, the oldest first: segments may still have their ownership tags.
    `admin_approved`: an admin approved the definition last applied.
    """

    address: Address
    current: SegmentState
    replacement: SegmentState | None = None
    retired: tuple[RetiredSegment, ...] = ()
    definition: str = ""
    parts: tuple[tuple[str, str], ...] = ()
    forgotten_at: datetime | None = None
    replace_requested: bool = False
    lists: tuple[AppliedList, ...] = ()
    protected: bool = False
    moved_from: tuple[Address, ...] = ()
    admin_approved: bool = False

    def can_keep(self, segment: SegmentState, key: SegmentKey) -> bool:
        """Return whether the address can keep this segment. If not, the segment is replaced."""
        return segment.key == key and not (self.replace_requested and segment.members_unknown_before)

    @property
    def members_unknown_before(self) -> datetime | None:
        """Return the time before which unknown members may have been sent, unless a replace is requested."""
        return None if self.replace_requested else self.current.members_unknown_before

    @property
    def slots(self) -> tuple[tuple[MemberSlot, SegmentState], ...]:
        """Return all segments of this resource state with their slots, the current one first."""
        retired = ((RetiredSlot(one.segment.segment_id), one.segment) for one in self.retired)
        replacement = (("replacement", self.replacement),) if self.replacement else ()
        return (("current", self.current), *replacement, *retired)

    @property
    def segments(self) -> tuple[SegmentState, ...]:
        """Return all segments of this resource state, the current one first."""
        return tuple(one for _, one in self.slots)

    def holding(self, slot: MemberSlot) -> SegmentState | None:
        """Return the segment of a slot, if there is one."""
        return dict(self.slots).get(slot)

    def with_holding(self, slot: MemberSlot, segment: SegmentState) -> "ResourceState":
        """Return the resource state with another segment state in a slot."""
        if isinstance(slot, RetiredSlot):
            retired = tuple(
                replace(one, segment=segment) if one.segment.segment_id == slot.segment_id else one
                for one in self.retired
            )
            return replace(self, retired=retired)
        return replace(self, current=segment) if slot == "current" else replace(self, replacement=segment)

    @property
    def references(self) -> frozenset[SnapshotRef]:
        """Return the snapshots that the state must store."""
        held = (ref for holding in self.segments for ref in _snapshots(holding))
        listed = (ref for one in self.lists for ref in one.references)
        return frozenset(ref for ref in (*held, *listed) if ref)

    @property
    def snapshots(self) -> frozenset[str]:
        """Return the digests of `references`."""
        return frozenset(ref.digest for ref in self.references)


def _snapshots(segment: SegmentState) -> tuple[SnapshotRef, ...]:
    moving = segment.transfer
    return (
        segment.confirmed,
        segment.uncertain,
        *((moving.target, moving.priority_removes) if moving else ()),
    )


def is_late(recorded_at: datetime, now: datetime) -> bool:
    """Return whether a request sent now needs a new record: its grace period starts when it is sent."""
    return now - recorded_at >= PROMPT


def record_no_response(segment: SegmentState, now: datetime, quiet: timedelta) -> SegmentState:
    """Return the segment state after a request without a response: its grace period (`quiet`) starts now."""
    until = max(now + quiet, segment.grace_until or now)
    return replace(segment, grace_until=until)


def grace_ends_at(segment: SegmentState, quiet: timedelta) -> datetime | None:
    """Return the time until which no conflicting request may be sent; None if none is unconfirmed."""
    in_flight = segment.transfer.in_flight if segment.transfer else None
    times = [segment.grace_until, in_flight.dispatched_at + quiet if in_flight else None]
    return max((time for time in times if time), default=None)


def start_transfer(
    segment: SegmentState, target: SnapshotRef, priority_removes: SnapshotRef, size: Delta
) -> SegmentState:
    """Return the segment state before the first batch. An old transfer must be completed or abandoned."""
    return replace(segment, transfer=Transfer(target=target, priority_removes=priority_removes, size=size))


def resume_transfer(segment: SegmentState, quiet: timedelta) -> SegmentState:
    """Return the segment state before an unfinished transfer resumes.

    Its batch in flight is sent again, so both attempts may take effect.
    """
    return replace(segment, grace_until=grace_ends_at(segment, quiet))


def record_dispatch(
    segment: SegmentState, batch: Batch, now: datetime, batch_size: int | None = None
) -> SegmentState:
    """Return the segment state before an attempt of a batch. An earlier, larger batch stays in flight.

    `batch_size`: if Criteo refused larger batches in this run.
    """
    moving = _moving(segment)
    doubt = max(batch.end, moving.in_flight.end if moving.in_flight else 0)
    flying = InFlightBatch(end=doubt, dispatched_at=now)
    return replace(segment, transfer=replace(moving, in_flight=flying, batch_size=batch_size))


def acknowledge(
    segment: SegmentState, batch: Batch, answer: Acknowledgement, now: datetime, quiet: timedelta
) -> SegmentState:
    """Return the segment state after Criteo acknowledged a batch.

    It is written together with the next dispatch, or alone if the run stops.
    """
    moving = _moving(segment)
    doubt = moving.in_flight if moving.in_flight and moving.in_flight.end > batch.end else None
    # Without confirmed members, all removals are of uncertain members, which `rejected` does not count.
    change = answer.invalid if batch.operation == "add" else -answer.invalid if segment.confirmed else 0
    done = replace(
        segment,
        transfer=replace(moving, acknowledged=batch.end, in_flight=doubt),
        rejected=max(0, segment.rejected + change),
    )
    return record_no_response(done, now, quiet) if answer.earlier_unconfirmed else done


def complete_transfer(segment: SegmentState, now: datetime) -> SegmentState:
    """Return the segment state after the last acknowledgement: the target is confirmed."""
    target = _moving(segment).target
    return replace(
        segment,
        confirmed=target,
        uncertain=EMPTY_SNAPSHOT,
        transfer=None,
        completed_size=target.count,
        completed_at=now,
        rejected=min(segment.rejected, target.count),
    )


def abandon_transfer(segment: SegmentState, confirmed: SnapshotRef, uncertain: SnapshotRef) -> SegmentState:
    """Return the segment state without its unfinished transfer. None of its requests may still take effect.

    `confirmed` and `uncertain` come from the engine's `abandon_transfer`. Each member whose removal is in
    flight may be one that Criteo rejected. It is uncertain now, and `rejected` counts confirmed ones only.
    """
    moved = _removals_in_flight(segment.transfer) if segment.transfer else 0
    rejected = min(max(0, segment.rejected - moved), confirmed.count)
    return replace(
        segment, confirmed=confirmed, uncertain=uncertain, transfer=None, grace_until=None, rejected=rejected
    )


def _removals_in_flight(transfer: Transfer) -> int:
    """Return how many members the batch in flight removes."""
    if transfer.in_flight is None:
        return 0
    begin, end, size = transfer.acknowledged, transfer.in_flight.end, transfer.size
    later = size.priority_removes + size.adds
    first = max(0, min(end, size.priority_removes) - begin)
    return first + max(0, end - max(begin, later))


def remaining(transfer: Transfer | None) -> Delta:
    """Return the members that a transfer has left to send, by phase."""
    if transfer is None:
        return NO_DELTA
    left, counts = transfer.acknowledged, []
    for phase in (transfer.size.priority_removes, transfer.size.adds, transfer.size.removes):
        done = min(left, phase)
        counts.append(phase - done)
        left -= done
    return Delta(*counts)


def next_window(transfer: Transfer, size: int) -> tuple[int, int] | None:
    """Return the next positions to send: of one operation, at most `size`; None if all are acknowledged."""
    start_at, phase_end = transfer.acknowledged, 0
    for phase in (transfer.size.priority_removes, transfer.size.adds, transfer.size.removes):
        phase_end += phase
        if start_at < phase_end:
            return start_at, min(start_at + size, phase_end)
    return None


def _moving(segment: SegmentState) -> Transfer:
    if segment.transfer is None:
        raise AssertionError("no transfer has been started")
    return segment.transfer
