"""An approved teardown covers its segments and its members, and nothing more."""

from dataclasses import replace

import pytest
from golden import plan_cases as cases
from support.approvals import (
    CREATED,
    DELETED,
    EMPTIED,
    FORGOTTEN,
    LAPSED,
    approved,
    held,
    judged,
    now,
    resource,
    why,
)

from reconciler.core.approval.check import check_approvals
from reconciler.core.members import SnapshotRef
from reconciler.core.plan.changes import Change, Empty

pytestmark = pytest.mark.promise("approved")

MEMBERS = SnapshotRef("ab", 5)


def removing(removes: int, done: int = 0, *ids: str) -> Empty:
    return Empty(LAPSED, cases.emptying(cases.LAPSED, removes, removes, done), ids or ("1",))


@pytest.mark.parametrize("change", [EMPTIED, DELETED])
def test_the_approved_teardown_is_covered(change: Change) -> None:
    status = judged(change, change)
    assert (status.covered, status.completed) == (frozenset({LAPSED}), ("sha256:a",))


def test_emptying_approves_no_deletion_and_neither_approves_an_apply() -> None:
    assert why(judged(EMPTIED, DELETED)) == ["approved as empty, now delete"]
    assert why(judged(DELETED, EMPTIED)) == ["approved as delete, now empty"]
    assert why(judged(CREATED, EMPTIED)) == ["approved as create, now empty"]
    assert why(judged(EMPTIED, CREATED)) == ["approved as empty, now create"]


def test_other_segments_are_refused_and_fewer_are_not() -> None:
    assert why(judged(EMPTIED, removing(1_000, 0, "3"))) == ["its segments are not the approved ones"]
    assert not judged(DELETED, replace(DELETED, segment_ids=("2",))).findings


def test_more_members_than_approved_are_refused_and_fewer_are_not() -> None:
    assert not judged(EMPTIED, removing(1_090)).findings
    assert not judged(EMPTIED, removing(10)).findings
    [said] = why(judged(EMPTIED, removing(1_300)))
    assert said.startswith("removals: approved 1,000, now 1,300; limit ±100")


def test_members_that_an_interrupted_run_removed_count() -> None:
    assert why(judged(EMPTIED, removing(900, 400)))
    assert not judged(EMPTIED, removing(600, 400)).findings


def test_segments_that_are_deleted_already_may_be_forgotten() -> None:
    dropped = replace(FORGOTTEN, drop_state=True)
    assert not judged(DELETED, dropped).findings
    assert why(judged(EMPTIED, dropped)) == ["approved as empty, now forget"]
    assert why(judged(DELETED, FORGOTTEN)) == ["approved as delete, now forget"]


def test_it_is_done_once_the_address_is_empty_and_forgotten_or_unknown() -> None:
    empty, delete = held(approved(cases.plan(EMPTIED))), held(approved(cases.plan(DELETED)))
    forgotten = replace(resource(), forgotten_at=cases.NOW)
    holding = replace(forgotten, current=replace(forgotten.current, confirmed=MEMBERS))
    for at, one, done in (
        ({}, empty, True),
        ({}, delete, True),
        ({LAPSED: forgotten}, empty, True),
        ({LAPSED: forgotten}, delete, False),
        ({LAPSED: holding}, empty, False),
        ({LAPSED: resource()}, empty, False),
    ):
        completed = check_approvals(cases.plan(unchanged=1), one, now(resources=at)).completed
        assert bool(completed) is done, (at, one)
