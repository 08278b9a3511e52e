"""What reconciler knows that Criteo holds for an address, and how each event changes that knowledge. No I/O.

Criteo accepts members and never lists them, so this record is the only one. The caller makes each result
durable before it continues.

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

from reconciler.core.members import (
    EMPTY_SNAPSHOT,
    NO_DELTA,
    AppliedList,
    Batch,
    Delta,
    SnapshotRef,
)
from reconciler.core.model import Address, SegmentKey
from reconciler.core.remote import Acknowledgement, Segment, name_key
from reconciler.core.state.ownership_tag import Tag, ends_with

Slot = Literal["current", "replacement"]
"""The two segments of a resource state that can receive members."""

CLOCK_SKEW = timedelta(minutes=2)
PROMPT = timedelta(seconds=1)
"""A call sent this soon after it was recorded needs no new time."""


@dataclass(frozen=True, slots=True)
class CreateIntent:
    """A create written down before it is sent, so that a lost answer can be looked up by name.

    `sent_at`: when it left, as far as is known.
    """

    name: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class InFlightBatch:
    """A batch that was dispatched and whose answer is not written down: positions up to `end`."""

    end: int
    dispatched_at: datetime


@dataclass(frozen=True, slots=True)
class Transfer:
    """A change of members on its way: towards `target`, acknowledged up to `acknowledged`.

    Positions count in the deterministic order (suppressed out, additions, others out); `size` says
    how long each phase is. They are positions, never batch numbers: batch size may change between runs.
    """

    target: SnapshotRef
    priority_removes: SnapshotRef
    size: Delta
    acknowledged: int = 0
    in_flight: InFlightBatch | None = None


@dataclass(frozen=True, slots=True)
class UnconfirmedUpdate:
    """A call on the name or the description that has no answer yet: it may still land. None: not touched."""

    name: str | None
    description: str | None
    sent_at: datetime

    def contradicts(self, name: str | None, description: str | None) -> bool:
        """Landing after a call that sets these values, it would undo it."""
        pairs = ((self.name, name), (self.description, description))
        return any(mine is not None and other is not None and mine != other for mine, other in pairs)


@dataclass(frozen=True, slots=True)
class SegmentState:
    """One segment: Criteo holds `confirmed`, and may hold `uncertain`; the two sets never overlap.

    `segment_id` is "" until Criteo answers the create. `completed_size` is the size of the last completed
    transfer, None before the first. `rejected` is the least number of `confirmed` identifiers that Criteo
    called invalid; removals from `uncertain` lower it too. An unconfirmed member request may take effect
    until `grace_until`. `unconfirmed_updates` are unconfirmed changes of the name or the description.
    `members_unknown_before` is when the state was lost: unknown members from before may remain.
    `updated_at` is when the last answered change of the name or the description was sent.
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
        """How many are surely held; None where the state was lost and nothing was completed since."""
        known = self.members_unknown_before is None or self.completed_size is not None
        return self.confirmed.count if known else None

    @property
    def last_changed_at(self) -> datetime | None:
        """When we changed it last, as far as an answer tells."""
        return max((time for time in (self.completed_at, self.updated_at) if time), default=None)


@dataclass(frozen=True, slots=True)
class RetiredSegment:
    """A segment that was replaced and left at Criteo under another name, with what it holds."""

    segment: SegmentState
    retired_at: datetime


