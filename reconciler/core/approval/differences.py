"""How a change differs from the approved one: kind, definition, counts, exclusion lists, pinned members."""

from collections.abc import Iterator

from reconciler.core.approval.approved_changes import (
    adopted_as,
    forgotten_as,
    is_pinned,
    members_moved,
    members_taken_out,
    torn_down_as,
)
from reconciler.core.approval.completion import not_before
from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.exclusions import FEW, FEW_SHARE, both, lists_lost
from reconciler.core.approval.model import ApprovedChange, ApprovedPlan, distance, largest
from reconciler.core.approval.validity import effective_limits
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import (
    Change,
    Delete,
    Empty,
    Forget,
    SegmentChange,
    Teardown,
    Update,
    kind_of,
)
from reconciler.core.rounding import format_limit
from reconciler.core.state.resource import ResourceState


def differences(
    change: Change, entry: ApprovedChange, approved: ApprovedPlan, context: CheckContext
) -> Iterator[str]:
    """Yield each difference between a change and its approved entry; nothing if the approval covers it."""
    kind, started = kind_of(change), context.record(approved.digest) is not None
    resource = context.resources.get(entry.address)
    if isinstance(change, Forget) and change.drop_state and entry.kind == ChangeKind.DELETE:
        return  # its segments are deleted already
    if kind != entry.kind and not (started and _remains(change, entry, resource)):
        yield f"approved as {entry.kind}, now {kind}"
        return
    match change:
        case Forget():
            if entry.definition != forgotten_as(change):
                then = entry.definition
                yield f"approved while its segment was {then}; that has changed"
        case Empty() | Delete():
            yield from _of_teardown(change, entry, effective_limits(approved, context).tolerance)
        case _:
            yield from _of_segment(change, entry, approved, context)


def _of_teardown(change: Teardown, entry: ApprovedChange, tolerance: float) -> Iterator[str]:
    """Yield other segments than the approved ones, and more removals than the tolerance allows."""
    if not set(torn_down_as(change).split(",")) <= set(entry.definition.split(",")):
        yield "its segments are not the approved ones"
    then, now = entry.removes, members_taken_out(change)
    limit = _limit(largest(then), tolerance)
    if now > largest(then) and distance(then, now) > limit:
        yield f"removals: {both(then, now)}; limit ±{int(limit):,} {_within(tolerance)}"


def _of_segment(
    change: SegmentChange, entry: ApprovedChange, approved: ApprovedPlan, context: CheckContext
) -> Iterator[str]:
    resource, started = context.resources.get(entry.address), context.record(approved.digest) is not None
    if change.spec.definition != entry.definition:
        yield "its definition is not the approved one"
        return
    recorded = started and resource is not None
    if adopted_as(change) != entry.adopts and not recorded:
        yield "the Adopt document is not the approved one: it has another segment, baseline or file"
    begun = started or (resource is not None and not_before(resource.current.completed_at, approved.made_at))
    yield from _counts(change, entry, resource, effective_limits(approved, context).tolerance, begun=begun)
    yield from lists_lost(change, entry, effective_limits(approved, context).tolerance)
    if is_pinned(change) and change.members.target.members.digest != entry.members_digest:
        yield (
            "its source is pinned, and its members are not the approved ones"
            if entry.members_digest
            else "its source is pinned, and the plan is older than the state; apply it once without `pinned`"
        )


def _remains(change: Change, entry: ApprovedChange, resource: ResourceState | None) -> bool:
    """Return whether the change is the rest of an approved change that an interrupted run began."""
    if not isinstance(change, Update) or resource is None:
        return False
    if entry.kind == ChangeKind.REFILL:
        return resource.current.transfer is not None
    return resource.definition != change.spec.definition or resource.current.completed_at is None


def _counts(
    change: SegmentChange,
    entry: ApprovedChange,
    resource: ResourceState | None,
    tolerance: float,
    *,
    begun: bool,
) -> Iterator[str]:
    """Yield the counts that differ by more than the tolerance.

    `begun`: members were sent since the plan, so fewer than approved is no difference.
    """
    limit, within = _limit(largest(entry.size), tolerance), _within(tolerance)
    adds, removes = members_moved(change, resource)
    differs = False
    for what, then, number in (("additions", entry.adds, adds), ("removals", entry.removes, removes)):
        if distance(then, number) > limit and not (begun and number < largest(then)):
            differs = True
            yield f"{what}: {both(then, number)}; limit ±{int(limit):,} {within}"
    target = change.members.target.members.count
    if not differs and distance(entry.size, target) > 2 * limit:
        text = both(entry.size, target)
        yield f"members: {text}; limit ±{int(2 * limit):,}, twice that of additions {within}"


def _limit(size: int, tolerance: float) -> float:
    """Return the members by which a count of an address of this size may differ."""
    return max(tolerance * size, min(FEW, FEW_SHARE * size))


def _within(tolerance: float) -> str:
    return f"(approval.tolerance: {format_limit(tolerance)}, or a tenth up to {FEW} members)"
