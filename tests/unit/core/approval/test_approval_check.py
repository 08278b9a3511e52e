"""What an approval covers, rule by rule, and the possible values of a rounded count."""

from dataclasses import replace
from datetime import timedelta

import pytest
from golden import plan_cases as cases
from hypothesis import given
from hypothesis import strategies as st
from support.approvals import (
    CREATED,
    FORGOTTEN,
    LAPSED,
    MOVED,
    PINNED,
    applied,
    approved,
    held,
    judged,
    now,
    why,
)

from reconciler.core.approval.approved_changes import approved_changes
from reconciler.core.approval.check import ApprovalCheck, check_approvals, needs_approval
from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.model import ApprovalRecord, ApprovedChange, distance, record_approval
from reconciler.core.errors import Finding
from reconciler.core.members import NO_DELTA, Delta, ListMatches, ReadList, SnapshotRef
from reconciler.core.model import ApprovalLimits, Hashing, IdentifierType, Seat, SourceLocation
from reconciler.core.plan.change_kinds import Cause, ChangeKind
from reconciler.core.plan.changes import Change
from reconciler.core.plan.model import Blocked
from reconciler.core.rounding import LessThan, RoundedCount, rounded_count

pytestmark = pytest.mark.promise("approved")

WITHIN = "(approval.tolerance: 2%, or a tenth up to 100 members)"


@pytest.mark.parametrize("change", [CREATED, MOVED, FORGOTTEN, cases.replacement(cases.LAPSED, 40)])
def test_the_approved_plan_is_covered(change: Change) -> None:
    status = judged(change, change)
    used = ("sha256:a",)
    assert status == ApprovalCheck(covered=frozenset({LAPSED}), used_digests=used, completed=used)


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000), st.integers(1, 9_000_000))
def test_rounding_alone_refuses_nothing(adds: int, removes: int, size: int) -> None:
    change = cases.update(cases.LAPSED, cases.members(5, size, Delta(0, adds, removes)))
    assert not judged(change, change).findings