@dataclass(frozen=True, slots=True)
class ResourceState:
    """What reconciler knows of one address. A Replace fills `replacement` beside `current`.

    `definition` is the digest last applied in full, `parts` say what it stated (`core/definition.py`).
    `forgotten_at` is set when the audience left the manifests: its members stay known, so that nobody
    becomes impossible to remove. `replace_requested`: the next apply replaces a segment that may hold
    unknown members. `lists` are the exclusion lists that members were last sent under.
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

    def can_keep(self, segment: SegmentState, key: SegmentKey) -> bool:
        """That segment may go on as the one of this address; otherwise it is replaced."""
        return segment.key == key and not (self.replace_requested and segment.members_unknown_before)

    @property
    def members_unknown_before(self) -> datetime | None:
        """People sent before this may be held, and nobody has asked yet to be rid of them."""
        return None if self.replace_requested else self.current.members_unknown_before

    @property
    def segments(self) -> tuple[SegmentState, ...]:
        """Return all segments of this resource state, the current one first."""
        successor = (self.replacement,) if self.replacement else ()
        return (self.current, *successor, *(one.segment for one in self.retired))

    @property
    def references(self) -> frozenset[SnapshotRef]:
        """Snapshots that must be kept."""
        held = (ref for holding in self.segments for ref in _snapshots(holding))
        listed = (ref for one in self.lists for ref in one.references)
        return frozenset(ref for ref in (*held, *listed) if ref)

    @property
    def snapshots(self) -> frozenset[str]:
        """Their digests."""
        return frozenset(ref.digest for ref in self.references)


def _snapshots(segment: SegmentState) -> tuple[SnapshotRef, ...]:
    moving = segment.transfer
    return (
        segment.confirmed,
        segment.uncertain,
        *((moving.target, moving.priority_removes) if moving else ()),
    )


def record_intent(key: SegmentKey, name: str, before: SegmentState | None, now: datetime) -> SegmentState:
    """Before a create is sent.

    An earlier request for the same address that could still land is remembered: only the name it
    asked for stops it from happening twice, so that name must not be given up too early.
    """
    earlier = before.intent if before else None
    renames = (UnconfirmedUpdate(earlier.name, None, earlier.sent_at),) if earlier else ()
    return SegmentState(
        key=key,
        intent=CreateIntent(name=name, sent_at=now),
        unconfirmed_updates=(*(before.unconfirmed_updates if before and earlier else ()), *renames),
        completed_size=before.completed_size if before else None,
    )


def record_intent_sent(segment: SegmentState, now: datetime) -> SegmentState:
    """The create leaves now, or left by now: from now on counts how late it may be carried out."""
    return replace(segment, intent=replace(_asking(segment), sent_at=now))


def record_created(segment: SegmentState, segment_id: str, *, again: bool = False) -> SegmentState:
    """The create is answered. `again`: it may be carried out once more."""
    intent = _asking(segment)
    late = (UnconfirmedUpdate(intent.name, None, intent.sent_at),) if again else ()
    return replace(
        segment, segment_id=segment_id, intent=None, unconfirmed_updates=(*segment.unconfirmed_updates, *late)
    )


def record_recovered(segment: SegmentState, segment_id: str, *, again: bool = False) -> SegmentState:
    """Its segment was found. Any of several requests for one name may have made it: the last may be late."""
    name = name_key(_asking(segment).name)
    earlier = any(one.name is not None and name_key(one.name) == name for one in segment.unconfirmed_updates)
    return record_created(segment, segment_id, again=again or earlier)


def record_update_sent(segment: SegmentState, rename: UnconfirmedUpdate, quiet: timedelta) -> SegmentState:
    """Before a call on the name or the description is sent; those that can't land any more are forgotten."""
    live = tuple(one for one in segment.unconfirmed_updates if one.sent_at + quiet > rename.sent_at)
    return replace(segment, unconfirmed_updates=(*live, rename))


def record_update_confirmed(segment: SegmentState, rename: UnconfirmedUpdate) -> SegmentState:
    """That call was answered, and can't land again. One like it, sent in the same instant, still may."""
    return replace(_without(segment, rename), updated_at=rename.sent_at)


def _without(segment: SegmentState, rename: UnconfirmedUpdate) -> SegmentState:
    renames = list(segment.unconfirmed_updates)
    renames.remove(rename)
    return replace(segment, unconfirmed_updates=tuple(renames))


def record_update_resent(segment: SegmentState, rename: UnconfirmedUpdate, now: datetime) -> SegmentState:
    """An attempt of that call leaves now, or left by now."""
    others = _without(segment, rename)
    return replace(others, unconfirmed_updates=(*others.unconfirmed_updates, replace(rename, sent_at=now)))


def is_late(noted: datetime, now: datetime) -> bool:
    """A call that leaves now was written down too long ago to count from then how late it may land."""
    return now - noted >= PROMPT


def may_undo(
    segment: SegmentState, name: str | None, description: str | None, now: datetime, quiet: timedelta
) -> datetime | None:
    """Until when an unanswered call may still undo a call that sets these values; None when none can."""
    ends = (one.sent_at + quiet for one in segment.unconfirmed_updates if one.contradicts(name, description))
    return max((end for end in ends if end > now), default=None)


def record_no_response(segment: SegmentState, now: datetime, quiet: timedelta) -> SegmentState:
    """A call on this segment got no answer: it may still land until the quiet time has passed."""
    until = max(now + quiet, segment.grace_until or now)
    return replace(segment, grace_until=until)


