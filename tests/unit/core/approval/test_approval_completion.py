"""Which changes of an approval are done, left, or deferred to a members-only apply."""

from dataclasses import replace
from datetime import timedelta

import pytest
from golden import plan_cases as cases
from support.approvals import (
    CREATED,
    FORGOTTEN,
    LAPSED,
    MOVED,
    PINNED,
    REFILLED,
    applied,
    approved,
    held,
    judged,
    now,
    resource,
    why,
)

from reconciler.core.approval.check import ApprovalCheck, check_approvals
from reconciler.core.approval.context import CheckContext
from reconciler.core.approval.model import ApprovalRecord, ApprovedPlan
from reconciler.core.members import EMPTY_SNAPSHOT, NO_DELTA, Delta
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import Adopt, Change
from reconciler.core.plan.model import Plan
from reconciler.core.plan.steps import Steps
from reconciler.core.state.resource import ResourceState, SegmentState, Transfer

pytestmark = pytest.mark.promise("approved")

BEGAN = ApprovalRecord("sha256:a", cases.NOW - timedelta(hours=1))
EARLIER = cases.NOW - timedelta(hours=2)
A_DAY_AGO = cases.NOW - timedelta(days=1)
MUCH = cases.update(cases.LAPSED, cases.members(10_000, 60_000, Delta(0, 50_000, 0)))
FILLED = cases.create(cases.HIGH, 40)
STILL = cases.update(cases.LAPSED, cases.members(10_000, 10_000, NO_DELTA))
REPAIRED = cases.update(cases.LAPSED, cases.members(10_000, 10_000, NO_DELTA), cases.RENAMED)
HALF = Transfer(cases.target(5).members, EMPTY_SNAPSHOT, Delta(0, 5, 0))


def a_day_ago(*changes: Change) -> ApprovedPlan:
    return approved(cases.plan(*changes), made_at=A_DAY_AGO)


# ---- Left to the refresh


def test_what_the_refresh_has_sent_a_part_of_keeps_nothing_else_away() -> None:
    """Approved: 50,000 in and out, and a create. The refresh sent the first; a few have moved since."""
    then = cases.update(cases.LAPSED, cases.members(100_000, 100_000, Delta(0, 50_000, 50_000)))
    today = cases.update(cases.LAPSED, cases.members(100_000, 100_000, Delta(0, 1_000, 1_000)))
    at = now(resources=applied(completed_at=A_DAY_AGO))
    judgement = check_approvals(cases.plan(today, FILLED), held(a_day_ago(then, FILLED)), at)
    assert (judgement.covered, judgement.deferred) == ({cases.HIGH.address}, (LAPSED,))
    assert judgement.completed == ("sha256:a",)


def test_what_moved_with_nothing_sent_since_is_refused() -> None:
    for touched in (None, A_DAY_AGO - timedelta(seconds=1)):
        at = now(resources=applied(completed_at=touched))
        [said] = why(check_approvals(cases.plan(MOVED), held(a_day_ago(MUCH)), at))
        assert said.startswith("additions: approved 50,000, now 400;")


def test_a_started_approval_leaves_to_the_refresh_what_has_moved_since() -> None:
    at = now(BEGAN, resources=applied(completed_at=EARLIER))
    judgement = check_approvals(cases.plan(MOVED, FILLED), held(a_day_ago(MUCH, FILLED)), at)
    assert (judgement.covered, judgement.deferred) == ({cases.HIGH.address}, (LAPSED,))


def test_it_is_the_newest_of_several_approvals_since_which_something_was_sent() -> None:
    at = now(resources=applied(completed_at=A_DAY_AGO))
    newer = approved(cases.plan(MUCH), digest="sha256:b", made_at=EARLIER)
    for order in (held(a_day_ago(MUCH), newer), held(newer, a_day_ago(MUCH))):
        assert len(check_approvals(cases.plan(MOVED), order, at).findings) == 1


def test_what_is_more_than_members_waits_for_no_refresh() -> None:
    at = now(resources={LAPSED: resource("other", completed_at=cases.NOW)})
    [said] = why(check_approvals(cases.plan(MOVED), held(a_day_ago(MUCH)), at))
    assert said.startswith("members: approved 60,000, now 10,300;")


