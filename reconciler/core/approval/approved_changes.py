"""The approved changes that a saved plan contains, one for each of its addresses."""

from collections.abc import Mapping

from reconciler.core.approval.exclusions import approved_lists
from reconciler.core.approval.model import ApprovedChange
from reconciler.core.model import Address
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import (
    Change,
    Delete,
    Empty,
    Ending,
    Forget,
    Replace,
    SegmentChange,
    Teardown,
    kind_of,
)
from reconciler.core.plan.model import Plan
from reconciler.core.plan.steps import RecordAdoption
from reconciler.core.rounding import rounded_count
from reconciler.core.state.resource import ResourceState, SegmentState, remaining


def approved_changes(plan: Plan, resources: Mapping[Address, ResourceState]) -> tuple[ApprovedChange, ...]:
    """Return the entries that an apply of this plan must match: one for each address, changed or not."""
    changes = (_approved(change, plan.basis.lineage, resources) for change in plan.changes)
    unchanged = (
        ApprovedChange(
            one.spec.address,
            ChangeKind.UNCHANGED,
            one.spec.definition,
            0,
            0,
            rounded_count(one.target.members.count),
            one.target.members.digest if plan.basis.lineage else "",
        )
        for one in plan.unchanged
    )
    return tuple(sorted((*changes, *unchanged), key=lambda one: one.address))


def _approved(change: Change, lineage: str, resources: Mapping[Address, ResourceState]) -> ApprovedChange:
    match change:
        case Forget():
            size = rounded_count(change.count or 0)
            return ApprovedChange(change.address, kind_of(change), forgotten_as(change), 0, 0, size)
        case Empty() | Delete():
            removes = rounded_count(members_taken_out(change))
            return ApprovedChange(change.address, kind_of(change), torn_down_as(change), 0, removes, 0)
        case _:
            return _approved_segment(change, lineage, resources)


def _approved_segment(
    change: SegmentChange, lineage: str, resources: Mapping[Address, ResourceState]
) -> ApprovedChange:
    target = change.members.target.members
    adds, removes = members_moved(change, resources.get(change.spec.address))
    return ApprovedChange(
        change.spec.address,
        kind_of(change),
        change.spec.definition,
        rounded_count(adds),
        rounded_count(removes),
        rounded_count(target.count),
        target.digest if lineage else "",
        approved_lists(change),
        adopted_as(change),
    )


def adopted_as(change: SegmentChange) -> str:
    """Return the digest of the `Adopt` document that a change carries out; "" if it adopts nothing."""
    adoptions = (step.adoption.digest for step in change.steps.setup if isinstance(step, RecordAdoption))
    return next(adoptions, "")


def forgotten_as(change: Forget) -> str:
    """Return the entry's definition of a forgotten address: whether its segment remains at Criteo."""
    return "gone" if change.drop_state else "there"


def torn_down_as(change: Teardown) -> str:
    """Return the entry's definition of a teardown: the IDs of its segments."""
    return ",".join(sorted(change.segment_ids))


def members_taken_out(change: Teardown) -> int:
    """Return the members to remove, with those that an interrupted run has removed already."""
    return change.emptying.removes + change.emptying.done


def members_moved(change: SegmentChange, resource: ResourceState | None) -> tuple[int, int]:
    """Return the members to add and to remove, with those that an interrupted run has sent already."""
    delta, done = change.members.delta, (0, 0)
    if resource and (holding := _receiving(change, resource)) and holding.transfer:
        size, unsent = holding.transfer.size, remaining(holding.transfer)
        done = (size.adds - unsent.adds, size.out - unsent.out)
    return delta.adds + done[0], delta.out + done[1]


def _receiving(change: SegmentChange, resource: ResourceState) -> SegmentState | None:
    return resource.replacement if isinstance(change, Replace) else resource.current


def is_pinned(change: Change) -> bool:
    return not isinstance(change, Ending) and change.spec.audience.source.pinned
