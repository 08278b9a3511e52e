"""Segments of which Criteo counts far fewer or far more identifiers than it acknowledged."""

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.members import EMPTY_SNAPSHOT
from reconciler.core.remote import Statistics
from reconciler.core.schedule import seen_at
from reconciler.core.state.resource import SegmentState

LOST_SHARE = 0.1
"""Criteo counts in its own way; a larger part than this is lost or added, and not counted otherwise."""
FEW = 10
"""So many more identifiers show nothing."""


@dataclass(frozen=True, slots=True)
class MemberCounts:
    """Identifiers that Criteo acknowledged, without those it rejected, and how many of them it counts."""

    acknowledged: int
    counted: int


def is_settled(holding: SegmentState) -> bool:
    """Return whether the segment has no unfinished transfer and no unconfirmed request."""
    return bool(holding.segment_id) and holding.transfer is None and not holding.uncertain


def is_computed(holding: SegmentState, now: datetime) -> bool:
    """Criteo's last computation has seen all that was sent, and nothing is on its way."""
    return is_settled(holding) and holding.completed_at is not None and now >= seen_at(holding.completed_at)


def loss(holding: SegmentState, reported: Statistics | None, now: datetime) -> MemberCounts | None:
    """Return the two counts of a segment that lost members; None within the bound, or if not known yet."""
    if reported is None or reported.identifiers is None or not is_computed(holding, now):
        return None
    found = MemberCounts(holding.confirmed.count - holding.rejected, reported.identifiers)
    return found if is_lost(found) else None


def excess(holding: SegmentState, reported: Statistics | None, now: datetime) -> MemberCounts | None:
    """Return the two counts of a segment that others filled; None within the bound, or if not known yet."""
    if reported is None or reported.identifiers is None or not is_computed(holding, now):
        return None
    found = MemberCounts(holding.confirmed.count - holding.rejected, reported.identifiers)
    return found if is_filled(found) and holding.members_unknown_before is None else None


def was_filled(holding: SegmentState) -> bool:
    """Return whether others filled the segment after it was complete. An adopted one was filled before."""
    unknown, completed = holding.members_unknown_before, holding.completed_at
    return unknown is not None and completed is not None and unknown > completed


def is_filled(counts: MemberCounts) -> bool:
    return counts.counted - counts.acknowledged > max(FEW, LOST_SHARE * counts.acknowledged)


def is_lost(counts: MemberCounts) -> bool:
    return counts.acknowledged - counts.counted > LOST_SHARE * counts.acknowledged


def doubted(holding: SegmentState) -> SegmentState:
    """Return the segment without confirmed members: all of them become uncertain."""
    return replace(holding, confirmed=EMPTY_SNAPSHOT, uncertain=holding.confirmed, rejected=0)
