"""What an apply did is stated by address, with counts as saved forms round them."""

import pytest

from reconciler.core.audit.changes import REMOVAL, audited_changes
from reconciler.core.audit.model import AuditedChange
from reconciler.core.events import ChangeOutcome
from reconciler.core.model import Address
from reconciler.core.plan.changes import Forget
from reconciler.core.plan.reasons import ApplyResumed
from reconciler.core.rounding import LessThan
from reconciler.core.series import SeriesPoint

pytestmark = pytest.mark.promise("audit")

ONE, TWO, THREE = (Address("email", name) for name in ("a", "b", "c"))


def test_each_address_has_its_kind_its_outcome_and_rounded_counts() -> None:
    changes = [
        Forget(TWO, 5, drop_state=False, reason=ApplyResumed()),
        Forget(ONE, 5, drop_state=False, reason=ApplyResumed()),
    ]
    outcomes = {TWO: ChangeOutcome.APPLIED, ONE: ChangeOutcome.FAILED}
    points = [SeriesPoint(ONE, 100, 123, 4, 0)]
    assert audited_changes(changes, outcomes, points) == (
        AuditedChange(ONE, "forget", "failed", 120, LessThan(10)),
        AuditedChange(TWO, "forget", "applied", 0, 0),
    )


def test_a_blocked_address_whose_suppressed_members_were_removed_is_stated_too() -> None:
    [change] = audited_changes([], {}, [SeriesPoint(THREE, None, 0, 17, 0)])
    assert change == AuditedChange(THREE, REMOVAL, "applied", 0, 20)