@pytest.mark.parametrize(
    ("size", "adds", "fits"),
    [
        (100_000, 2_000 + 4, True),
        (100_000, 2_000 + 5, False),
        (2_000, 104, True),
        (2_000, 105, False),
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
    assert why(judged(then, today)) == [f"removals: approved 0, now 90; limit ±12 {WITHIN}"]
    none = cases.update(cases.LAPSED, cases.members(0, 0, NO_DELTA), cases.RENAMED)
    few = cases.update(cases.LAPSED, cases.members(0, 3, Delta(0, 3, 0)), cases.RENAMED)
    assert why(judged(none, few)) == [f"additions: approved 0, now <10; limit ±0 {WITHIN}"]


@pytest.mark.parametrize(
    ("differs", "at", "says"),
    [
        (
            {"environment": "sandbox"},
            now(),
            "approved for sandbox, not production: give the plan of production",
        ),
        (
            {"endpoint": "emulator"},
            now(),
            "approved for emulator; production is at https://api.criteo.com",
        ),
        (
            {"seats": {"acme": Seat("1", "2")}},
            now(),
            (
                "approved for seat acme as account 1, retailer 2; now "
                "account 368477501993431040, retailer 3239117063738827231"
            ),
        ),
        (
            {"seats": {"acme": cases.SEAT, "beta": Seat("1", "2")}},
            now(environment=cases.SEATED),
            "approved for seat beta as account 1, retailer 2; now account 41, retailer 7",
        ),
        (
            {"seats": {"acme": cases.SEAT, "beta": Seat("1", "2")}},
            now(),
            "approved for seat beta as account 1, retailer 2; now none",
        ),
        (
            {"lineage": "0123456789"},
            now(),
            "approved for a state of lineage 01234567, and there is lineage 7f3a2b1c",
        ),
        (
            {},
            now(lineage=""),
            "approved for a state of lineage 7f3a2b1c, and there is none yet",
        ),
        (
            {"made_at": cases.NOW - timedelta(hours=73)},
            now(),
            "approval expired: created on 2026-11-21 at 08:04 UTC, maxAge 3 days",
        ),
        (
            {"made_at": cases.NOW - timedelta(hours=72, seconds=1)},
            now(),
            "approval expired: created on 2026-11-21 at 09:03 UTC, maxAge 3 days",
        ),
        (
            {"made_at": cases.NOW - timedelta(seconds=91)},
            now(
                environment=replace(
                    cases.ENVIRONMENT, approval_limits=ApprovalLimits(max_age=timedelta(seconds=90))
                )
            ),
            "maxAge 1 minute 30 seconds",
        ),
        (
            {"made_at": cases.NOW - timedelta(seconds=2)},
            now(environment=replace(cases.ENVIRONMENT, approval_limits=ApprovalLimits(max_age=timedelta(0)))),
            "maxAge 0 seconds",
        ),
        ({"made_at": cases.NOW + timedelta(minutes=3)}, now(), "is from the future, 2026-11-24 09:07 UTC"),
        (
            {},
            now(ApprovalRecord("sha256:a", cases.NOW, cases.NOW)),
            "was applied in full on 2026-11-24 at 09:04 UTC",
        ),
    ],
)
def test_an_approval_that_holds_no_more_covers_nothing(
    differs: dict[str, object], at: CheckContext, says: str
) -> None:
    for today in (CREATED, MOVED):
        [reported] = judged(CREATED, today, at, **differs).findings
        assert reported.where == "plan-1.json"
        assert says in reported.problem


def test_an_approval_holds_until_it_is_as_old_as_it_may_be() -> None:
    assert judged(CREATED, CREATED, made_at=cases.NOW - timedelta(hours=72)).covered
    assert judged(CREATED, CREATED, made_at=cases.NOW + timedelta(minutes=2)).covered


def test_an_approval_for_elsewhere_is_refused_whatever_there_is_to_do() -> None:
    """Once, and also where a refresh would do all of it, or nothing is left to do."""
    at = now(resources=applied())
    stranger = approved(cases.plan(CREATED), environment="sandbox")
    for plan in (cases.plan(MOVED), cases.plan(unchanged=3), cases.plan(MOVED, cases.create(cases.HIGH, 4))):
        reported = check_approvals(plan, held(stranger), at).findings
        assert [one.problem for one in reported].count(
            "approved for sandbox, not production: give the plan of production"
        ) == 1


def test_an_old_approval_of_which_nothing_is_left_to_do_is_no_harm() -> None:
    old = approved(cases.plan(CREATED), made_at=cases.NOW - timedelta(days=9))
    done = now(resources=applied())
    assert check_approvals(cases.plan(unchanged=1), held(old), done) == ApprovalCheck()
    assert check_approvals(cases.plan(unchanged=1), held(old), replace(done, all_addresses=False)).findings
    assert check_approvals(cases.plan(unchanged=1), held(old), now()).findings


def test_of_an_approval_that_holds_no_more_what_it_did_not_name_is_reported_beside_it() -> None:
    old = approved(cases.plan(CREATED), made_at=cases.NOW - timedelta(days=9))
    reported = check_approvals(cases.plan(CREATED, cases.create(cases.HIGH, 4)), held(old), now()).findings
    assert [one.where for one in reported] == [str(cases.HIGH.address), "plan-1.json"]


def test_a_plan_from_before_there_was_a_state_holds_once_there_is_one() -> None:
    assert not judged(CREATED, CREATED, lineage="").findings


@pytest.mark.parametrize(
    ("then", "today", "says"),
    [
        (CREATED, MOVED, "approved as create, now update"),
        (MOVED, FORGOTTEN, "approved as update, now forget"),
        (
            CREATED,
            replace(CREATED, spec=replace(cases.LAPSED, description="other")),
            "its definition is not the approved one",
        ),
    ],
)
def test_another_kind_or_another_definition_is_refused(then: Change, today: Change, says: str) -> None:
    assert why(judged(then, today)) == [says]


def test_each_unapproved_change_is_refused_and_named() -> None:
    other = cases.create(cases.HIGH, 10)
    status = check_approvals(cases.plan(CREATED, other), held(approved(cases.plan(CREATED))), now())
    assert (status.findings, status.covered) == ((), frozenset({LAPSED}))
    assert {at: [one.problem for one in said] for at, said in status.refused.items()} == {
        cases.HIGH.address: ["this change was not approved"]
    }


def test_if_nothing_is_covered_every_reason_is_reported() -> None:
    other = cases.create(cases.HIGH, 10)
    status = check_approvals(cases.plan(other), held(approved(cases.plan(CREATED))), now())
    assert [one.where for one in status.findings] == [str(cases.HIGH.address)]
    assert not status.covered


def test_an_approval_stays_open_until_all_its_addresses_are_done() -> None:
    """One is blocked today: the other is applied, and the approval waits for the first."""
    other = cases.create(cases.HIGH, 10)
    both = held(approved(cases.plan(CREATED, other)))
    stopped = Blocked(cases.HIGH.address, Finding("", "why"), Cause.GUARD)
    status = check_approvals(replace(cases.plan(CREATED), blocked=(stopped,)), both, now())
    assert (status.covered, status.completed, status.findings) == (frozenset({LAPSED}), (), ())
    assert status.not_requested == (), "it is asked for, and blocked"
    assert check_approvals(cases.plan(CREATED, other), both, now()).completed == ("sha256:a",)


def test_members_of_a_blocked_address_are_not_done_because_its_definition_is() -> None:
    """The approval is for members; the resource state shows the approved definition already."""
    other = cases.create(cases.HIGH, 10)
    approval = held(approved(cases.plan(MOVED, other), applied()))
    stopped = Blocked(LAPSED, Finding("", "why"), Cause.SOURCE)
    assert (
        check_approvals(
            replace(cases.plan(other), blocked=(stopped,)), approval, now(resources=applied())
        ).completed
        == ()
    )


def test_what_depends_on_a_change_that_is_not_covered_is_not_covered_either() -> None:
    other = cases.create(cases.HIGH, 10)
    taking = replace(cases.plan(CREATED, other), givers={LAPSED: frozenset({cases.HIGH.address})})
    status = check_approvals(taking, held(approved(cases.plan(CREATED))), now())
    assert not status.covered
    assert [one.where for one in status.findings] == [str(cases.HIGH.address)]


def test_of_several_approvals_one_that_fits_is_enough_and_each_reason_is_said_once() -> None:
    old = approved(cases.plan(CREATED), made_at=cases.NOW - timedelta(days=9), digest="sha256:old")
    fits = approved(cases.plan(CREATED))
    assert check_approvals(cases.plan(CREATED), held(old, fits), now()).used_digests == ("sha256:a",)
    other = cases.create(cases.LAPSED, 20_000)
    [said] = why(check_approvals(cases.plan(other), held(fits, replace(fits, digest="sha256:b")), now()))
    assert said.startswith("additions: approved 10,000, now 20,000")
    reported = check_approvals(cases.plan(other), held(old, fits), now()).findings
    assert [one.where for one in reported] == [str(LAPSED), "plan-1.json"]


def test_a_size_outside_the_shown_range_is_refused() -> None:
    """Of an interrupted change the rest was read: the whole must not be sent on top of what is there."""
    then = cases.update(cases.LAPSED, cases.members(1_000, 2_000, Delta(0, 1_000, 0)))
    today = cases.update(cases.LAPSED, cases.members(2_000, 3_000, Delta(0, 1_000, 0)))
    [said] = why(judged(then, today))
    assert said == f"members: approved 2,000, now 3,000; limit ±200, twice that of additions {WITHIN}"


@pytest.mark.parametrize(("more", "fits"), [(204, True), (205, False), (-205, True), (-206, False)])
def test_a_size_may_differ_by_twice_as_much(more: int, fits: bool) -> None:
    then = cases.update(cases.LAPSED, cases.members(1_000, 2_000, Delta(0, 1_000, 0)))
    today = cases.update(cases.LAPSED, cases.members(1_000, 2_000 + more, Delta(0, 1_000, 0)))
    assert bool(judged(then, today).findings) != fits


def test_an_approved_forget_depends_on_the_segment() -> None:
    gone = replace(FORGOTTEN, drop_state=True)
    [said] = why(judged(FORGOTTEN, gone))
    assert said == "approved while its segment was there; that has changed"
    assert not judged(gone, gone).findings


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("ab" * 16, []),
        ("cd" * 16, ["its source is pinned, and its members are not the approved ones"]),
        (
            "",
            [("its source is pinned, and the plan is older than the state; apply it once without `pinned`")],
        ),
    ],
)
def test_a_pinned_source_needs_the_approved_members(content: str, says: list[str]) -> None:
    change = replace(CREATED, spec=PINNED)
    then = approved(cases.plan(change))
    [one] = then.changes
    assert one.members_digest == "ab" * 16
    then = replace(then, changes=(replace(one, members_digest=content),))
    assert why(check_approvals(cases.plan(change), held(then), now())) == says
    assert len(needs_approval(cases.plan(change, MOVED))) == 1


