"""The sentences of statements and notes."""

from collections.abc import Sequence
from typing import assert_never

from reconciler.core.members import DropReason
from reconciler.core.plan.drift import NotComparable, OutsideChange
from reconciler.core.rounding import format_count
from reconciler.render.document.reason_text import reason_text
from reconciler.render.document.statements import (
    AccessMayBeLost,
    AddressesNotListed,
    AddressesPaused,
    AttributesChanged,
    BeforeDeadline,
    Blocker,
    CountsDiffer,
    Dropped,
    IdentifiersRejected,
    LooksRenamed,
    MembersLeftBehind,
    MembersLost,
    MembersNotCompared,
    MovedFrom,
    Note,
    OldSegmentKept,
    OldSegmentMissing,
    RelaxedGuard,
    Remark,
    Remedy,
    RenamedAfterCreate,
    RenamedTemporarily,
    ReplacementDiscarded,
    ReplacementRenamed,
    Resumed,
    RevertsChange,
    Sample,
    SegmentsDeleted,
    SegmentsLeftBehind,
    SegmentUntracked,
    SourcesUnchanged,
    Statement,
    SuppressedFirst,
    SuppressedRemoved,
    TouchedOutside,
    WaitsUntil,
)
from reconciler.render.numbers import counted, stamp


def statement_text(one: Statement) -> str:
    match one:
        case RelaxedGuard() | Blocker() | Remedy():
            return one.text
        case (
            SuppressedRemoved()
            | SuppressedFirst()
            | SegmentsDeleted()
            | Resumed()
            | WaitsUntil()
            | Dropped()
            | MembersLost()
        ):
            return _of_members(one)
        case RenamedTemporarily() | RenamedAfterCreate() | ReplacementDiscarded() | ReplacementRenamed():
            return _of_setup(one)
        case MovedFrom() | LooksRenamed():
            return _of_address(one)
        case OldSegmentKept():
            advice = "and audiences built on it keep using it: point them to the new one"
            return f"the old segment stays at Criteo as “{one.name}”, {advice}"
        case OldSegmentMissing():
            return "the old segment is missing at Criteo; audiences built on it break"
        case RevertsChange():
            changed = " and ".join(one.attributes)
            return f"the {changed} changed outside reconciler; this plan reverts the change"
        case SegmentUntracked() | AttributesChanged() | CountsDiffer() | TouchedOutside():
            return _of_drift(one)
        case _:
            return reason_text(one)


def _of_members(
    one: SuppressedRemoved | SuppressedFirst | SegmentsDeleted | Resumed | WaitsUntil | Dropped | MembersLost,
) -> str:
    match one:
        case SuppressedRemoved():
            members = "suppressed member is" if one.members == 1 else "suppressed members are"
            return f"{format_count(one.members)} {members} removed all the same"
        case SuppressedFirst():
            return f"{format_count(one.members)} suppressed members are removed first"
        case SegmentsDeleted():
            segments = counted(one.segments, "segment is", "segments are")
            return f"{segments} deleted at Criteo; audiences built on them break"
        case Resumed():
            text = f"{format_count(one.done)} of {format_count(one.total)} identifiers are done already"
            return f"{text}; {counted(one.batches_left, 'batch is', 'batches are')} left"
        case WaitsUntil():
            return f"waits until {one.until:%H:%M:%S} UTC: an unconfirmed request may still take effect"
        case Dropped():
            parts = ", ".join(f"{format_count(drop.rows)} {DROP_WORDS[drop.reason]}" for drop in one.drops)
            return f"of {format_count(one.rows)} rows: {parts or 'none dropped'}"
        case MembersLost():
            counts = f"{format_count(one.counted)} of the {format_count(one.acknowledged)} identifiers"
            return f"Criteo counts {counts} that it acknowledged: all members are sent again"
        case _:
            assert_never(one)


def _of_setup(
    one: RenamedTemporarily | RenamedAfterCreate | ReplacementDiscarded | ReplacementRenamed,
) -> str:
    match one:
        case RenamedTemporarily():
            return f"temporarily renamed “{one.name}” to free its name"
        case RenamedAfterCreate():
            return "created under the name of the earlier request, then renamed"
        case ReplacementDiscarded():
            stays = "; its segment stays at Criteo" if one.segment_remains else ""
            return f"an earlier replacement is discarded{stays}"
        case ReplacementRenamed():
            return f"the partly filled replacement is renamed “{one.name}”"
        case _:
            assert_never(one)


def _of_address(one: MovedFrom | LooksRenamed) -> str:
    match one:
        case MovedFrom():
            return f"moved from {one.address}: its segment, members and state follow"
        case LooksRenamed():
            return (
                f"looks like {one.address} under another name, which this plan forgets: a second segment is "
                "filled, and audiences built on the old one keep it"
            )
        case _:
            assert_never(one)


