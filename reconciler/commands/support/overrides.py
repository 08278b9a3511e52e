"""Which overrides of an environment may count in an apply, by its terms."""

from typing import assert_never

from reconciler.commands.support.approvals import Interactive, MembersOnly, Terms, WithApprovals
from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.validity import why_invalid
from reconciler.core.state.model import StateHead
from reconciler.workspace import Workspace


def accepted_overrides(terms: Terms, space: Workspace, head: StateHead | None) -> frozenset[str] | None:
    """Return the digests of the overrides that may count; None for all.

    A members-only apply honours those of completed approvals, an apply with valid approvals theirs too.
    """
    uses, lineage = (head.approvals, head.lineage) if head else ((), "")
    completed = (one.overrides for one in uses if one.completed_at)
    recorded = frozenset(digest for digests in completed for digest in digests)
    match terms:
        case Interactive():
            return None
        case MembersOnly():
            return recorded
        case WithApprovals():
            now = CheckContext(space.desired.environment, lineage, uses, {}, space.clock.now())
            valid = (one for one in terms.approvals.values() if not why_invalid(one, now))
            return recorded.union(*(one.overrides for one in valid))
        case _:
            assert_never(terms)
