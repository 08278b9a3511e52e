"""What an approval covers, rule by rule, and what a shown count may have been."""

from dataclasses import replace
from datetime import timedelta

import pytest
from golden import plan_cases as cases
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.approval import Approved, ApprovedChange, ChangeKind, Use, apart, used
from reconciler.core.envelope import (
    Now,
    Verdict,
    approved_changes,
    beyond_refresh,
    is_refresh,
    judge,
    kind_of,
    members_only,
    needs_approval,
)
from reconciler.core.members import EMPTY, NO_DELTA, Delta
from reconciler.core.model import Address, Seat
from reconciler.core.plan import Adopt, Change, Forget, PatchSegment, Plan, Steps, Turn, Update
from reconciler.core.planner import restricted
from reconciler.core.quantities import shown
from reconciler.core.receipt import Holding, Receipt, Transfer

pytestmark = pytest.mark.promise("approved")

FORGOTTEN = Forget(cases.LAPSED.address, 500, drop=False, reason="it left the manifests")
CREATED = cases.create(cases.LAPSED, 10_000)
MOVED = cases.update(cases.LAPSED, cases.members(10_000, 10_300, Delta(0, 400, 100)))
PINNED = replace(
    cases.LAPSED,
    audience=replace(cases.LAPSED.audience, source=replace(cases.LAPSED.audience.source, pinned=True)),
)


def receipt(definition: str = "", transfer: Transfer | None = None) -> Receipt:
    holding = Holding(cases.LAPSED.key, segment_id="1", transfer=transfer)
    return Receipt(cases.LAPSED.address, holding, definition=definition)


def approved(plan: Plan, receipts: dict[Address, Receipt] | None = None, **differs: object) -> Approved:
    environment = cases.ENVIRONMENT
    made = Approved(
        "sha256:a",
        environment.name,
        environment.api.endpoint,
        dict(environment.seats),
        plan.basis.lineage,
        plan.basis.made_at,
        approved_changes(plan, receipts or {}),
    )
    return replace(made, **differs)


def now(*uses: Use, receipts: dict[Address, Receipt] | None = None, **differs: object) -> Now:
    made = Now(cases.ENVIRONMENT, "7f3a2b1c9d", uses, receipts or {}, cases.NOW)
    return replace(made, **differs)


def judged(then: Change, today: Change, at: Now | None = None, **differs: object) -> Verdict:
    at = at or now()
    return judge(cases.plan(today), [approved(cases.plan(then), dict(at.receipts), **differs)], at)


def why(verdict: Verdict) -> list[str]:
    return [one.problem for one in verdict.findings]


@pytest.mark.parametrize("change", [CREATED, MOVED, FORGOTTEN, cases.replacement(cases.LAPSED, 40)])
def test_the_very_plan_that_was_approved_is_covered(change: Change) -> None:
    verdict = judged(change, change)
    address = frozenset({cases.LAPSED.address})
    assert verdict == Verdict(covered=address, digests=("sha256:a",), held=("sha256:a",))


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000), st.integers(1, 9_000_000))
def test_rounding_alone_refuses_nothing(adds: int, removes: int, size: int) -> None:
    change = cases.update(cases.LAPSED, cases.members(5, size, Delta(0, adds, removes)))
    assert not judged(change, change).findings


@pytest.mark.parametrize(
    ("size", "adds", "fits"),
    [
        (100_000, 2_000 + 4, True),
        (100_000, 2_000 + 5, False),
        (1_000, 104, True),
        (1_000, 105, False),
        (100, 14, True),
        (100, 15, False),
    ],
)
def test_a_count_may_move_by_two_percent_and_a_small_one_by_a_tenth(size: int, adds: int, fits: bool) -> None:
    then = cases.update(cases.LAPSED, cases.members(size, size, Delta(0, 20, 0)), cases.RENAMED)
    today = cases.update(cases.LAPSED, cases.members(size, size, Delta(0, 20 + adds, 0)), cases.RENAMED)
    assert bool(judged(then, today).findings) != fits


def test_a_direction_that_was_zero_counts_too() -> None:
    then = cases.update(cases.LAPSED, cases.members(100, 120, Delta(0, 20, 0)))
    today = cases.update(cases.LAPSED, cases.members(100, 20, Delta(5, 20, 85)))
    [said] = why(judged(then, today))
    assert said.startswith("0 were approved to leave, and now 90 would")
    none = cases.update(cases.LAPSED, cases.members(0, 0, NO_DELTA), cases.RENAMED)
    [said] = why(judged(none, cases.update(cases.LAPSED, cases.members(0, 3, Delta(0, 3, 0)), cases.RENAMED)))
    assert (
        said == "0 were approved to join, and now <10 would: that is further apart than none of its members"
    )