def test_a_definition_is_applied_though_the_refresh_has_sent_its_members() -> None:
    """Approved: a title, and 300 of 10,000. The refresh sent those, or none has: only the first is known."""
    then = a_day_ago(cases.update(cases.LAPSED, cases.members(10_000, 10_300, Delta(0, 300, 0))))
    left = cases.update(cases.LAPSED, cases.members(10_300, 10_300, NO_DELTA), cases.RENAMED)
    refreshed = now(resources={LAPSED: resource("other", completed_at=cases.NOW)})
    assert check_approvals(cases.plan(left), held(then), refreshed).covered == {LAPSED}
    before = now(resources={LAPSED: resource("other", completed_at=A_DAY_AGO - timedelta(seconds=1))})
    [said] = why(check_approvals(cases.plan(left), held(then), before))
    assert said.startswith("additions: approved 300, now 0;")


def test_what_was_done_before_a_run_began_is_not_done_by_it_once_more() -> None:
    """The refresh sent this part between the plan and the first run with it, which another address began."""
    begun = ApprovalRecord("sha256:a", cases.NOW - timedelta(minutes=5))
    at = now(begun, resources=applied(completed_at=EARLIER))
    judgement = check_approvals(cases.plan(MOVED, FILLED), held(a_day_ago(MOVED, FILLED)), at)
    assert (judgement.covered, judgement.deferred) == ({cases.HIGH.address}, (LAPSED,))


def test_an_address_that_no_run_has_touched_waits_for_none() -> None:
    """The approval was begun by another address."""
    at = now(BEGAN, resources=applied(completed_at=A_DAY_AGO - timedelta(seconds=1)))
    [said] = why(check_approvals(cases.plan(MOVED), held(a_day_ago(MUCH, FILLED)), at))
    assert said.startswith("members: approved 60,000, now 10,300;")


def test_a_newer_plan_that_had_nothing_to_do_for_an_address_leaves_nothing_of_it() -> None:
    """It came back by an approval that is used up by now."""
    forgetting = a_day_ago(FORGOTTEN)
    after = approved(cases.plan(), digest="sha256:b", made_at=EARLIER)
    [gone] = forgetting.changes
    still = replace(after, changes=(replace(gone, kind=ChangeKind.UNCHANGED),))
    at = now(ApprovalRecord("sha256:b", EARLIER, EARLIER), resources=applied())
    assert why(check_approvals(cases.plan(), held(forgetting), at)) == [
        f"approved but not in these manifests: {gone.address}"
    ]
    assert check_approvals(cases.plan(), held(forgetting, still), at).completed == ("sha256:a",)


def test_what_another_approval_has_done_is_not_done_once_more() -> None:
    """Two plans of one change; the first was applied, and as many people have changed again since."""
    much = cases.update(cases.LAPSED, cases.members(100_000, 100_000, Delta(0, 50_000, 50_000)))
    judgement = check_approvals(
        cases.plan(much), held(a_day_ago(much)), now(resources=applied(completed_at=EARLIER))
    )
    assert (judgement.covered, judgement.deferred, judgement.findings) == (frozenset(), (LAPSED,), ())


def test_a_pinned_source_waits_for_no_refresh() -> None:
    """No refresh would send it."""
    pinned = replace(MOVED, spec=PINNED)
    then = a_day_ago(pinned)
    [one] = then.changes
    then = replace(then, changes=(replace(one, members_digest="cd" * 16),))
    at = now(resources={LAPSED: resource(PINNED.definition, completed_at=cases.NOW)})
    assert why(check_approvals(cases.plan(pinned), held(then), at)) == [
        "its source is pinned, and its members are not the approved ones"
    ]


# ---- What an interrupted run has left


def test_what_an_interrupted_run_has_left_to_do_is_covered() -> None:
    """The create is done, and so is a part of the members: together they are what was approved."""
    target = cases.target(10_000).members
    begun = resource(transfer=Transfer(target, EMPTY_SNAPSHOT, Delta(0, 10_000, 0), acknowledged=6_000))
    left = cases.update(cases.LAPSED, cases.members(0, 10_000, Delta(0, 4_000, 0), done=6_000))
    for known in (begun, replace(begun, definition=cases.LAPSED.definition)):
        at = now(BEGAN, resources={LAPSED: known})
        assert check_approvals(cases.plan(left), held(approved(cases.plan(CREATED))), at).covered


