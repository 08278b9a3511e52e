"""Exclusion lists of an approved change: one that has lost members since lets others be sent."""

from collections.abc import Iterator

from reconciler.core.approval.model import ApprovedChange, ApprovedList, smallest
from reconciler.core.lists import called
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.rounding import RoundedCount, format_count, format_limit, is_past, rounded_count

FEW, FEW_SHARE = 100, 0.1
"""A small audience may move by a tenth, and by no more than a hundred."""


def approved_lists(change: SegmentChange) -> tuple[ApprovedList, ...]:
    """What applying this change will be held to."""
    return tuple(
        ApprovedList(
            one.identifier_type, rounded_count(one.members.count), rounded_count(one.matches.found.count)
        )
        for one in change.members.target.lists
    )


def lists_lost(change: SegmentChange, said: ApprovedChange, tolerance: float) -> Iterator[str]:
    """In what lists have lost members since, of a change with the definition that was approved."""
    lists = change.members.target.lists
    if len(said.lists) != len(lists):
        yield "its exclusion lists are not the ones that were approved"
        return
    for then, one in zip(said.lists, lists, strict=True):
        listed, found = smallest(then.size), smallest(then.found)
        if is_past(listed - one.members.count, one.max_shrink, listed):
            yield (
                f"members of {called(one)} ({one.identifier_type}) approved: "
                f"{both(then.size, one.members.count)}; fewer may be "
                f"{format_limit(one.max_shrink)} (maxShrink)"
            )
        limit = max(tolerance * found, min(FEW, FEW_SHARE * found))
        if found - one.matches.found.count > limit:
            yield (
                f"members of {called(one)} ({one.identifier_type}) in the source approved: "
                f"{both(then.found, one.matches.found.count)}; they may be {int(limit):,} fewer "
                f"(approval.tolerance: {format_limit(tolerance)}, or a tenth up to {FEW} people)"
            )


def both(then: RoundedCount, number: int) -> str:
    """Two counts for comparison."""
    return f"{format_count(then)}; now: {format_count(rounded_count(number))}"