def test_without_a_state_no_people_are_named() -> None:
    [one, other] = approved_changes(cases.plan(CREATED, unchanged=1, serial=0), {})
    assert (one.members_digest, other.members_digest, other.kind) == ("", "", ChangeKind.UNCHANGED)


@given(st.integers(0, 10**9))
def test_a_shown_count_is_never_apart_from_what_it_was(number: int) -> None:
    assert distance(rounded_count(number), number) == 0


@pytest.mark.parametrize(
    ("count", "number", "expected"),
    [
        (0, 0, 0),
        (0, 3, 3),
        (LessThan(10), 0, 1),
        (LessThan(10), 12, 3),
        (10, 9, 1),
        (10, 15, 1),
        (100, 94, 1),
        (100, 105, 1),
    ],
)
def test_distances_begin_where_a_count_would_read_otherwise(
    count: RoundedCount, number: int, expected: int
) -> None:
    assert distance(count, number) == expected


def test_of_marks_the_newest_of_each_approval_is_kept_and_the_old_ones_go() -> None:
    old, begun = (
        ApprovalRecord("sha256:old", cases.NOW - timedelta(hours=1)),
        ApprovalRecord("sha256:a", cases.NOW),
    )
    done = replace(begun, completed_at=cases.NOW)
    assert record_approval((old, begun), done, cases.NOW) == (done,)
    assert record_approval((old, begun), done, old.started_at) == (old, done)


