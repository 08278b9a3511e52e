"""Whether an approval is valid: for this environment and state, not expired, and not completed."""

from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.model import ApprovedPlan
from reconciler.core.model import ApprovalLimits, Environment, Seat
from reconciler.core.rounding import duration
from reconciler.core.state.resource import CLOCK_SKEW

LINEAGE = 8
"""Characters of a lineage in a message."""


def wrong_state(approved: ApprovedPlan, context: CheckContext) -> str:
    """Return why the approval is not for this environment and state, or "" if it is."""
    if why := wrong_target(approved, context.environment):
        return why
    if approved.lineage and approved.lineage != context.lineage:
        there = f"lineage {context.lineage[:LINEAGE]}" if context.lineage else "none yet"
        return f"approved for a state of lineage {approved.lineage[:LINEAGE]}, and there is {there}"
    return ""


def wrong_target(approved: ApprovedPlan, environment: Environment) -> str:
    """Return why the approval is not for this endpoint and these seats, or "" if it is.

    The check needs only the file and the manifests, so it runs before any secret is sent to the endpoint.
    """
    endpoint, seats = environment.api.endpoint, dict(environment.seats)
    if why := wrong_environment(approved, environment.name):
        return why
    if approved.endpoint != endpoint:
        return f"approved for {approved.endpoint}; {environment.name} is at {endpoint}"
    for label, seat in approved.seats.items():
        if (today := seats.get(label)) != seat:
            return f"approved for seat {label} as {_at(seat)}; now {_at(today)}"
    return ""


def wrong_environment(approved: ApprovedPlan, environment: str) -> str:
    """Return why the approval is not for this environment, or "" if it is. Needs only the file."""
    if approved.environment == environment:
        return ""
    message = f"approved for {approved.environment}, not {environment}"
    return f"{message}: give the plan of {environment}"


def _at(seat: Seat | None) -> str:
    return f"account {seat.account_id}, retailer {seat.retailer_id}" if seat else "none"


def why_invalid(approved: ApprovedPlan, context: CheckContext) -> str:
    """Return why the approval is not valid, or "" if it is."""
    limit, record = effective_limits(approved, context).max_age, context.record(approved.digest)
    if record and record.completed_at:
        return f"the approved plan was applied in full on {record.completed_at:%Y-%m-%d at %H:%M} UTC"
    if why := wrong_state(approved, context):
        return why
    if approved.made_at > context.moment + CLOCK_SKEW:
        return f"the approved plan is from the future, {approved.made_at:%Y-%m-%d %H:%M} UTC"
    if context.moment - approved.made_at > limit:
        made = f"{approved.made_at:%Y-%m-%d at %H:%M} UTC"
        return f"approval expired: created on {made}, maxAge {duration(limit)}"
    return ""


def effective_limits(approved: ApprovedPlan, context: CheckContext) -> ApprovalLimits:
    """Return the narrower of the limits at the time of the plan and the limits now."""
    then, today = approved.limits, context.environment.approval_limits
    return ApprovalLimits(min(then.tolerance, today.tolerance), min(then.max_age, today.max_age))
