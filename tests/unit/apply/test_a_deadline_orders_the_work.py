"""An apply with a deadline sends what misses it last, and its report names what was late."""

from datetime import timedelta

import pytest
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.events import ChangeEnded
from reconciler.core.model import Address
from reconciler.core.plan.model import Deadline
from reconciler.core.schedule import next_computation
from reconciler.render.document.apply_report import RunTotals, apply_report
from reconciler.render.numbers import EXACT

pytestmark = pytest.mark.promise("read-right")

A, B = Address("offsite", "a"), Address("offsite", "b")


def environment() -> InMemoryEnvironment:
    """Return an environment with 3 members of A and 4 of B."""
    world = InMemoryEnvironment(batch_size=10)
    for address, members in ((A, 3), (B, 4)):
        world.wishes[address] = DesiredSegment(address.audience)
        world.people[address.audience] = frozenset(f"p{number}" for number in range(members))
    return world


def order(world: InMemoryEnvironment) -> list[Address]:
    """Return the addresses in the order in which they ended."""
    ended = list[Address]()
    world.emit = lambda event: ended.append(event.address) if isinstance(event, ChangeEnded) else None
    assert not world.run().errors
    return ended


def test_with_a_deadline_fewer_calls_come_before_fewer_members() -> None:
    """A moves two members in two calls, B three members in one call."""
    for deadline, expected in ((False, [A, B]), (True, [B, A])):
        world = environment()
        world.run()
        world.people["a"] = world.people["a"] - {"p0"} | {"x"}
        world.people["b"] |= {"x", "y", "z"}
        world.deadline = next_computation(world.clock.now()) if deadline else None
        assert order(world) == expected


def test_a_report_names_what_was_not_complete_an_hour_before() -> None:
    world, tally = environment(), RunTotals()
    noon = next_computation(world.clock.now())
    world.emit = tally.emit
    world.clock.advance((noon - timedelta(minutes=61) - world.clock.now()).total_seconds())
    world.run()
    due = Deadline(noon, (A, B), (), 2)
    text = apply_report("test", tally, timedelta(), noon, EXACT, due).in_time
    assert text.startswith("2 segments complete")
    earlier = Deadline(noon - timedelta(hours=12), (A, B), (), 2)
    late = apply_report("test", tally, timedelta(), noon, EXACT, earlier).in_time
    assert late.startswith("0 of 2 segments complete")
    assert late.endswith("Late: offsite/a, offsite/b.")
    assert apply_report("test", tally, timedelta(), noon, EXACT).in_time == ""
