"""The order of an apply with a deadline: the best, suppressed members first, and nothing dropped."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from golden import plan_cases as cases
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.core.members import Delta
from reconciler.core.model import Address
from reconciler.core.plan.deadline import Job, before_deadline, in_order
from reconciler.core.schedule import computation_at

pytestmark = pytest.mark.promise("read-right")


@st.composite
def some_jobs(draw: st.DrawFn) -> list[Job]:
    sizes = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12), st.booleans()), max_size=5))
    return [
        Job(Address("offsite", f"a{place}"), calls, float(waits), urgent)
        for place, (calls, waits, urgent) in enumerate(sizes)
    ]


def complete(order: Sequence[Job], left: float) -> list[Job]:
    """Return the jobs that are complete in time if they are sent one after the other; a call takes 1 s.

    While an urgent job waits, the others are sent.
    """
    now, done = 0.0, []
    for job in order:
        now = now + job.calls if job.urgent else max(now, job.waits) + job.calls
        if max(now, job.waits + job.calls) <= left:
            done.append(job)
    return done


def lawful(order: Sequence[Job]) -> bool:
    """Return whether urgent jobs come before all others."""
    return [job.urgent for job in order] == sorted((job.urgent for job in order), reverse=True)


@given(some_jobs(), st.integers(-1, 20))
@example(
    [Job(Address("offsite", "a0"), 1, 2.0, urgent=True), Job(Address("offsite", "a1"), 2, 0.0, urgent=True)],
    2,
)
def test_no_other_order_completes_more(jobs: list[Job], left: int) -> None:
    order, done = in_order(jobs, left, 1.0)
    best = max((len(complete(order, left)) for order in permutations(jobs) if lawful(order)), default=0)
    assert lawful(order)
    assert len(done) == best
    assert done <= set(complete(order, left))


@given(some_jobs(), st.integers(-1, 20))
def test_nothing_is_dropped_or_sent_twice(jobs: list[Job], left: int) -> None:
    order, done = in_order(jobs, left, 1.0)
    assert sorted(job.address for job in order) == sorted(job.address for job in jobs)
    assert done <= set(order)


def test_a_wait_beyond_the_deadline_goes_last() -> None:
    short, waiting = Job(Address("o", "short"), 3), Job(Address("o", "waiting"), 1, waits=100.0)
    assert in_order([waiting, short], 10, 1.0) == ([short, waiting], {short})


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LARGE = cases.create(cases.HIGH, 50_000_000)
SMALL = cases.create(cases.LAPSED, 500_000)
OPT_OUTS = cases.update(cases.GOLD, cases.members(100, 60, Delta(40, 0, 0)))


def test_a_plan_states_what_is_late_and_sends_it_last() -> None:
    """1,000 calls take 111 minutes at 9 a minute; the computation counts what is sent an hour before it."""
    made = before_deadline(cases.plan(LARGE, SMALL, OPT_OUTS), 50_000, NOON)
    assert made.deadline
    assert made.deadline.order == tuple(one.spec.address for one in (OPT_OUTS, SMALL, LARGE))
    assert made.deadline.late == ()
    at_eleven = replace(made, basis=replace(made.basis, made_at=NOON - timedelta(hours=2)))
    later = before_deadline(at_eleven, 50_000, NOON).deadline
    assert later
    assert (later.late, later.changes) == ((LARGE.spec.address,), 3)


def test_forgotten_addresses_send_nothing_and_are_not_counted() -> None:
    made = before_deadline(cases.plan(SMALL, cases.forgotten(cases.HIGH, 5)), 50_000, NOON)
    assert made.deadline
    assert (made.deadline.order, made.deadline.changes) == ((SMALL.spec.address,), 1)


def test_a_change_that_waits_past_the_deadline_is_late() -> None:
    waiting = cases.members(0, 5, Delta(0, 5, 0), not_before=NOON - timedelta(minutes=59))
    made = before_deadline(cases.plan(cases.update(cases.LAPSED, waiting), OPT_OUTS), 50_000, NOON)
    assert made.deadline
    assert made.deadline.late == (cases.LAPSED.address,)


@pytest.mark.parametrize(("hour", "day"), [(0, 25), (12, 24)])
def test_a_deadline_is_the_next_computation_at_its_hour(hour: int, day: int) -> None:
    assert computation_at(hour, cases.NOW) == datetime(2026, 11, day, hour, tzinfo=UTC)