def test_an_approval_knows_its_addresses() -> None:
    change = ApprovedChange(cases.LAPSED.address, ChangeKind.CREATE, "", 0, 0, 0)
    made = approved(cases.plan())
    assert replace(made, changes=(change,)).change(cases.LAPSED.address) == change
    assert made.change(cases.LAPSED.address) is None


def test_what_is_widened_beside_the_review_widens_nothing() -> None:
    """The narrower of what was said then and what is said now, of both."""
    wide, narrow = ApprovalLimits(1.0, timedelta(days=400)), cases.ENVIRONMENT.approval_limits
    much = cases.update(cases.LAPSED, cases.members(10_000, 14_000, Delta(0, 4_000, 0)))
    for then, today in ((narrow, wide), (wide, narrow)):
        at = now(environment=replace(cases.ENVIRONMENT, approval_limits=today))
        [said] = why(judged(MOVED, much, at, limits=then))
        assert said.startswith("additions: approved 400, now 4,000;")
        [said] = why(judged(MOVED, MOVED, at, limits=then, made_at=cases.NOW - timedelta(days=4)))
        assert "maxAge 3 days" in said
    at = now(environment=replace(cases.ENVIRONMENT, approval_limits=wide))
    assert judged(MOVED, much, at, limits=wide).covered


# ---- exclusion lists


def excluding(size: int, found: int, kind: IdentifierType = IdentifierType.EMAIL) -> ReadList:
    matches = ListMatches(kind, Hashing.NONE, SnapshotRef("f", found))
    place = SourceLocation("lapsed.yaml", 9, 5)
    return ReadList(("out.csv",), kind, SnapshotRef("m", size), size, 0, 0.05, place, matches)


def under(*lists: ReadList) -> Change:
    members = cases.members(100, 120, Delta(0, 20, 0))
    return cases.update(cases.LAPSED, replace(members, target=replace(members.target, lists=lists)))


@pytest.mark.parametrize(
    ("size", "found", "says"),
    [
        (1000, 90, ""),
        (946, 90, ""),
        (
            945,
            90,
            "members of the exclusion list out.csv (Email): approved 1,000, now 950; at most 5% fewer ",
        ),
        (1, 90, "members of the exclusion list out.csv (Email): approved 1,000, now <10; at most 5% fewer "),
        (5000, 77, ""),
        (5000, 76, "members of the exclusion list out.csv (Email) in the source: approved 90, now 80; "),
        (1000, 0, "members of the exclusion list out.csv (Email) in the source: approved 90, now 0; "),
    ],
)
def test_a_list_that_has_lost_members_since_is_not_the_one_that_was_approved(
    size: int, found: int, says: str
) -> None:
    said = why(judged(under(excluding(1000, 90)), under(excluding(size, found))))
    assert [one.startswith(says) for one in said] == ([True] if says else [])


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_rounding_alone_refuses_no_list(size: int, found: int) -> None:
    change = under(excluding(size, found), excluding(found, size, IdentifierType.CUSTOMER_ID))
    assert not judged(change, change).findings


def test_a_plan_that_says_nothing_of_its_lists_approves_none() -> None:
    said = why(judged(under(), under(excluding(1000, 90))))
    assert said == ["its suppression and exclusion lists are not the approved ones"]
