"""Lists of an approved change. If a list lost members since, the change would send them."""

from collections.abc import Iterator

from reconciler.core.approval.model import ApprovedChange, ApprovedList, smallest
from reconciler.core.list_refusals import called, shrink_key, shrink_limit
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.rounding import RoundedCount, format_count, format_limit, is_past, rounded_count

FEW, FEW_SHARE = 100, 0.1
"""The counts of a small audience may differ by a tenth of its size, and by at most 100 members."""


def approved_lists(change: SegmentChange) -> tuple[ApprovedList, ...]:
    """Return the entries that an apply of this change must match."""
    return tuple(
        ApprovedList(
            one.identifier_type, rounded_count(one.members.count), rounded_count(one.matches.found.count)
        )
        for one in change.members.target.lists
    )


def lists_lost(change: SegmentChange, entry: ApprovedChange, tolerance: float) -> Iterator[str]:
    """Yield the lists that lost more members than allowed since the approved plan."""
    lists = change.members.target.lists
    if len(entry.lists) != len(lists):
        yield "its suppression and exclusion lists are not the approved ones"
        return
    for then, one in zip(entry.lists, lists, strict=True):
        listed, found = smallest(then.size), smallest(then.found)
        most = shrink_limit(change.spec, one)
        if is_past(listed - one.members.count, most, listed):
            yield (
                f"members of {called(one)} ({one.identifier_type}): "
                f"{both(then.size, one.members.count)}; at most "
                f"{format_limit(most)} fewer ({shrink_key(one)})"
            )
        limit = max(tolerance * found, min(FEW, FEW_SHARE * found))
        if found - one.matches.found.count > limit:
            yield (
                f"members of {called(one)} ({one.identifier_type}) in the source: "
                f"{both(then.found, one.matches.found.count)}; at most {int(limit):,} fewer "
                f"(approval.tolerance: {format_limit(tolerance)}, or a tenth up to {FEW} members)"
            )


def both(then: RoundedCount, number: int) -> str:
    """Return the approved and the current count as text."""
    return f"approved {format_count(then)}, now {format_count(rounded_count(number))}"
