"""Events: the sizes of a plan, the end of a run, and delivery to every listener."""

from dataclasses import replace
from datetime import timedelta

import pytest
from golden import plan_cases as cases

from reconciler.core.errors import Finding
from reconciler.core.events import (
    ActivityStarted,
    AddressBlocked,
    AddressWork,
    Counts,
    Event,
    EventFanout,
    PlanCreated,
    RunEnded,
    RunOutcome,
    SentTotals,
    WaitEnded,
    Waiting,
    addresses_blocked,
    apply_started,
    plan_made,
    run_ended,
)
from reconciler.core.members import EMPTY_SNAPSHOT, Delta, SnapshotRef
from reconciler.core.model import Address, Api
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Adopt, Forget, Removal
from reconciler.core.plan.model import Blocked
from reconciler.core.plan.observed import Departure
from reconciler.core.plan.reasons import Removed
from reconciler.core.plan.steps import Steps

GONE = Address("offsite-email", "gone")
WORK = SentTotals(0, 0, 0, 0)


class Received:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def test_an_apply_starts_with_the_work_of_each_address() -> None:
    departure = Departure("current", EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, SnapshotRef("cd" * 16, 120_000))
    plan = cases.plan(
        cases.create(cases.LAPSED, 120_000),
        cases.replacement(cases.HIGH, 5),
        Forget(GONE, 3, drop_state=False, reason=Removed()),
        cases.torn_down().changes[0],
        blocked=(Blocked(cases.GOLD.address, Finding("a", "b"), Cause.GUARD),),
    )
    removal = Removal(cases.GOLD, (departure,))
    plan = replace(plan, suppressed={cases.GOLD.address: removal})
    work = apply_started(plan, Api("emulator"), cases.NOW)
    assert work.changes == (
        AddressWork(cases.LAPSED.address, "criteo", 3),
        AddressWork(cases.HIGH.address, "criteo", 3),
        AddressWork(GONE, "", 0),
        AddressWork(cases.LAPSED.address, "criteo", 1),
    )
    assert work.removals == (AddressWork(cases.GOLD.address, "criteo", 3),)
    assert (work.limits, work.waits) == ({"criteo": 9}, 0.0)


def test_an_apply_starts_with_the_wait_for_unconfirmed_requests() -> None:
    waiting = cases.members(0, 5, Delta(0, 5, 0), not_before=cases.NOW + timedelta(minutes=15))
    plan = cases.plan(cases.update(cases.LAPSED, waiting))
    assert apply_started(plan, Api("emulator"), cases.NOW).waits == 900


def test_a_plan_has_totals_by_kind_and_members() -> None:
    adopted = cases.members(0, 12, Delta(priority_removes=1, adds=10, removes=2))
    plan = cases.plan(
        cases.create(cases.LAPSED, 100),
        Adopt(cases.GOLD, (), adopted, Steps(), "it is back"),
        cases.update(cases.HIGH, cases.CHANGED),
        cases.replacement(cases.HIGH, 5),
        Forget(GONE, 3, drop_state=False, reason=Removed()),
        *cases.torn_down().changes[:3],
        unchanged=4,
        blocked=(
            Blocked(GONE, Finding("a", "b"), Cause.GUARD),
            Blocked(GONE, Finding("a", "c"), Cause.GUARD),
        ),
    )
    assert plan_made(plan) == PlanCreated(
        create=1,
        adopt=1,
        update=1,
        move=0,
        replace=1,
        refill=0,
        forget=1,
        empty=2,
        delete=1,
        unchanged=4,
        blocked=1,
        paused=0,
        adds=100 + 10 + 18_240 + 5,
        removes=3 + 2_911 + 990 + 400 + 990,
        lineage="7f3a2b1c9d",
        serial=118,
        approvals=(),
    )
    assert plan_made(plan, ("sha256:a",)).approvals == ("sha256:a",)


def test_what_blocks_an_address_is_reported_with_its_place_in_a_file() -> None:
    at_address, in_file = Finding(str(GONE), "it is small", "wait"), Finding("a.yaml:1:1", "no file matches")
    plan = cases.plan(
        blocked=(Blocked(GONE, at_address, Cause.GUARD), Blocked(GONE, in_file, Cause.SOURCE)), unchanged=1
    )
    assert addresses_blocked(plan) == (
        AddressBlocked(GONE, Cause.GUARD, "it is small", "wait"),
        AddressBlocked(GONE, Cause.SOURCE, "a.yaml:1:1: no file matches", ""),
    )


@pytest.mark.parametrize(
    ("exit_code", "applied", "ending"),
    [
        (0, 2, RunOutcome.DONE),
        (0, 0, RunOutcome.NO_CHANGES),
        (5, 0, RunOutcome.REFUSED),
        (8, 1, RunOutcome.PARTIALLY_APPLIED),
        (130, 1, RunOutcome.CANCELLED),
        (9, 0, RunOutcome.FAILED),
        (10, 1, RunOutcome.FAILED),
        (1, 0, RunOutcome.FAILED),
    ],
)
def test_a_run_ends_as_its_exit_code_says(exit_code: int, applied: int, ending: RunOutcome) -> None:
    counts = Counts(applied, 0, 0, 0, 0)
    assert run_ended(exit_code, counts, WORK, 1.5) == RunEnded(ending, exit_code, counts, WORK, 1.5)


def test_every_listener_gets_every_event_in_order() -> None:
    one, other = Received(), Received()
    fanout = EventFanout((one, other))
    fanout.doing("reading segments")
    fanout.waiting("the rate limit", 7.0)
    fanout.done_waiting()
    assert one.events == [ActivityStarted("reading segments"), Waiting("the rate limit", 7.0), WaitEnded()]
    assert other.events == one.events
