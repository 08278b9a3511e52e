"""The worked example at the head of core/approval/check.py states what the check decides."""

from datetime import timedelta

import pytest
from golden import plan_cases as cases
from support.approvals import LAPSED, applied, approved, held, now

from reconciler.core.approval import check
from reconciler.core.approval.check import ApprovalCheck, check_approvals
from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.members import Delta
from reconciler.core.plan.changes import Change

pytestmark = pytest.mark.promise("approved")

MADE = cases.NOW
LATER = now(moment=MADE + timedelta(hours=1))
EXPIRED = now(moment=MADE + timedelta(hours=73))
COMPLETED = now(
    ApprovalRecord("sha256:a", MADE + timedelta(hours=1), MADE + timedelta(hours=1)),
    resources=applied(completed_at=MADE + timedelta(hours=1)),
    moment=MADE + timedelta(hours=2),
)
NEW = cases.create(cases.HIGH, 5_000)


def adds(number: int) -> Change:
    return cases.update(cases.LAPSED, cases.members(10_000, 10_300, Delta(0, number, 100)))


def checked(context: CheckContext, *changes: Change) -> ApprovalCheck:
    return check_approvals(cases.plan(*changes), held(approved(cases.plan(adds(400)))), context)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("1 hour later, add 500                   covered", checked(LATER, adds(500))),
        ("1 hour later, also add a new audience   the new", checked(LATER, adds(400), NEW)),
    ],
)
def test_what_the_example_covers_is_covered(line: str, result: ApprovalCheck) -> None:
    assert line in str(check.__doc__)
    assert (result.covered, result.completed, result.findings) == ({LAPSED}, ("sha256:a",), ())


@pytest.mark.parametrize(
    ("line", "result", "why"),
    [
        (
            "1 hour later, add 700                   refused: 300 more than approved",
            checked(LATER, adds(700)),
            "additions: approved 400, now 700; limit ±206 ",
        ),
        (
            "73 hours later, add 400                 refused: the approval has expired",
            checked(EXPIRED, adds(400)),
            "approval expired: created on 2026-11-24 at 09:04 UTC, maxAge 3 days",
        ),
        (
            "after its completion, add 50            refused: the approval is completed",
            checked(COMPLETED, adds(50)),
            "the approved plan was applied in full on 2026-11-24 at 10:04 UTC",
        ),
    ],
)
def test_what_the_example_refuses_is_refused(line: str, result: ApprovalCheck, why: str) -> None:
    assert line in str(check.__doc__)
    assert result.covered == frozenset()
    assert result.findings[0].problem.startswith(why)


def test_a_new_audience_of_the_example_is_refused() -> None:
    [(address, [finding])] = checked(LATER, adds(400), NEW).refused.items()
    assert (address, finding.problem) == (cases.HIGH.address, "this change was not approved")
