"""One writer per state on any number of machines, with any pauses, crashes, lost responses and clocks."""

import os
from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support.lease_simulation import ADDRESSES, HASTE, SENDS, LeaseSimulation, Machine, long_enough

from reconciler.core.model import Address
from reconciler.state.bucket_layout import HEAD, LEASE, RESOURCES

pytestmark = pytest.mark.promise("state")

which = st.integers(0, 2)
where = st.sampled_from(ADDRESSES)
calls = st.sampled_from([HASTE, HASTE, HASTE, *range(8)])
"""After how many calls to the bucket a machine is paused."""
seconds = st.sampled_from([1, 20, 70, 135, 205, 205, 300])
"""The life of a lease is 130, its grace 70."""
offsets = st.sampled_from([-5, -3, 0, 0, 2, 5])
troubles = st.tuples(st.integers(0, 12), st.sampled_from(["lost-before", "lost-after"]))
deeds = st.sampled_from(["write", "write", "send", "send", "send", "drop", "leave"])
lost = st.tuples(st.just("answers_are_lost"), which, st.lists(troubles, min_size=1, max_size=2))
mishaps = st.one_of(
    lost,
    lost,
    st.tuples(st.just("clock_steps"), which, offsets),
    st.tuples(st.just("clock_steps"), which, offsets),
    st.tuples(st.just("machine_dies"), which),
    st.tuples(st.sampled_from(["lock_is_broken", "lock_is_broken", "lease_is_lost"])),
)


class Leases(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = LeaseSimulation()
        self.wild = 1
        self.ending: tuple[str, ...] = ()

    def teardown(self) -> None:
        """After any history and some time, a machine can take the lock, and nothing is lost."""
        try:
            self._somebody_can_go_on()
        finally:
            self.world.close()

    @initialize(
        wild=st.sampled_from([1, 1, 1, 12]), ending=st.sampled_from([(), ("send",), ("write", "drop")])
    )
    def begin(self, wild: int, ending: tuple[str, ...]) -> None:
        """`wild`: clocks that differ by up to two minutes. `ending`: what the last run does."""
        self.wild = wild
        self.ending = ending

    # ---- what runs do

    @rule(number=which, what=deeds, at=where, calls=calls, lag=st.sampled_from([0, 0, 5]))
    def run(self, number: int, what: str, at: Address, calls: int, lag: float) -> None:
        """The next thing, or the rest of what was begun."""
        machine = self._at(number)
        if not machine.busy:
            self._begin(machine, what, at, lag)
        machine.go(calls)

    @rule(number=which, at=where, before=st.sampled_from([SENDS, RESOURCES, HEAD, LEASE]))
    def run_is_paused(self, number: int, at: Address, before: str) -> None:
        """Before its next call of that kind."""
        machine = self._at(number)
        if machine.busy:
            machine.go(1)
        else:
            self._begin(machine, "send", at)
        machine.go_until(before)

    @rule(number=which, calls=calls)
    def beat(self, number: int, calls: int) -> None:
        self._at(number).start_beat()
        self._at(number).go_on_beating(calls)

    def _begin(self, machine: Machine, what: str, at: Address, lag: float = 0) -> None:
        deeds: dict[str, Callable[[], None]] = {
            "write": lambda: machine.write(at),
            "send": lambda: machine.send(at, lag),
            "drop": lambda: machine.drop(at),
            "leave": machine.leave,
        }
        machine.begin(deeds[what] if machine.writer else machine.lock_and_plan)

    def _at(self, number: int) -> Machine:
        return self.world.machines[number]

    # ---- what happens to them

    @rule(passed=seconds, beating=st.sets(which, max_size=2))
    def time_passes(self, passed: float, beating: set[int]) -> None:
        self.world.peace(passed, [self._at(number) for number in sorted(beating)])

    @rule(what=mishaps)
    def something_happens(self, what: tuple[object, ...]) -> None:
        name, *given = what
        getattr(self, str(name))(*given)

    def clock_steps(self, number: int, offset: float) -> None:
        self.world.set_clock(self._at(number), offset * self.wild)

    def answers_are_lost(self, number: int, lost: list[tuple[int, str]]) -> None:
        self._at(number).troubles = lost

    def machine_dies(self, number: int) -> None:
        self.world.reboot(self._at(number))

    def lock_is_broken(self) -> None:
        self.world.break_lock()

    def lease_is_lost(self) -> None:
        self.world.lose_lease()

    def _somebody_can_go_on(self) -> None:
        """Check that a machine can continue, and that paused machines do no harm when they continue."""
        world = self.world
        world.time_passes(long_enough(world) + 1)
        newest = world.another()
        newest.begin(newest.lock_and_plan)
        newest.go(HASTE)
        assert newest.writer, "the lock is lost for good"
        for what in self.ending:
            for at in ADDRESSES:
                self._begin(newest, what, at)
                newest.go(HASTE)
        for zombie in world.machines[:3]:
            for at in ADDRESSES:
                zombie.go(HASTE)
                if zombie.writer:
                    self._begin(zombie, "send", at)
        assert newest.writer, "somebody took over while it was held"
        self._begin(newest, "leave", ADDRESSES[0])
        newest.go(HASTE)
        assert newest.busy is False


def searching(examples: int, **more: object) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=25,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        **more,
    )