@pytest.mark.parametrize(
    ("differs", "at", "says"),
    [
        ({"environment": "sandbox"}, now(), "the approved plan is one for sandbox"),
        ({"endpoint": "emulator"}, now(), "the approved plan was made for emulator"),
        ({"seats": {"acme": Seat("1", "2")}}, now(), "the seats have changed"),
        ({"lineage": "other"}, now(), "made from another state"),
        ({"made_at": cases.NOW - timedelta(hours=73)}, now(), "is 73.0 hours old, where 72.0 is the limit"),
        ({"made_at": cases.NOW + timedelta(minutes=3)}, now(), "is from the future, 2026-11-24 09:07 UTC"),
        ({}, now(Use("sha256:a", cases.NOW, cases.NOW)), "was applied in full on 2026-11-24 at 09:04 UTC"),
    ],
)
def test_an_approval_that_holds_no_more_covers_nothing(
    differs: dict[str, object], at: Now, says: str
) -> None:
    [said] = why(judged(CREATED, CREATED, at, **differs))
    assert says in said


def test_a_plan_from_before_there_was_a_state_holds_once_there_is_one() -> None:
    assert not judged(CREATED, CREATED, lineage="").findings


@pytest.mark.parametrize(
    ("then", "today", "says"),
    [
        (CREATED, MOVED, "create was approved, and now it is update"),
        (MOVED, FORGOTTEN, "update was approved, and now it is forget"),
        (
            CREATED,
            replace(CREATED, spec=replace(cases.LAPSED, description="other")),
            "its definition is not the one that was approved",
        ),
    ],
)
def test_another_kind_or_another_definition_is_refused(then: Change, today: Change, says: str) -> None:
    assert why(judged(then, today)) == [says]


def test_what_nobody_approved_is_refused_and_said_of_each() -> None:
    other = cases.create(cases.HIGH, 10)
    verdict = judge(cases.plan(CREATED, other), [approved(cases.plan(CREATED))], now())
    assert [(one.where, one.problem) for one in verdict.findings] == [
        (str(cases.HIGH.address), "this change was not approved")
    ]


def test_of_several_approvals_one_that_fits_is_enough_and_each_reason_is_said_once() -> None:
    old = approved(cases.plan(CREATED), made_at=cases.NOW - timedelta(days=9), digest="sha256:old")
    fits = approved(cases.plan(CREATED))
    assert judge(cases.plan(CREATED), [old, fits], now()).digests == ("sha256:a",)
    assert len(judge(cases.plan(CREATED), [old, old], now()).findings) == 1


def test_an_approval_that_is_used_up_stands_in_no_others_way() -> None:
    """Its addresses may have new members by now: those are for the refresh."""
    applied = {cases.LAPSED.address: receipt(cases.LAPSED.definition)}
    spent = approved(cases.plan(MOVED), digest="sha256:spent")
    fresh = approved(cases.plan(cases.create(cases.HIGH, 40)))
    at = now(Use("sha256:spent", cases.NOW, cases.NOW), receipts=applied)
    verdict = judge(cases.plan(MOVED, cases.create(cases.HIGH, 40)), [spent, fresh], at)
    assert verdict.covered == {cases.HIGH.address}
    assert verdict.left == (cases.LAPSED.address,)
    [said] = why(judge(cases.plan(MOVED), [spent], at))
    assert "was applied in full" in said


def test_what_an_interrupted_run_has_left_to_do_is_covered() -> None:
    """The create is done, and so is a part of the members: together they are what was approved."""
    size, target = Delta(0, 10_000, 0), cases.target(10_000).members
    begun = {cases.LAPSED.address: receipt(transfer=Transfer(target, EMPTY, size, acked=6_000))}
    left = cases.update(cases.LAPSED, cases.members(0, 10_000, Delta(0, 4_000, 0), done=6_000))
    started = Use("sha256:a", cases.NOW)
    at = now(started, receipts=begun)
    assert not judge(cases.plan(left), [approved(cases.plan(CREATED))], at).findings
    again = {cases.LAPSED.address: replace(begun[cases.LAPSED.address], definition=cases.LAPSED.definition)}
    assert not judge(cases.plan(left), [approved(cases.plan(CREATED))], now(started, receipts=again)).findings
    strange = now(receipts=begun)
    assert why(judge(cases.plan(left), [approved(cases.plan(CREATED))], strange)) == [
        "create was approved, and now it is update"
    ]
    done = {cases.LAPSED.address: receipt("of another time")}
    much = cases.update(cases.LAPSED, cases.members(0, 20_000, Delta(0, 20_000, 0)))
    [said] = why(judge(cases.plan(much), [approved(cases.plan(CREATED))], now(started, receipts=done)))
    assert said.startswith("10,000 were approved to join, and now 20,000 would")


