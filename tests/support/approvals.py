"""Approved plans, and the contexts they are checked in."""

from dataclasses import replace

from golden import plan_cases as cases

from reconciler.core.approval.approved_changes import approved_changes
from reconciler.core.approval.check import ApprovalCheck, check_approvals
from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.model import ApprovalRecord, ApprovedPlan
from reconciler.core.model import Address
from reconciler.core.plan.changes import Change, Delete, Empty, Forget, Refill
from reconciler.core.plan.losses import MemberCounts
from reconciler.core.plan.model import Plan
from reconciler.core.plan.reasons import Removed
from reconciler.core.plan.steps import Steps
from reconciler.core.state.resource import ResourceState, SegmentState, Transfer

LAPSED = cases.LAPSED.address
FORGOTTEN = Forget(LAPSED, 500, drop_state=False, reason=Removed())
EMPTIED = Empty(LAPSED, cases.emptying(cases.LAPSED, 1_000, 1_000), ("1",))
DELETED = Delete(LAPSED, cases.emptying(cases.LAPSED, 1_000, 1_000), ("1", "2"))
CREATED = cases.create(cases.LAPSED, 10_000)
MOVED = cases.update(cases.LAPSED, cases.members(10_000, 10_300, cases.Delta(0, 400, 100)))
_ALL = cases.members(0, 10_000, cases.Delta(0, 10_000, 0))
REFILLED = Refill(cases.LAPSED, (), _ALL, Steps(transfer=cases.sending(_ALL)), MemberCounts(10_000, 0))
PINNED = replace(
    cases.LAPSED,
    audience=replace(cases.LAPSED.audience, source=replace(cases.LAPSED.audience.source, pinned=True)),
)


def resource(definition: str = "", transfer: Transfer | None = None, **holding: object) -> ResourceState:
    held = replace(SegmentState(cases.LAPSED.key, segment_id="1", transfer=transfer), **holding)
    return ResourceState(LAPSED, held, definition=definition)


def applied(**holding: object) -> dict[Address, ResourceState]:
    """Return LAPSED fully applied, as in the manifests."""
    return {LAPSED: resource(cases.LAPSED.definition, **holding)}


def approved(
    plan: Plan, resources: dict[Address, ResourceState] | None = None, **differs: object
) -> ApprovedPlan:
    environment = cases.ENVIRONMENT
    made = ApprovedPlan(
        "sha256:a",
        environment.name,
        environment.api.endpoint,
        dict(environment.seats),
        plan.basis.lineage,
        plan.basis.made_at,
        environment.approval_limits,
        approved_changes(plan, resources or {}),
    )
    return replace(made, **differs)


def held(*approvals: ApprovedPlan) -> dict[str, ApprovedPlan]:
    """Return the approvals by file name."""
    return {f"plan-{number}.json": one for number, one in enumerate(approvals, 1)}


def now(
    *approvals: ApprovalRecord, resources: dict[Address, ResourceState] | None = None, **differs: object
) -> CheckContext:
    made = CheckContext(cases.ENVIRONMENT, "7f3a2b1c9d", approvals, resources or {}, cases.NOW)
    return replace(made, **differs)


def judged(then: Change, today: Change, at: CheckContext | None = None, **differs: object) -> ApprovalCheck:
    at = at or now()
    return check_approvals(
        cases.plan(today), held(approved(cases.plan(then), dict(at.resources), **differs)), at
    )


def why(judgement: ApprovalCheck) -> list[str]:
    return [one.problem for one in judgement.findings]
