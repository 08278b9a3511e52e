"""Blocks changes of reserved destinations that no admin approved."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.commands.support.planning import PlanResult
from reconciler.core.approval.admins import approved_by_admin, refusals, reserved
from reconciler.core.approval.check import check_approvals
from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.model import ApprovedPlan
from reconciler.core.errors import RefusedError
from reconciler.core.model import Address
from reconciler.core.plan.parts import without
from reconciler.workspace import Workspace


@dataclass(frozen=True, slots=True)
class AdminCheck:
    """The plan without the changes that lack an admin's approval. `approved` are addresses that have it."""

    planned: PlanResult
    approved: frozenset[Address] = frozenset()


def context_of(planned: PlanResult, space: Workspace, *, whole: bool) -> CheckContext:
    """Return what approvals are checked against. `whole`: the plan is that of all addresses."""
    observed = planned.observed
    lineage, uses = (observed.head.lineage, observed.head.approvals) if observed.head else ("", ())
    made_at = planned.plan.basis.made_at
    return CheckContext(space.desired.environment, lineage, uses, observed.resources, made_at, whole)


def check_admins(
    planned: PlanResult,
    approvals: Mapping[str, ApprovedPlan],
    approved_by: Mapping[str, tuple[str, ...]],
    space: Workspace,
    *,
    whole: bool,
) -> AdminCheck:
    """Return what is left of the plan. RefusedError if that is nothing.

    `approved_by`: the logins that approved each of `approvals`.
    """
    admins, plan = space.desired.environment.admins, planned.plan
    if not admins:
        return AdminCheck(planned)
    names = approved_by_admin(approved_by, admins)
    given = {name: one for name, one in approvals.items() if name in names}
    context = context_of(planned, space, whole=whole)
    covered = check_approvals(plan, given, context).covered if given else frozenset()
    refused = refusals(reserved(plan.changes, planned.observed.resources) - covered, admins)
    if not refused:
        return AdminCheck(planned, covered)
    left = replace(planned, plan=without(plan, refused, space.desired.environment.api))
    if not (left.plan.changes or left.plan.removals):
        raise RefusedError(
            "an admin's approval is missing; nothing was sent",
            remedy="save the plan with --out, have an admin approve it in review, and let CI apply it",
            findings=[finding for findings in refused.values() for finding in findings],
        )
    return AdminCheck(left, covered)