def _of_drift(
    one: SegmentUntracked | AttributesChanged | CountsDiffer | TouchedOutside,
) -> str:
    match one:
        case SegmentUntracked():
            return f"segment {one.segment_id} has this ownership tag but is not in the state"
        case AttributesChanged():
            changes = " and ".join(_OUTSIDE[change] for change in one.changes)
            return f"{changes} outside reconciler"
        case CountsDiffer():
            ours, theirs = format_count(one.acknowledged), format_count(one.counted)
            known = f"{_OUTSIDE[one.change]} outside reconciler: " if one.change else ""
            return f"{known}Criteo acknowledged {ours} identifiers and counts {theirs}"
        case TouchedOutside():
            return f"changed outside reconciler at {stamp(one.at)}"
        case _:
            assert_never(one)


def note_text(one: Note) -> str:
    match one:
        case Sample():
            rows = counted(one.rows, "row")
            return f"sampling: at most {rows} per audience are sent (sample.rows in environment.yaml)"
        case Remark():
            return one.text
        case IdentifiersRejected():
            return f"{one.address}: {one.text}"
        case MembersNotCompared():
            what = counted(one.addresses, "address", "addresses")
            again = f"; again after {stamp(one.again_after)}" if one.again_after else ""
            return f"the members of {what} can't be compared now: {_WHY[one.reason]}{again}"
        case AddressesNotListed() | AddressesPaused():
            return _left_out(one)
        case MembersLeftBehind() | SegmentsLeftBehind():
            return _of_test_members(one)
        case SourcesUnchanged():
            what = counted(one.audiences, "audience")
            return f"sources of {what} unchanged since {stamp(one.since)}, not read"
        case BeforeDeadline():
            return before_deadline(one)
        case AccessMayBeLost():
            return (
                "many segments are missing at once: access may be lost. Run `reconciler doctor`. "
                "If the segments were deleted, raise maxMissing in environment.yaml; until then nothing is "
                "applied"
            )
        case _:
            assert_never(one)


def _left_out(one: AddressesNotListed | AddressesPaused) -> str:
    match one:
        case AddressesNotListed():
            return (
                f"{counted(one.addresses, 'address', 'addresses')} were not checked: the current "
                "credentials can't list their account"
            )
        case AddressesPaused():
            what = counted(one.addresses, "address with drift is", "addresses with drift are")
            return f"{what} paused: an apply leaves the drift as it is"
        case _:
            assert_never(one)


def _of_test_members(one: MembersLeftBehind | SegmentsLeftBehind) -> str:
    match one:
        case MembersLeftBehind():
            stay = "test member stays" if one.members == 1 else "test members stay"
            return (
                f"{format_count(one.members)} {stay} at Criteo in segments of forgotten addresses: "
                f"{_first(one.addresses, LEFT_NAMED)}. `reconciler teardown {one.environment}` removes them"
            )
        case SegmentsLeftBehind():
            segments = counted(len(one.segment_ids), "segment has", "segments have")
            return (
                f"{segments} the prefix or the tag of this environment and no state: "
                f"{_first(one.segment_ids, LEFT_NAMED)}. Delete what nobody uses in Criteo"
            )
        case _:
            assert_never(one)


def _first(names: Sequence[str], most: int) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - most
    return ", ".join((*names[:most], f"{more:,} more") if more > 0 else names)


def before_deadline(one: BeforeDeadline) -> str:
    """Return how many segments are complete before a deadline, and the first of the others."""
    computed = f"Criteo's computation at {stamp(one.computed_at)}"
    if not one.late:
        return f"{counted(one.changes, 'segment')} complete before {computed}"
    named = _first(one.late, LATE_NAMED)
    return f"{one.complete:,} of {counted(one.changes, 'segment')} complete before {computed}. Late: {named}"


_OUTSIDE = {
    OutsideChange.RENAMED: "renamed",
    OutsideChange.DESCRIBED: "given another description",
    OutsideChange.UNTAGGED: "stripped of its ownership tag",
    OutsideChange.CLEARED: "cleared",
    OutsideChange.MEMBERS_LOST: "emptied in part",
    OutsideChange.FILLED: "filled",
}
LATE_NAMED = 20
"""Addresses that miss a deadline and are named. The JSON names all."""
LEFT_NAMED = 5
"""Addresses and segments with test members that are named."""

_WHY = {
    NotComparable.RECENT: "something was sent since Criteo's last computation",
    NotComparable.IN_PROGRESS: (
        "a transfer is unfinished or a request is unconfirmed; the next apply resumes it"
    ),
    NotComparable.UNKNOWN: "unknown members may remain until the segment is replaced",
    NotComparable.EMPTY: "nothing was sent yet",
    NotComparable.NO_COUNT: "Criteo has no count for them yet",
}

DROP_WORDS = {
    DropReason.FILTERED: "filtered by where",
    DropReason.SUPPRESSED: "suppressed",
    DropReason.ERASED: "erased",
    DropReason.EXCLUDED: "excluded",
    DropReason.NOT_SAMPLED: "outside the sample",
    DropReason.EMPTY: "empty",
    DropReason.MALFORMED: "malformed",
    DropReason.OTHER_HASHING: "hashed in another form",
    DropReason.DUPLICATE: "duplicate",
}
