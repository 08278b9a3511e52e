"""The estimate of a plan and the time left at half time are within 15% of the end, in simulated time.

The simulated Criteo counts in fixed minutes, in sliding minutes or with a token bucket, and reconciler does
not know which. An apply of less than ten minutes may end up to a minute off: that is when a minute begins.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from golden import plan_cases as cases
from support.fakes.rate_limiters import KINDS, Event, World, steady

from reconciler.core.events import ApplyStarted, BatchAcknowledged, apply_started
from reconciler.core.members import Delta
from reconciler.core.model import Address, Api
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.plan.cost import cost
from reconciler.core.plan.worker_count import workers_per_group
from reconciler.core.remote import RESERVE, RateLimit
from reconciler.render.document.apply_pace import ApplyPace

pytestmark = pytest.mark.promise("read-right")

LIMIT, MEMBERS, CLOSE = 250, 5_000, 0.15


@dataclass
class Watched(World):
    """A credential whose accepted calls are recorded, in seconds since the start."""

    ended: list[float] = field(default_factory=list)

    def learn(self, event: Event, now: float) -> bool:
        allowed = super().learn(event, now)
        self.ended += [now - self.start] * allowed
        return allowed


def updates(accounts: int, audiences: int) -> list[SegmentChange]:
    """Return updates of one batch each, with a credential for each account."""
    moved = cases.members(0, MEMBERS, Delta(0, MEMBERS, 0))
    return [
        cases.update(
            replace(cases.LAPSED, credential=f"c{account}", address=Address(f"d{account}", f"a{number}")),
            moved,
        )
        for account in range(accounts)
        for number in range(audiences)
    ]


def started(changes: list[SegmentChange], latency: float) -> ApplyStarted:
    credentials = {change.spec.credential for change in changes}
    rates = {credential: RateLimit(LIMIT, LIMIT - 1, latency) for credential in credentials}
    planned = cases.plan(*changes)
    price = cost(changes, Api("emulator"), rates, planned.basis.made_at)
    return apply_started(replace(planned, cost=price), Api("emulator"), planned.basis.made_at)


def sent(kind: str, latency: float, accounts: int, audiences: int) -> list[tuple[float, Address]]:
    """Return when each call is acknowledged. Each account has its own limit, and as many calls."""
    workers = workers_per_group([MEMBERS] * accounts * audiences, accounts)
    model = steady(kind, LIMIT, latency, 0, workers)
    world = Watched(
        model.limiter, LIMIT, workers, model.latency, model.there, model.skew, model.start, reserve=RESERVE
    )
    world.run(audiences)
    times = [(time, f"a{number}") for number, time in enumerate(world.ended)]
    return [(time, Address(f"d{account}", name)) for time, name in times for account in range(accounts)]


def left_at(work: ApplyStarted, calls: list[tuple[float, Address]], now: float) -> float:
    pace = ApplyPace(work, 0.0)
    for time, address in calls:
        if time <= now:
            pace.take(BatchAcknowledged(address, "add", MEMBERS, 0, MEMBERS, MEMBERS), time)
    return pace.at(now).seconds_left


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("latency", [0.2, 1.0, 10.0])
@pytest.mark.parametrize(("accounts", "audiences"), [(1, 3_000), (20, 1_500)])
def test_the_end_is_known_at_the_start_and_at_half_time(
    kind: str, latency: float, accounts: int, audiences: int
) -> None:
    work = started(updates(accounts, audiences), latency)
    calls = sent(kind, latency, accounts, audiences)
    end = calls[-1][0]
    for now in (0.0, end / 2):
        assert now + left_at(work, calls, now) == pytest.approx(end, rel=CLOSE)


@pytest.mark.parametrize("minutes", [5, 15])
def test_the_wait_for_an_unconfirmed_request_is_part_of_it(minutes: int) -> None:
    """500 other calls take about two minutes meanwhile."""
    changes = updates(1, 500)
    wait = timedelta(minutes=minutes)
    waiting = replace(changes[0].members, not_before=cases.NOW + wait)
    work = started([replace(changes[0], members=waiting), *changes[1:]], 1.0)
    calls = sent("sliding", 1.0, 1, 499)
    end = wait.total_seconds() + 1.0
    for now in (0.0, end / 2):
        assert now + left_at(work, calls, now) == pytest.approx(end, rel=CLOSE)
