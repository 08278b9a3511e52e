"""A run leaves a point of each address that it completed, or that Criteo acknowledged members of."""

import pytest
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.errors import CancelledError
from reconciler.core.model import Address
from reconciler.core.series import SeriesPoint

pytestmark = pytest.mark.promise("state")

LAPSED, LOYAL = Address("offsite", "lapsed"), Address("offsite", "loyal")


@pytest.fixture
def world() -> InMemoryEnvironment:
    made = InMemoryEnvironment(batch_size=4)
    for address in (LAPSED, LOYAL):
        made.wishes[address] = DesiredSegment(address.audience)
        made.people[address.audience] = frozenset(f"p{number:02}" for number in range(10))
    return made


def test_the_first_run_adds_all_members(world: InMemoryEnvironment) -> None:
    assert world.run().points == (SeriesPoint(LAPSED, 10, 10, 0, 0), SeriesPoint(LOYAL, 10, 10, 0, 0))


def test_a_change_counts_what_was_acknowledged(world: InMemoryEnvironment) -> None:
    world.run()
    world.people["lapsed"] = frozenset(f"p{number:02}" for number in range(1, 13))
    assert world.run().points == (SeriesPoint(LAPSED, 12, 3, 1, 0),)


def test_a_run_without_changes_leaves_none(world: InMemoryEnvironment) -> None:
    world.run()
    assert world.run().points == ()


def test_a_failed_address_counts_what_was_acknowledged_before(world: InMemoryEnvironment) -> None:
    """Over both runs, each member is counted once."""
    sent = []

    def watch(write: object) -> None:
        if getattr(write, "values", frozenset()):
            sent.append(write)
            if len(sent) == 2:
                world.criteo.most_identifiers = 0

    world.criteo.watch = watch
    first = world.run().points
    world.criteo.watch, world.criteo.most_identifiers = lambda write: None, 50
    second = world.run().points
    adds = [point.adds for point in (*first, *second) if point.address == LAPSED]
    assert sum(adds) == 10
    assert [point.size for point in second if point.address == LAPSED] == [10]


def test_a_stopped_run_leaves_points_of_what_was_acknowledged(
    world: InMemoryEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged = []

    def check() -> None:
        if len(acknowledged) == 4:
            raise CancelledError("stopped")

    world.criteo.watch = lambda write: acknowledged.append(write) if getattr(write, "values", None) else None
    monkeypatch.setattr(world.clock, "check", check)
    report = world.run()
    assert isinstance(report.stopped, CancelledError)
    assert report.points == (SeriesPoint(LAPSED, 10, 10, 0, 0), SeriesPoint(LOYAL, None, 4, 0, 0))