def test_a_started_approval_covers_no_other_kind_of_change() -> None:
    at = now(Use("sha256:a", cases.NOW), receipts={cases.LAPSED.address: receipt()})
    assert why(judged(MOVED, CREATED, at)) == ["update was approved, and now it is create"]


def test_what_was_interrupted_twice_is_covered_though_no_receipt_tells_all_of_it() -> None:
    """60,000 went before the source moved, 10,000 after it: only those, and the 30,000 left, are known."""
    approval = approved(cases.plan(cases.create(cases.LAPSED, 100_000)))
    begun = receipt(transfer=Transfer(cases.target(99_900).members, EMPTY, Delta(0, 40_000, 0), acked=10_000))
    left = cases.update(cases.LAPSED, cases.members(60_000, 99_900, Delta(0, 30_000, 0), done=10_000))
    at = now(Use("sha256:a", cases.NOW), receipts={cases.LAPSED.address: begun})
    assert judge(cases.plan(left), [approval], at).covered


def test_what_a_started_approval_has_done_it_covers_no_more() -> None:
    """Else it would cover as many again in each run, until all of it has succeeded."""
    began = Use("sha256:a", cases.NOW - timedelta(hours=1))
    filled = replace(
        receipt(cases.LAPSED.definition), current=replace(receipt().current, settled_at=cases.NOW)
    )
    at = now(began, receipts={cases.LAPSED.address: filled})
    again = judge(cases.plan(MOVED), [approved(cases.plan(CREATED))], at)
    assert (again.covered, again.left) == (frozenset(), (cases.LAPSED.address,))
    renamed = cases.update(replace(cases.LAPSED, name="other"), cases.CHANGED, cases.RENAMED)
    assert why(judge(cases.plan(renamed), [approved(cases.plan(CREATED))], at)) == [
        "this change was not approved"
    ]
    moving = Transfer(cases.target(5).members, EMPTY, Delta(0, 0, 0))
    for current in (
        replace(filled.current, transfer=moving),
        replace(filled.current, settled_at=None, patched_at=cases.NOW),
    ):
        at = now(began, receipts={cases.LAPSED.address: replace(filled, current=current)})
        assert judge(cases.plan(MOVED), [approved(cases.plan(MOVED))], at).covered
    earlier = replace(filled, current=replace(filled.current, settled_at=cases.NOW - timedelta(hours=2)))
    at = now(began, receipts={cases.LAPSED.address: earlier})
    assert judge(cases.plan(MOVED), [approved(cases.plan(MOVED))], at).covered


def test_a_size_that_nobody_was_shown_is_refused() -> None:
    """Of an interrupted change the rest was read: the whole must not be sent on top of what is there."""
    then = cases.update(cases.LAPSED, cases.members(1_000, 2_000, Delta(0, 1_000, 0)))
    today = cases.update(cases.LAPSED, cases.members(2_000, 3_000, Delta(0, 1_000, 0)))
    assert why(judged(then, today)) == ["2,000 members were approved in all, and now there would be 3,000"]


def test_forgetting_what_is_there_is_not_forgetting_what_is_gone() -> None:
    gone = replace(FORGOTTEN, drop=True)
    [said] = why(judged(FORGOTTEN, gone))
    assert said == "forgetting it was approved while its segment was there, and it isn't any more"
    assert not judged(gone, gone).findings


def test_a_replacement_counts_what_its_new_segment_has_taken() -> None:
    change = cases.replacement(cases.LAPSED, 10_000)
    half = replace(change, members=cases.members(0, 10_000, Delta(0, 4_000, 0), done=6_000))
    moving = Transfer(cases.target(10_000).members, EMPTY, Delta(0, 10_000, 0), acked=6_000)
    begun = replace(receipt(), successor=Holding(cases.LAPSED.key, transfer=moving))
    at = now(receipts={cases.LAPSED.address: begun})
    assert not judge(cases.plan(half), [approved(cases.plan(change))], at).findings


