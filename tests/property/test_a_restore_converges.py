"""Restoring any state version makes members uncertain, and loses none."""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule
from support.fakes.crash import Crash
from support.in_memory_environment import CrashAt, InMemoryEnvironment
from support.simulation import Simulation, crowds, which

from reconciler.core.model import Retention
from reconciler.operations.restore_state import restore_to

pytestmark = pytest.mark.promise("converges")

EVERYBODY = 10**6


def unbroken(_step: str) -> None:
    """No crash here."""


class Restores(Simulation):
    """Runs that end well or badly, with restores in between; some of these are killed at a write."""

    def made(self) -> InMemoryEnvironment:
        world = InMemoryEnvironment()
        world.store.keep, world.store.now = Retention(20), world.clock.now
        return world

    edit = run_beside_another = something_happens = None

    @rule(who=which, people=crowds, number=st.integers(3, 12), back=st.integers(0, 3))
    def stop_midway_and_go_back(self, who: int, people: frozenset[str], number: int, back: int) -> None:
        """A change is left in the middle of its batches: what is known then is the hardest to keep."""
        self.run_and_crash([("change_source", who, people)], number, after=True)
        self.go_back(-1 - back)

    @rule(back=st.integers(0, 19), crash=st.sampled_from([0, 0, 0, 1, 2, 3, 5, 8]), after=st.booleans())
    def go_back(self, back: int, crash: int = 0, after: bool = False) -> None:
        world = self.world
        if not (kept := world.store.reader().versions()):
            return
        killer = CrashAt(crash, after)
        world.store.before_write, world.store.after_write = killer.before_write, killer.after_write
        try:
            with world.store.lock("restore") as state:
                restore_to(kept[back % len(kept)].serial, state, world.engine, world.quiet)
        except Crash:
            world.die()
        finally:
            world.store.before_write = world.store.after_write = unbroken
        for resource in self._resources():
            for holding in resource.segments:
                self.in_doubt[holding.segment_id] = EVERYBODY


Restores.TestCase.settings = settings(
    max_examples=200,
    derandomize=True,
    stateful_step_count=12,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestRestores = Restores.TestCase