def grace_ends_at(segment: SegmentState, quiet: timedelta) -> datetime | None:
    """Until when nothing may be sent that contradicts a call that could still land."""
    flight = segment.transfer.in_flight if segment.transfer else None
    times = [segment.grace_until, flight.dispatched_at + quiet if flight else None]
    return max((time for time in times if time), default=None)


def why_not_ours(key: SegmentKey, wanted: Tag, found: Segment) -> str:
    """Why a segment found under an intent's name is not the one we created; "" when it is.

    Neither age nor size says whose it is: our request is known by the ownership tag that it sent.
    """
    if not ends_with(found.description, wanted):
        return "it does not have the ownership tag of this address and state"
    if found.retailer_id != key.retailer_id or found.account_id != key.account_id:
        return "it belongs to another retailer"
    if found.identifier_type != key.identifier_type:
        return "it holds another identifier type"
    return ""


def start_transfer(
    segment: SegmentState, target: SnapshotRef, priority_removes: SnapshotRef, size: Delta
) -> SegmentState:
    """Before the first batch towards a new target; the old transfer must be completed or abandoned."""
    return replace(segment, transfer=Transfer(target=target, priority_removes=priority_removes, size=size))


def resume_transfer(segment: SegmentState, quiet: timedelta) -> SegmentState:
    """Before an unfinished transfer goes on: its batch in flight is sent again, and may still land twice."""
    return replace(segment, grace_until=grace_ends_at(segment, quiet))


def record_dispatch(segment: SegmentState, batch: Batch, now: datetime) -> SegmentState:
    """Before each attempt of a batch. What an earlier, larger batch may have done stays in doubt."""
    moving = _moving(segment)
    doubt = max(batch.end, moving.in_flight.end if moving.in_flight else 0)
    return replace(segment, transfer=replace(moving, in_flight=InFlightBatch(end=doubt, dispatched_at=now)))


def acknowledge(
    segment: SegmentState, batch: Batch, answer: Acknowledgement, now: datetime, quiet: timedelta
) -> SegmentState:
    """A batch was taken; written down together with the next dispatch, or alone at a stop."""
    moving = _moving(segment)
    doubt = moving.in_flight if moving.in_flight and moving.in_flight.end > batch.end else None
    # Of a segment of which nobody is sure, only people in doubt are removed: they were never counted.
    change = answer.invalid if batch.operation == "add" else -answer.invalid if segment.confirmed else 0
    done = replace(
        segment,
        transfer=replace(moving, acknowledged=batch.end, in_flight=doubt),
        rejected=max(0, segment.rejected + change),
    )
    return record_no_response(done, now, quiet) if answer.earlier_unconfirmed else done


def complete_transfer(segment: SegmentState, now: datetime) -> SegmentState:
    """All of the transfer is acknowledged: the target is what Criteo surely holds."""
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
    """Give up an unfinished transfer, once none of its requests can take effect any more.

    `confirmed` and `uncertain` come from the engine's `abandon_transfer`.
    """
    rejected = min(segment.rejected, confirmed.count)
    return replace(
        segment, confirmed=confirmed, uncertain=uncertain, transfer=None, grace_until=None, rejected=rejected
    )


def remaining(transfer: Transfer | None) -> Delta:
    """What is left of a transfer after its offset, phase by phase."""
    if transfer is None:
        return NO_DELTA
    left, counts = transfer.acknowledged, []
    for phase in (transfer.size.priority_removes, transfer.size.adds, transfer.size.removes):
        done = min(left, phase)
        counts.append(phase - done)
        left -= done
    return Delta(*counts)


def next_window(transfer: Transfer, size: int) -> tuple[int, int] | None:
    """Next positions to send, of one operation only and at most `size`; None when all are acknowledged."""
    start_at, phase_end = transfer.acknowledged, 0
    for phase in (transfer.size.priority_removes, transfer.size.adds, transfer.size.removes):
        phase_end += phase
        if start_at < phase_end:
            return start_at, min(start_at + size, phase_end)
    return None


def _asking(segment: SegmentState) -> CreateIntent:
    if segment.intent is None:
        raise AssertionError("no create was written down")
    return segment.intent


def _moving(segment: SegmentState) -> Transfer:
    if segment.transfer is None:
        raise AssertionError("no transfer has been started")
    return segment.transfer
