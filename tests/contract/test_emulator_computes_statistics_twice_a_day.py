"""Statistics are those of the last computation, at 00:00 or 12:00 UTC."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.emulator import World, mounted

pytestmark = pytest.mark.promise("emulator-is-criteo")

HOUR = 3600.0
PEOPLE = [f"{number}@example.com" for number in range(10)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        yield world


def reported(world: World, segment: str) -> tuple[Any, ...]:
    attributes = world.client.statistics(segment).json()["data"]["attributes"]
    return tuple(attributes.values())


def test_nothing_is_reported_before_the_first_computation(world: World) -> None:
    """No identifiers, and no matches to speak of."""
    segment = world.client.segment()
    world.client.add(segment, PEOPLE)
    assert reported(world, segment) == (0, None, None)
    world.advance(2 * HOUR - 1)
    assert reported(world, segment) == (0, None, None)


def test_noon_and_midnight(world: World) -> None:
    """Each computation uses the list of its time, even if it is read later."""
    segment = world.client.segment()
    world.client.add(segment, PEOPLE)
    world.advance(2 * HOUR)
    assert reported(world, segment) == (10, 6, 60.0)
    world.client.remove(segment, PEOPLE[:5])
    assert reported(world, segment) == (10, 6, 60.0)
    world.advance(12 * HOUR)
    assert reported(world, segment) == (5, 3, 60.0)


def test_a_write_after_noon_does_not_change_what_noon_saw(world: World) -> None:
    """Even without a read in between."""
    segment = world.client.segment()
    world.client.add(segment, PEOPLE[:2])
    world.clock.now += 2.5 * HOUR
    world.client.authorize()
    world.client.add(segment, PEOPLE)
    assert reported(world, segment) == (2, 1, 50.0)


def test_a_late_commit_counts_from_its_effect(world: World) -> None:
    """Noon passes while the commit is under way."""
    segment = world.client.segment()
    world.client.add(segment, PEOPLE[:1])
    world.emulator.fault("late-commit", seconds=3 * HOUR)
    with pytest.raises(Exception, match="timed out"):
        world.client.add(segment, PEOPLE)
    world.advance(4 * HOUR)
    assert reported(world, segment)[0] == 1
    world.advance(12 * HOUR)
    assert reported(world, segment)[0] == 10


def test_the_scale_and_the_rate_are_switches(world: World) -> None:
    """Also from 0 to 1, and for a list without matches."""
    world.switch(match_rate_scale="0-1", match_rate=0.5)
    segment = world.client.segment()
    world.client.add(segment, PEOPLE)
    world.advance(2 * HOUR)
    assert reported(world, segment) == (10, 5, 0.5)
    world.client.clear(segment)
    world.advance(12 * HOUR)
    assert reported(world, segment) == (0, 0, 0.0)