def test_without_a_start_there_is_nothing_to_go_on_with() -> None:
    at = now(resources={LAPSED: resource(transfer=HALF)})
    assert why(check_approvals(cases.plan(MOVED), held(approved(cases.plan(CREATED))), at)) == [
        "approved as create, now update"
    ]


def test_a_started_approval_is_no_leave_to_send_more() -> None:
    at = now(BEGAN, resources={LAPSED: resource("of another time")})
    much = cases.update(cases.LAPSED, cases.members(0, 20_000, Delta(0, 20_000, 0)))
    [said] = why(check_approvals(cases.plan(much), held(approved(cases.plan(CREATED))), at))
    assert said.startswith("additions: approved 10,000, now 20,000;")


def test_a_started_approval_covers_no_other_kind_of_change() -> None:
    at = now(BEGAN, resources={LAPSED: resource()})
    assert why(judged(MOVED, CREATED, at)) == ["approved as update, now create"]
    assert why(judged(MOVED, FORGOTTEN, at)) == ["approved as update, now forget"]
    assert why(judged(FORGOTTEN, CREATED, now(BEGAN))) == ["approved as forget, now create"]


def test_a_run_killed_before_saving_the_definition_resumes() -> None:
    """All members are completed_size; no call is left, and the definition is to be recorded."""
    at = now(BEGAN, resources={LAPSED: resource(completed_at=cases.NOW)})
    assert check_approvals(cases.plan(STILL), held(approved(cases.plan(CREATED))), at).covered


def test_what_was_interrupted_twice_is_covered_though_no_resource_state_tells_all_of_it() -> None:
    """60,000 went before the source moved, 10,000 after it: only those, and the 30,000 left, are known."""
    approval = approved(cases.plan(cases.create(cases.LAPSED, 100_000)))
    begun = resource(
        transfer=Transfer(
            cases.target(99_900).members, EMPTY_SNAPSHOT, Delta(0, 40_000, 0), acknowledged=10_000
        )
    )
    left = cases.update(cases.LAPSED, cases.members(60_000, 99_900, Delta(0, 30_000, 0), done=10_000))
    assert check_approvals(cases.plan(left), held(approval), now(BEGAN, resources={LAPSED: begun})).covered


def test_a_replacement_counts_what_its_new_segment_has_taken() -> None:
    change = cases.replacement(cases.LAPSED, 10_000)
    half = replace(change, members=cases.members(0, 10_000, Delta(0, 4_000, 0), done=6_000))
    moving = Transfer(cases.target(10_000).members, EMPTY_SNAPSHOT, Delta(0, 10_000, 0), acknowledged=6_000)
    begun = replace(resource(), replacement=SegmentState(cases.LAPSED.key, transfer=moving))
    at = now(resources={LAPSED: begun})
    assert not check_approvals(cases.plan(half), held(approved(cases.plan(change))), at).findings


def test_what_an_interrupted_refill_has_left_to_send_is_covered() -> None:
    begun = applied(transfer=HALF, completed_at=cases.NOW - timedelta(days=2))
    left = cases.update(cases.LAPSED, cases.members(0, 10_000, Delta(0, 4_000, 0), done=6_000))
    approval = held(approved(cases.plan(REFILLED)))
    assert check_approvals(cases.plan(left), approval, now(BEGAN, resources=begun)).covered
    assert not check_approvals(cases.plan(left), approval, now(resources=begun)).covered


# ---- What a started approval has done, it covers no more


@pytest.mark.parametrize("completed", [BEGAN.started_at, cases.NOW])
@pytest.mark.parametrize("then", [CREATED, MOVED])
def test_what_a_started_approval_has_done_it_covers_no_more(then: Change, completed: object) -> None:
    """Else it would cover as many again in each run, until all of it has succeeded."""
    at = now(BEGAN, resources=applied(completed_at=completed))
    again = check_approvals(cases.plan(MOVED), held(approved(cases.plan(then))), at)
    assert (again.covered, again.deferred) == (frozenset(), (LAPSED,))
    renamed = cases.update(replace(cases.LAPSED, name="other"), cases.CHANGED, cases.RENAMED)
    assert why(check_approvals(cases.plan(renamed), held(approved(cases.plan(then))), at)) == [
        "this change was not approved"
    ]


