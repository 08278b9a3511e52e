"""A members-only apply sends members of fully applied addresses, and changes nothing else."""

from dataclasses import replace

import pytest
from golden import plan_cases as cases
from support.approvals import (
    CREATED,
    DELETED,
    EMPTIED,
    FORGOTTEN,
    LAPSED,
    MOVED,
    PINNED,
    REFILLED,
    applied,
    approved,
    held,
    now,
    resource,
    why,
)

from reconciler.core.approval.check import ApprovalCheck, check_approvals
from reconciler.core.approval.members_only import is_members_only, not_members_only, to_members_only
from reconciler.core.model import Address, Api
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import Adopt, Change, kind_of
from reconciler.core.plan.parts import restricted
from reconciler.core.plan.reasons import ApplyResumed, NameSetAgain
from reconciler.core.plan.steps import DiscardReplacement, MoveState, SetupPhase, Steps, UpdateSegment

pytestmark = pytest.mark.promise("approved")

RENAMED = cases.update(cases.LAPSED, cases.CHANGED, cases.RENAMED)
ADOPTED = Adopt(cases.LAPSED, (), cases.CHANGED, Steps(), "back")
CARRIED_OVER = replace(
    MOVED, steps=replace(MOVED.steps, setup=(MoveState(Address("offsite-email", "big-spenders")),))
)
BEYOND: tuple[tuple[Change, str], ...] = (
    (CREATED, "it is to be created"),
    (ADOPTED, "its segment is to be adopted"),
    (CARRIED_OVER, "it is to be moved from its old address"),
    (FORGOTTEN, "it is to be forgotten"),
    (cases.replacement(cases.LAPSED, 3), "it is to be replaced"),
    (EMPTIED, "it is to be emptied"),
    (DELETED, "its segment is to be deleted"),
    (REFILLED, "Criteo lost members of it, and all are to be sent again"),
)


def test_it_is_members_of_what_was_applied() -> None:
    assert is_members_only(MOVED, applied())
    assert not is_members_only(MOVED, {})
    assert not is_members_only(MOVED, {LAPSED: resource("other")})


def test_a_name_that_differs_keeps_no_member_away() -> None:
    assert is_members_only(RENAMED, applied())
    alone = to_members_only(RENAMED)
    assert alone is not None
    assert (alone.attributes, alone.steps) == ((), Steps(transfer=RENAMED.steps.transfer))
    assert to_members_only(cases.update(cases.LAPSED, cases.STILL, cases.RENAMED)) is None
    assert to_members_only(CREATED) is None


def test_what_is_left_undone_is_no_reason_any_more() -> None:
    again = to_members_only(replace(RENAMED, attributes=(), reason=NameSetAgain()))
    assert again is not None
    assert again.reason is None
    resumed = to_members_only(replace(RENAMED, reason=ApplyResumed()))
    assert resumed is not None
    assert resumed.reason == ApplyResumed()


def test_a_replacement_that_is_given_up_is_more_than_members() -> None:
    given_up = replace(
        MOVED, steps=replace(MOVED.steps, setup=(DiscardReplacement(old_segment_remains=False),))
    )
    assert not is_members_only(given_up, applied())


def test_a_name_that_is_let_go_for_another_address_is_approved_or_refused() -> None:
    released = UpdateSegment("current", "1", "n", turn=SetupPhase.FREE_NAMES)
    swapped = replace(MOVED, steps=replace(MOVED.steps, setup=(released,)))
    assert is_members_only(swapped, applied())
    alone = check_approvals(
        cases.plan(swapped), held(approved(cases.plan(unchanged=1))), now(resources=applied())
    )
    assert why(alone) == ["this change was not approved"]


def test_whatever_is_more_is_named_with_its_address() -> None:
    assert not_members_only(cases.plan(MOVED), applied()) == {}
    for change, says in BEYOND:
        [(address, [found])] = not_members_only(cases.plan(change), applied()).items()
        assert (address, found.where, found.problem) == (
            LAPSED,
            str(LAPSED),
            f"{says}; --members-only changes members only",
        )


def test_every_kind_of_change_has_a_name() -> None:
    changes = (*(change for change, _ in BEYOND), MOVED)
    assert {kind_of(one) for one in changes} == set(ChangeKind) - {ChangeKind.UNCHANGED}


def test_a_pinned_source_is_left_out_and_stops_nothing() -> None:
    pinned, known = replace(MOVED, spec=PINNED), {PINNED.address: resource(PINNED.definition)}
    assert not_members_only(cases.plan(pinned), known) == {}
    left = check_approvals(cases.plan(pinned), held(approved(cases.plan(unchanged=1))), now(resources=known))
    assert left == ApprovalCheck(deferred=(PINNED.address,), completed=("sha256:a",))


def test_new_members_alone_wait_for_it_unless_they_were_approved() -> None:
    at = now(resources=applied())
    judgement = check_approvals(cases.plan(MOVED), held(approved(cases.plan(unchanged=1))), at)
    assert judgement == ApprovalCheck(deferred=(LAPSED,), completed=("sha256:a",))
    assert check_approvals(cases.plan(MOVED), held(approved(cases.plan(MOVED))), at).covered


def test_a_part_of_a_plan_has_its_own_price_and_says_why() -> None:
    price = restricted(cases.plan(MOVED, CREATED), (), Api("emulator"), ("why",))
    assert (price.changes, price.cost.calls, price.notes, price.deferred) == ((), {}, ("why",), 2)
