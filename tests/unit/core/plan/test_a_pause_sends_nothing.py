"""A pause sends nothing but removals of suppressed members, and blocks no other address."""

from dataclasses import replace

import pytest
from support.fakes.members import ListFile
from support.in_memory_environment import OPT_OUTS, DesiredSegment, InMemoryEnvironment

from reconciler.core.model import Address
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Unchanged, Undecided, Update, address_of

pytestmark = pytest.mark.promise("refused-early")

ONE, TWO = (Address("offsite", name) for name in ("one", "two"))


@pytest.fixture
def world() -> InMemoryEnvironment:
    """Two audiences that were applied."""
    made = InMemoryEnvironment(wishes={ONE: DesiredSegment("Gold"), TWO: DesiredSegment("Silver")})
    made.people |= {at.audience: frozenset("abcdefghij") for at in (ONE, TWO)}
    made.run()
    return made


def held(world: InMemoryEnvironment) -> dict[str, set[str]]:
    return {
        one.name: {member[-1] for member in one.members} for one in world.criteo.accounts["1001"].values()
    }


def test_a_paused_audience_is_left_as_it_is(world: InMemoryEnvironment) -> None:
    world.paused = {"one"}
    world.people |= {"one": frozenset("abc"), "two": frozenset("abcdefghijk")}
    plan = world.plan()
    assert (plan.paused, plan.blocked) == ((ONE,), ())
    assert [(address_of(one), type(one)) for one in plan.blocked_outcomes] == [(ONE, Update)]
    assert [address_of(one) for one in world.plan().changes] == [TWO]
    world.run()
    assert held(world) == {"Gold": set("abcdefghij"), "Silver": set("abcdefghijk")}
    world.paused.clear()
    world.run()
    assert held(world)["Gold"] == set("abc")


def test_suppressed_members_leave_a_paused_audience(world: InMemoryEnvironment) -> None:
    world.paused = {"one"}
    world.people["one"] = frozenset("abcdefghijk")
    world.suppressed["one"] = frozenset("a")
    assert world.plan().removals[0].count == 1
    world.run()
    assert held(world)["Gold"] == set("bcdefghij")
    assert world.plan().removals == ()


def test_a_pause_ends_what_blocks_an_audience(world: InMemoryEnvironment) -> None:
    world.broken = {"one"}
    assert [one.cause for one in world.plan().blocked] == [Cause.SOURCE]
    world.paused = {"one"}
    plan = world.plan()
    assert (plan.blocked, plan.paused, plan.refused) == ((), (ONE,), False)
    assert [type(one) for one in plan.blocked_outcomes] == [Undecided]
    assert "can't be read: offsite/one" in plan.notes[0]


def test_a_paused_audience_that_would_not_change_is_paused_too(world: InMemoryEnvironment) -> None:
    world.paused = {"one"}
    plan = world.plan()
    assert [type(one) for one in plan.blocked_outcomes] == [Unchanged]
    assert [one.spec.address for one in plan.unchanged] == [TWO]


def test_a_list_that_cannot_be_trusted_blocks_a_paused_audience(world: InMemoryEnvironment) -> None:
    """Its removals are all that is left to do, and it prevents them."""
    world.paused = {"one"}
    world.lists["one"] = {OPT_OUTS: ListFile(frozenset())}
    plan = world.plan()
    assert [(one.address, one.cause) for one in plan.blocked] == [(ONE, Cause.SOURCE)]
    assert plan.paused == ()


def test_too_many_removals_block_a_paused_audience(world: InMemoryEnvironment) -> None:
    world.paused, world.guards = {"one"}, replace(world.guards, max_shrink=0.2)
    world.suppressed["one"] = frozenset("abcdefg")
    assert [(one.address, one.cause) for one in world.plan().blocked] == [(ONE, Cause.GUARD)]


def test_what_takes_the_name_of_a_paused_segment_waits(world: InMemoryEnvironment) -> None:
    world.wishes |= {ONE: DesiredSegment("Platinum"), TWO: DesiredSegment("Gold")}
    world.paused = {"one"}
    plan = world.plan()
    assert [(one.address, one.cause) for one in plan.blocked] == [(TWO, Cause.DEPENDENCY)]
    assert "blocked or paused" in plan.blocked[0].finding.problem


def test_a_paused_name_conflict_blocks_nothing(world: InMemoryEnvironment) -> None:
    world.wishes[ONE] = DesiredSegment("Silver")
    world.paused = {"one"}
    assert world.plan().blocked == ()


def test_a_paused_environment_changes_nothing(world: InMemoryEnvironment) -> None:
    world.all_paused = True
    del world.wishes[TWO]
    world.people["one"] = frozenset("a")
    plan = world.plan()
    assert (plan.changes, plan.paused) == ((), (ONE,))
    assert "test is paused" in plan.notes[0]


def test_a_protected_segment_is_not_replaced(world: InMemoryEnvironment) -> None:
    world.wishes[ONE] = DesiredSegment("Gold", protect=True)
    world.run()
    assert world.store.saved_resources[ONE].protected
    world.wishes[ONE] = DesiredSegment("Gold", account_id="1002", protect=True)
    [blocked] = world.plan().blocked
    assert (blocked.address, blocked.cause) == (ONE, Cause.GUARD)
    assert "set `protect: false` in" in blocked.finding.remedy
    world.wishes[ONE] = DesiredSegment("Gold", account_id="1002")
    world.run()
    assert not world.store.saved_resources[ONE].protected
    assert len(world.criteo.accounts["1002"]) == 1
