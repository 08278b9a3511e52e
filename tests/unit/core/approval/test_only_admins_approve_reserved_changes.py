"""Changes of reserved destinations need an admin, except members of a definition that an admin approved."""

from dataclasses import replace

import pytest
from golden import plan_cases as cases
from support.approvals import CREATED, FORGOTTEN, LAPSED, MOVED, applied

from reconciler.core.approval.admins import approved_by_admin, refusals, reserved
from reconciler.core.definition import ADMIN_ONLY, parts_of
from reconciler.core.model import Access, Address
from reconciler.core.plan.changes import Change
from reconciler.core.state.resource import ResourceState

pytestmark = pytest.mark.promise("approved")

ADMIN_SPEC = replace(cases.LAPSED, access=Access(admin_only=True))
ADMIN_CREATE = replace(CREATED, spec=ADMIN_SPEC)
ADMIN_MOVE = replace(MOVED, spec=ADMIN_SPEC)
OPEN = applied()


def known(**differs: object) -> dict[Address, ResourceState]:
    """Return LAPSED as it was applied, with other values."""
    return {LAPSED: replace(OPEN[LAPSED], **differs)}


APPROVED = known(admin_approved=True, definition=ADMIN_SPEC.definition)
WAS_RESERVED = known(parts=(ADMIN_ONLY,))
REDEFINED = known(admin_approved=True, definition="another")


@pytest.mark.parametrize(
    ("change", "resources", "needs"),
    [
        pytest.param(CREATED, {}, False, id="a destination that is not reserved"),
        pytest.param(ADMIN_CREATE, {}, True, id="a create"),
        pytest.param(ADMIN_MOVE, OPEN, True, id="members of a definition that no admin approved"),
        pytest.param(ADMIN_MOVE, APPROVED, False, id="members of an approved definition"),
        pytest.param(ADMIN_MOVE, REDEFINED, True, id="members of another definition"),
        pytest.param(MOVED, WAS_RESERVED, True, id="a destination that was reserved"),
        pytest.param(FORGOTTEN, OPEN, False, id="a forgotten address"),
        pytest.param(FORGOTTEN, WAS_RESERVED, True, id="a forgotten address that was reserved"),
        pytest.param(FORGOTTEN, known(parts=(ADMIN_ONLY,), admin_approved=True), True, id="approved before"),
    ],
)
def test_a_change_of_a_reserved_destination_needs_an_admin(
    change: Change, resources: dict[Address, ResourceState], needs: bool
) -> None:
    assert reserved([change], resources) == (frozenset({LAPSED}) if needs else frozenset())


def test_the_parts_of_a_definition_state_that_it_is_reserved() -> None:
    assert ADMIN_ONLY in parts_of(ADMIN_SPEC)
    assert ADMIN_ONLY not in parts_of(cases.LAPSED)


def test_a_refusal_names_the_admins() -> None:
    [(address, [finding])] = refusals({LAPSED}, ("mona", "lisa")).items()
    assert address == LAPSED
    assert "no admin has approved" in finding.problem
    assert finding.remedy == "have the plan approved by one of lisa, mona"


def test_one_admin_among_the_approvers_is_enough_whatever_the_case() -> None:
    given = {"a": ("ada", "Mona"), "b": ("ada",), "c": ()}
    assert approved_by_admin(given, ("mona", "lisa")) == {"a"}
    assert approved_by_admin(given, ()) == frozenset()
