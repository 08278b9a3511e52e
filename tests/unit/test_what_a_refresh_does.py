"""A refresh sends members of what was applied in full before, and leaves everything else alone."""

from dataclasses import replace

import pytest
from approvals import (
    CREATED,
    FORGOTTEN,
    LAPSED,
    MOVED,
    PINNED,
    REFILLED,
    applied,
    approved,
    held,
    now,
    receipt,
    why,
)
from golden import plan_cases as cases

from reconciler.core.envelope import Judgement, judge
from reconciler.core.kinds import ChangeKind
from reconciler.core.parts import restricted
from reconciler.core.plan import (
    NAME_AGAIN,
    AbandonSuccessor,
    Adopt,
    Change,
    PatchSegment,
    Steps,
    Turn,
    kind_of,
)
from reconciler.core.refresh import beyond_refresh, is_refresh, members_only

pytestmark = pytest.mark.promise("approved")

RENAMED = cases.update(cases.LAPSED, cases.CHANGED, cases.RENAMED)
ADOPTED = Adopt(cases.LAPSED, (), cases.CHANGED, Steps(), "back")
BEYOND: tuple[tuple[Change, str], ...] = (
    (CREATED, "it is to be created"),
    (ADOPTED, "it is to be managed again"),
    (FORGOTTEN, "it is to be forgotten"),
    (cases.replacement(cases.LAPSED, 3), "it is to be replaced"),
    (REFILLED, "Criteo lost members of it"),
)


def test_it_is_members_of_what_was_applied() -> None:
    assert is_refresh(MOVED, applied())
    assert not is_refresh(MOVED, {})
    assert not is_refresh(MOVED, {LAPSED: receipt("other")})


def test_a_name_that_differs_keeps_no_member_away() -> None:
    assert is_refresh(RENAMED, applied())
    alone = members_only(RENAMED)
    assert alone is not None
    assert (alone.attributes, alone.steps) == ((), Steps(transfer=RENAMED.steps.transfer))
    assert members_only(cases.update(cases.LAPSED, cases.STILL, cases.RENAMED)) is None
    assert members_only(CREATED) is None


def test_what_is_left_undone_is_no_reason_any_more() -> None:
    again = members_only(replace(RENAMED, attributes=(), reason=NAME_AGAIN))
    assert again is not None
    assert again.reason == ""
    resumed = members_only(replace(RENAMED, reason=cases.INTERRUPTED))
    assert resumed is not None
    assert resumed.reason == cases.INTERRUPTED


def test_a_replacement_that_is_given_up_is_more_than_members() -> None:
    given_up = replace(MOVED, steps=replace(MOVED.steps, prelude=(AbandonSuccessor(retires=False),)))
    assert not is_refresh(given_up, applied())


def test_a_name_that_is_let_go_for_another_address_is_approved_or_refused() -> None:
    released = PatchSegment("current", "1", "n", turn=Turn.RELEASE)
    swapped = replace(MOVED, steps=replace(MOVED.steps, prelude=(released,)))
    assert is_refresh(swapped, applied())
    alone = judge(cases.plan(swapped), held(approved(cases.plan(unchanged=1))), now(receipts=applied()))
    assert why(alone) == ["this change was not approved"]


def test_whatever_is_more_is_named_with_its_address() -> None:
    assert beyond_refresh(cases.plan(MOVED), applied()) == {}
    for change, says in BEYOND:
        [(address, [found])] = beyond_refresh(cases.plan(change), applied()).items()
        assert (address, found.where, found.problem.partition(",")[0]) == (LAPSED, str(LAPSED), says)


def test_every_kind_of_change_has_a_name() -> None:
    changes = (*(change for change, _ in BEYOND), MOVED)
    assert {kind_of(one) for one in changes} == set(ChangeKind) - {ChangeKind.UNCHANGED}


def test_a_pinned_source_is_left_out_and_stops_nothing() -> None:
    pinned, known = replace(MOVED, spec=PINNED), {PINNED.address: receipt(PINNED.definition)}
    assert beyond_refresh(cases.plan(pinned), known) == {}
    left = judge(cases.plan(pinned), held(approved(cases.plan(unchanged=1))), now(receipts=known))
    assert left == Judgement(left=(PINNED.address,), finished=("sha256:a",))


def test_new_members_alone_wait_for_it_unless_they_were_approved() -> None:
    at = now(receipts=applied())
    judgement = judge(cases.plan(MOVED), held(approved(cases.plan(unchanged=1))), at)
    assert judgement == Judgement(left=(LAPSED,), finished=("sha256:a",))
    assert judge(cases.plan(MOVED), held(approved(cases.plan(MOVED))), at).covered


def test_a_part_of_a_plan_has_its_own_price_and_says_why() -> None:
    price = restricted(cases.plan(MOVED, CREATED), (), 50_000, ("why",))
    assert (price.changes, price.cost.calls, price.notes, price.left_out) == ((), {}, ("why",), 2)
