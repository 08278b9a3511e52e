"""Which approved changes are done, and which addresses of an approval have changes left."""

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from datetime import datetime

from reconciler.core.approval.approved_changes import is_pinned
from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.model import ApprovedChange, ApprovedPlan
from reconciler.core.errors import Finding
from reconciler.core.model import Address
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import Change, Ending
from reconciler.core.state.resource import ResourceState

NAMED = 5
"""A message names at most this many addresses."""


def open_addresses(
    approved: ApprovedPlan,
    all_: Collection[ApprovedPlan],
    covered: Mapping[Address, ApprovedPlan],
    context: CheckContext,
    stopped: Container[Address] = (),
) -> tuple[Address, ...]:
    """Return the addresses with changes left once the covered ones are applied: at least the `stopped`.

    The newest approval of an address counts. An address for which a newer plan had no change has none left.
    """
    every = [(one, {entry.address: entry for entry in one.changes}) for one in all_]

    def is_met(entry: ApprovedChange) -> bool:
        return any(
            (
                covered.get(entry.address) is one
                or _is_carried_out(then, one, context.resources.get(entry.address))
            )
            and (then.definition == entry.definition or one.made_at >= approved.made_at)
            if then.is_change
            else one.made_at > approved.made_at
            for one, changes in every
            if (then := changes.get(entry.address))
        )

    moving = (entry for entry in approved.changes if entry.is_change)
    return tuple(entry.address for entry in moving if entry.address in stopped or not is_met(entry))


def _is_carried_out(entry: ApprovedChange, approved: ApprovedPlan, resource: ResourceState | None) -> bool:
    """Return whether the resource state shows the change as applied.

    A refill counts as applied once a transfer has completed since the plan.
    """
    if entry.kind == ChangeKind.FORGET:
        return resource is None or resource.forgotten_at is not None
    if entry.kind == ChangeKind.DELETE:
        return resource is None
    if entry.kind == ChangeKind.EMPTY:
        return resource is None or _is_torn_down(resource)
    if resource is None or resource.forgotten_at is not None:
        return False
    if entry.kind == ChangeKind.REFILL and not not_before(resource.current.completed_at, approved.made_at):
        return False
    return resource.definition == entry.definition and resource.current.transfer is None


def _is_torn_down(resource: ResourceState) -> bool:
    return resource.forgotten_at is not None and all(one.is_empty for one in resource.segments)


def not_requested(
    open_: Mapping[str, Sequence[Address]],
    valid: Mapping[str, ApprovedPlan],
    changing: Container[Address],
    context: CheckContext,
) -> Iterator[Finding]:
    """Yield the approved changes that the manifests do not request, or that are no longer due."""
    for name, addresses in open_.items():
        not_planned = [one for one in addresses if one not in changing]
        recovered = [
            one for one in not_planned if _recovered(valid[name].change(one), context.resources.get(one))
        ]
        if foreign := [one for one in not_planned if one not in recovered]:
            yield Finding(name, f"approved but not in these manifests: {_listed(foreign)}")
        if recovered:
            problem = "Criteo's count changed since this plan, and a refill is no longer due"
            yield Finding(name, f"{problem}: {_listed(recovered)}")


def _recovered(entry: ApprovedChange | None, resource: ResourceState | None) -> bool:
    """Return whether an approved refill is not due any more, although nothing was sent."""
    if entry is None or resource is None or entry.kind != ChangeKind.REFILL:
        return False
    return resource.forgotten_at is None and resource.definition == entry.definition


def _listed(addresses: Sequence[Address]) -> str:
    more = f" and {len(addresses) - NAMED} more" if len(addresses) > NAMED else ""
    return f"{', '.join(map(str, addresses[:NAMED]))}{more}"


def is_done(entry: ApprovedChange, change: Change, approved: ApprovedPlan, context: CheckContext) -> bool:
    """Return whether the approved change was applied since the plan, with this approval or otherwise.

    If it moves members, a later completed transfer shows it. If it moves none, a later update of the name or
    the description shows it. A change of a pinned source is done only if the approval has a record.
    """
    record, resource = context.record(approved.digest), context.resources.get(entry.address)
    if resource is None or isinstance(change, Ending) or not _is_carried_out(entry, approved, resource):
        return False
    if record is None and is_pinned(change):
        return False
    since = min(record.started_at, approved.made_at) if record else approved.made_at
    if entry.adds or entry.removes:
        return not_before(resource.current.completed_at, since)
    return not change.steps.setup or not_before(
        resource.current.updated_at, record.started_at if record else since
    )


def not_before(time: datetime | None, moment: datetime) -> bool:
    """Return whether `time` is known and not earlier than `moment`."""
    return time is not None and time >= moment