@pytest.mark.parametrize(
    "known",
    [
        applied(completed_at=cases.NOW, transfer=HALF),
        applied(updated_at=cases.NOW),
        applied(completed_at=EARLIER),
        {LAPSED: resource("other", completed_at=cases.NOW)},
    ],
)
def test_what_it_has_not_done_in_full_it_still_covers(known: dict[object, ResourceState]) -> None:
    assert check_approvals(
        cases.plan(MOVED), held(approved(cases.plan(MOVED))), now(BEGAN, resources=known)
    ).covered


ADOPTED = Adopt(cases.LAPSED, (), STILL.members, Steps(), "back")


@pytest.mark.parametrize("then", [ADOPTED, STILL])
def test_a_run_resumes_after_an_address_without_requests(then: Change) -> None:
    """A definition was written down, and members have moved since: those are for the refresh."""
    few = cases.update(cases.LAPSED, cases.members(10_000, 10_010, Delta(0, 10, 0)))
    at = now(BEGAN, resources=applied(completed_at=EARLIER))
    for moved in (MUCH, few):
        judgement = check_approvals(cases.plan(moved, FILLED), held(a_day_ago(then, FILLED)), at)
        assert (judgement.covered, judgement.deferred) == ({cases.HIGH.address}, (LAPSED,))


def test_what_is_forgotten_still_is_to_be_managed_again() -> None:
    forgotten = {LAPSED: replace(resource(cases.LAPSED.definition), forgotten_at=EARLIER)}
    assert check_approvals(
        cases.plan(ADOPTED), held(a_day_ago(ADOPTED)), now(BEGAN, resources=forgotten)
    ).covered


def test_a_name_that_was_approved_is_repaired_although_members_went_out_in_between() -> None:
    """By a refresh, which let the name alone."""
    for patched in (None, EARLIER):
        at = now(BEGAN, resources=applied(completed_at=cases.NOW, updated_at=patched))
        assert check_approvals(cases.plan(REPAIRED), held(a_day_ago(REPAIRED)), at).covered


def test_a_name_that_was_repaired_is_not_repaired_again() -> None:
    at = now(BEGAN, resources=applied(updated_at=BEGAN.started_at))
    judgement = check_approvals(cases.plan(REPAIRED), held(a_day_ago(REPAIRED)), at)
    assert (judgement.covered, judgement.deferred) == (frozenset(), (LAPSED,))


# ---- Finished, or of no use here


def finished(plan: Plan, at: CheckContext, *approvals: ApprovedPlan) -> tuple[str, ...]:
    judgement = check_approvals(plan, held(*approvals), at)
    assert not judgement.findings
    return judgement.completed


def test_a_refill_is_done_once_members_were_sent_since_it_was_approved() -> None:
    approval = approved(cases.plan(REFILLED))
    before = now(resources=applied(completed_at=cases.NOW - timedelta(days=2)))
    after = now(resources=applied(completed_at=cases.NOW))
    assert why(check_approvals(cases.plan(), held(approval), before)) != []
    assert finished(cases.plan(), after, approval) == ("sha256:a",)


def test_a_refill_that_is_no_longer_due_names_the_count_of_criteo() -> None:
    approval = held(approved(cases.plan(REFILLED)))
    counted_again = (
        "Criteo's count changed since this plan, and a refill is no longer due: offsite-email/lapsed-90d"
    )
    not_asked_for = "approved but not in these manifests: offsite-email/lapsed-90d"
    long_ago = cases.NOW - timedelta(days=2)
    same = resource(cases.LAPSED.definition, completed_at=long_ago)
    for known, said in (
        ({LAPSED: same}, counted_again),
        ({LAPSED: resource("other", completed_at=long_ago)}, not_asked_for),
        ({LAPSED: replace(same, forgotten_at=long_ago)}, not_asked_for),
        ({}, not_asked_for),
    ):
        assert why(check_approvals(cases.plan(), approval, now(resources=known))) == [said]


def test_an_approval_is_finished_once_resource_states_or_this_run_tell_so() -> None:
    then = approved(cases.plan(CREATED, FILLED))
    assert finished(cases.plan(FILLED), now(resources=applied()), then) == ("sha256:a",)
    assert finished(cases.plan(CREATED, FILLED), now(), then) == ("sha256:a",)
    assert finished(cases.plan(FILLED), now(), then) == ()
    assert finished(cases.plan(FILLED), now(resources=applied(), all_addresses=False), then) == ()
    other = {LAPSED: resource("other")}
    assert finished(cases.plan(FILLED), now(resources=other), then) == ()