def test_new_members_alone_wait_for_the_refresh_unless_they_were_approved() -> None:
    applied = {cases.LAPSED.address: receipt(cases.LAPSED.definition)}
    at = now(receipts=applied)
    verdict = judge(cases.plan(MOVED), [approved(cases.plan(unchanged=1))], at)
    assert verdict == Verdict(left=(cases.LAPSED.address,), held=("sha256:a",))
    assert judge(cases.plan(MOVED), [approved(cases.plan(MOVED))], at).covered
    price = restricted(cases.plan(MOVED, CREATED), (), 50_000, ("why",))
    assert (price.changes, price.cost.calls, price.notes) == ((), {}, ("why",))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("ab" * 16, []),
        ("cd" * 16, ["its source is pinned, and its people are not the ones that were approved"]),
        (
            "",
            [
                (
                    "its source is pinned, and the plan was made before there was a state that can name "
                    "people; apply it once without `pinned`"
                )
            ],
        ),
    ],
)
def test_a_pinned_source_needs_the_very_people(content: str, says: list[str]) -> None:
    change = replace(CREATED, spec=PINNED)
    then = approved(cases.plan(change))
    [one] = then.changes
    assert one.content == "ab" * 16
    then = replace(then, changes=(replace(one, content=content),))
    assert why(judge(cases.plan(change), [then], now())) == says
    assert len(needs_approval(cases.plan(change, MOVED))) == 1


def test_without_a_state_no_people_are_named() -> None:
    [one, other] = approved_changes(cases.plan(CREATED, unchanged=1, serial=0), {})
    assert (one.content, other.content, other.kind) == ("", "", ChangeKind.UNCHANGED)


def test_a_refresh_is_new_members_of_what_was_applied_and_no_more() -> None:
    applied = {cases.LAPSED.address: receipt(cases.LAPSED.definition)}
    assert is_refresh(MOVED, applied)
    assert not is_refresh(MOVED, {})
    assert not is_refresh(MOVED, {cases.LAPSED.address: receipt("other")})
    renamed = cases.update(cases.LAPSED, cases.CHANGED, cases.RENAMED)
    assert is_refresh(renamed, applied)
    alone = members_only(renamed)
    assert alone is not None
    assert (alone.attributes, alone.steps) == ((), Steps(transfer=renamed.steps.transfer))
    assert members_only(cases.update(cases.LAPSED, cases.STILL, cases.RENAMED)) is None
    assert members_only(CREATED) is None
    released = PatchSegment("current", "1", "n", turn=Turn.RELEASE)
    swapped = replace(MOVED, steps=replace(MOVED.steps, prelude=(released,)))
    assert is_refresh(swapped, applied)
    alone = judge(cases.plan(swapped), [approved(cases.plan(unchanged=1))], now(receipts=applied))
    assert why(alone) == ["this change was not approved"]
    adopted = Adopt(cases.LAPSED, (), cases.CHANGED, Steps(), "back")
    every: list[Change] = [CREATED, adopted, FORGOTTEN, cases.replacement(cases.LAPSED, 3)]
    findings = beyond_refresh(cases.plan(MOVED, *every), applied)
    assert [one.problem.partition(",")[0] for one in findings] == [
        "it is to be created",
        "it is to be managed again",
        "it is to be forgotten",
        "it is to be replaced",
    ]
    pinned: Update = replace(MOVED, spec=PINNED)
    known = {PINNED.address: receipt(PINNED.definition)}
    assert beyond_refresh(cases.plan(pinned), known) == ()
    left = judge(cases.plan(pinned), [approved(cases.plan(unchanged=1))], now(receipts=known))
    assert left == Verdict(pinned=(PINNED.address,), held=("sha256:a",))
    assert {kind_of(one) for one in (*every, MOVED)} == set(ChangeKind) - {ChangeKind.UNCHANGED}


@given(st.integers(0, 10**9))
def test_a_shown_count_is_never_apart_from_what_it_was(number: int) -> None:
    assert apart(shown(number), number) == 0


@pytest.mark.parametrize(
    ("count", "number", "distance"),
    [
        (0, 0, 0),
        (0, 3, 3),
        ("<10", 0, 1),
        ("<10", 12, 3),
        (10, 9, 1),
        (10, 15, 1),
        (100, 94, 1),
        (100, 105, 1),
    ],
)
def test_distances_begin_where_a_count_would_read_otherwise(
    count: int | str, number: int, distance: int
) -> None:
    assert apart(count, number) == distance


def test_of_marks_the_newest_of_each_approval_is_kept_and_the_old_ones_go() -> None:
    old, begun = Use("sha256:old", cases.NOW - timedelta(hours=1)), Use("sha256:a", cases.NOW)
    done = replace(begun, completed_at=cases.NOW)
    assert used((old, begun), done, cases.NOW) == (done,)
    assert used((old, begun), done, old.started_at) == (old, done)


def test_an_approval_knows_its_addresses() -> None:
    change = ApprovedChange(cases.LAPSED.address, ChangeKind.CREATE, "", 0, 0, 0)
    made = approved(cases.plan())
    assert replace(made, changes=(change,)).change(cases.LAPSED.address) == change
    assert made.change(cases.LAPSED.address) is None