Leases.TestCase.settings = searching(
    int(os.environ.get("LEASES", "400")), derandomize="TORTURE" not in os.environ
)
TestLeases = Leases.TestCase


# ---- histories that once ended wrong, as plain calls

X = ADDRESSES[0]


def works(history: Leases, number: int, what: str = "write", calls: int = HASTE) -> None:
    history.run(number, what, X, calls, 0)


def it_is_fenced_off_before_there_is_a_head(history: Leases) -> None:
    works(history, 0, "lock")
    history.time_passes(205, set())
    works(history, 1, "lock")
    works(history, 0)


def it_is_fenced_off_though_it_reads_again(history: Leases) -> None:
    for what in ("lock", "write", "leave"):
        works(history, 2, what)
    works(history, 0, "lock", calls=5)
    history.time_passes(205, set())
    works(history, 1, "lock")
    works(history, 0)
    works(history, 0)


def another_comes_and_vanishes_while_it_waits_for_its_turn(history: Leases) -> None:
    history.run_is_paused(0, X, LEASE)
    history.run_is_paused(0, X, LEASE)
    works(history, 1, "lock")
    works(history, 1)
    history.time_passes(205, set())
    works(history, 0)
    works(history, 1)


def another_comes_and_is_forgotten_too_early(history: Leases) -> None:
    history.run_is_paused(0, X, LEASE)
    history.run_is_paused(0, X, LEASE)
    works(history, 1, "lock")
    history.time_passes(135, set())
    works(history, 0)


def a_fence_that_failed_is_put_up_by_the_next(history: Leases) -> None:
    works(history, 0, "lock")
    works(history, 0)
    history.time_passes(205, set())
    history.answers_are_lost(1, [(5, "lost-before")])
    works(history, 1, "lock")
    assert history.world.lease
    assert history.world.lease.token == 2


def it_is_paused_before_it_sends(history: Leases) -> None:
    history.ending = ("send",)
    works(history, 0, "lock")
    history.run_is_paused(0, X, SENDS)
    history.time_passes(205, set())


def two_answers_to_the_heartbeat_are_lost(history: Leases) -> None:
    works(history, 0, "lock")
    history.answers_are_lost(0, [(0, "lost-after"), (0, "lost-before")])
    for _ in range(3):
        history.beat(0, HASTE)
    works(history, 0)


def a_manually_removed_lease_is_recovered(history: Leases) -> None:
    for number in (0, 1):
        for what in ("lock", "write", "leave"):
            works(history, number, what)
    history.lease_is_lost()


EXAMPLES = [
    it_is_fenced_off_before_there_is_a_head,
    it_is_fenced_off_though_it_reads_again,
    another_comes_and_vanishes_while_it_waits_for_its_turn,
    another_comes_and_is_forgotten_too_early,
    a_fence_that_failed_is_put_up_by_the_next,
    it_is_paused_before_it_sends,
    two_answers_to_the_heartbeat_are_lost,
    a_manually_removed_lease_is_recovered,
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_it_still_holds_that(example: Callable[[Leases], None]) -> None:
    history = Leases()
    try:
        example(history)
    finally:
        history.teardown()