def test_a_forget_is_done_when_forgotten_or_dropped() -> None:
    then = approved(cases.plan(FORGOTTEN, FILLED))
    gone = {LAPSED: replace(resource(), forgotten_at=cases.NOW)}
    assert finished(cases.plan(FILLED), now(), then) == ("sha256:a",)
    assert finished(cases.plan(FILLED), now(resources=gone), then) == ("sha256:a",)
    assert finished(cases.plan(FILLED), now(resources=applied()), then) == ()


def test_a_running_approval_is_not_completed_and_blocks_no_other() -> None:
    """A refresh was interrupted in it."""
    at = now(resources=applied(completed_at=cases.NOW, transfer=HALF))
    judgement = check_approvals(cases.plan(MOVED), held(a_day_ago(MUCH)), at)
    assert judgement == ApprovalCheck(deferred=(LAPSED,))


def test_what_was_approved_again_is_done_as_it_was_approved_last() -> None:
    second = cases.update(replace(cases.LAPSED, description="second"), STILL.members, cases.RENAMED)
    third = cases.update(replace(cases.LAPSED, description="third"), STILL.members, cases.RENAMED)
    first, last = a_day_ago(second), approved(cases.plan(third), digest="sha256:b")
    at = now(resources=applied())
    assert finished(cases.plan(third), at, first, last) == ("sha256:a", "sha256:b")
    done = now(resources={LAPSED: resource(third.spec.definition)})
    assert finished(cases.plan(), done, first, last) == ("sha256:a", "sha256:b")
    newer = replace(first, made_at=cases.NOW + timedelta(minutes=1))
    assert finished(cases.plan(third), at, newer, last) == ("sha256:b",)


def test_an_approval_of_which_nothing_can_be_done_here_is_refused() -> None:
    """The checkout lacks the change: nothing is left to do of that plan, and nothing of it was done."""
    then = approved(cases.plan(CREATED))
    [finding] = check_approvals(cases.plan(unchanged=1), held(then), now()).findings
    assert (finding.where, finding.problem) == (
        "plan-1.json",
        "approved but not in these manifests: offsite-email/lapsed-90d",
    )
    assert check_approvals(cases.plan(unchanged=1), held(then), now(all_addresses=False)) == ApprovalCheck()


def test_beside_others_that_are_applied_it_is_said_and_stops_nothing() -> None:
    many = [cases.create(cases.spec(f"audience-{number}", "Many"), 40) for number in range(7)]
    lacking, fits = approved(cases.plan(*many)), approved(cases.plan(FILLED), digest="sha256:b")
    judgement = check_approvals(cases.plan(FILLED), held(lacking, fits), now())
    assert (judgement.findings, judgement.completed, judgement.used_digests) == (
        (),
        ("sha256:b",),
        ("sha256:b",),
    )
    [finding] = judgement.not_requested
    assert finding.where == "plan-1.json"
    assert finding.problem.endswith("offsite-email/audience-3, offsite-email/audience-4 and 2 more")
    used_up = now(ApprovalRecord("sha256:b", EARLIER, EARLIER))
    assert check_approvals(cases.plan(unchanged=1), held(lacking, fits), used_up).findings == ()


def test_only_approvals_that_cover_something_are_in_use() -> None:
    both = held(approved(cases.plan(CREATED)), approved(cases.plan(FILLED), digest="sha256:b"))
    assert check_approvals(cases.plan(FILLED), both, now(all_addresses=False)).used_digests == ("sha256:b",)


def test_a_completed_approval_blocks_no_other() -> None:
    """Its addresses may have new members by now: those are for the refresh."""
    spent = approved(cases.plan(MOVED), digest="sha256:spent")
    at = now(ApprovalRecord("sha256:spent", cases.NOW, cases.NOW), resources=applied())
    judgement = check_approvals(cases.plan(MOVED, FILLED), held(spent, approved(cases.plan(FILLED))), at)
    assert (judgement.covered, judgement.deferred) == ({cases.HIGH.address}, (LAPSED,))
    [said] = why(check_approvals(cases.plan(MOVED), held(spent), at))
    assert "was applied in full" in said
    assert check_approvals(cases.plan(unchanged=1), held(spent), at) == ApprovalCheck()
