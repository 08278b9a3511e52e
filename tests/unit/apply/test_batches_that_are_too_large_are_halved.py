"""A batch that Criteo refuses as too large is halved: no member is lost, and none is sent twice."""

import pytest
from support.fakes.crash import Crash
from support.in_memory_environment import CrashAt, DesiredSegment, InMemoryEnvironment

from reconciler.apply.batch_size import BatchSize
from reconciler.core.errors import CallTooLargeError, RejectedError
from reconciler.core.events import BatchSizeLowered, ChangeOutcome
from reconciler.core.members import Batch, Identifiers
from reconciler.core.model import Address

FIRST, SECOND = Address("offsite", "lapsed"), Address("offsite", "loyal")
MEMBERS = 21


def environment(most: int, *addresses: Address) -> InMemoryEnvironment:
    """Return an environment with batches of 16 members; Criteo accepts at most `most`."""
    world = InMemoryEnvironment(batch_size=16)
    for address in addresses:
        world.wishes[address] = DesiredSegment(address.audience)
        world.people[address.audience] = frozenset(f"p{number:02}" for number in range(MEMBERS))
    world.criteo.most_identifiers = most
    return world


def sizes(world: InMemoryEnvironment) -> list[int]:
    """Return the sizes of all batches sent."""
    return [count for operation, _, count in world.criteo.calls if operation in {"add", "remove"}]


def held(world: InMemoryEnvironment, address: Address) -> set[str]:
    segment = world.criteo.segment(world.store.saved_resources[address].current.segment_id)
    assert segment
    return segment.members


def test_a_batch_is_halved_until_criteo_accepts_it() -> None:
    world = environment(5, FIRST)
    assert not world.run().errors
    assert sizes(world) == [16, 8, 4, 4, 4, 4, 4, 1]
    assert held(world, FIRST) == world.members(FIRST)


def test_the_accepted_size_is_kept_for_the_run() -> None:
    """The second segment starts with the size that Criteo accepted for the first."""
    world = environment(5, FIRST, SECOND)
    assert not world.run().errors
    assert sizes(world) == [16, 8, *([4, 4, 4, 4, 4, 1] * 2)]
    assert held(world, SECOND) == world.members(SECOND)


def test_a_limit_that_falls_during_a_transfer_repeats_no_acknowledged_member() -> None:
    world, taken = environment(16, FIRST), list[frozenset[str]]()

    def watch(write: object) -> None:
        if values := getattr(write, "values", frozenset()):
            taken.append(values)
            world.criteo.most_identifiers = 2

    world.criteo.watch = watch
    assert not world.run().errors
    assert sizes(world) == [16, 5, 2, 2, 1]
    assert sum(map(len, taken)) == MEMBERS
    assert held(world, FIRST) == world.members(FIRST)


def test_a_size_that_another_transfer_found_meanwhile_is_tried_next() -> None:
    """Both were refused at 100 identifiers; the other transfer went down to 10 first."""
    batches = BatchSize(100, 100)
    refused = Batch("add", 200, 300, Identifiers([f"p{number}" for number in range(100)]))
    assert batches.below(refused, CallTooLargeError("too large")) == 50
    batches.accepted(10)
    assert batches.below(refused, CallTooLargeError("too large")) == 10


def test_one_identifier_that_is_too_large_fails_its_address_only() -> None:
    world = environment(50, FIRST, SECOND)
    refused = []

    def fault(operation: str) -> None:
        if operation == "add" and len(refused) < 5:
            refused.append(operation)
            raise CallTooLargeError("Criteo answers 413", remedy="the fix")

    world.criteo.fault = fault
    report = world.run()
    assert report.outcomes == {FIRST: ChangeOutcome.FAILED, SECOND: ChangeOutcome.APPLIED}
    error = report.errors[FIRST]
    assert type(error) is RejectedError
    assert error.problem == "Criteo answers 413: a batch of 1 identifier is too large"
    assert error.remedy == "the fix"
    assert sizes(world) == [16, 8, 4, 2, 1, 16, 5]
    assert held(world, SECOND) == world.members(SECOND)


def test_suppressed_members_of_a_blocked_address_leave_in_halved_batches() -> None:
    world = environment(16, FIRST)
    world.run()
    world.suppressed[FIRST.audience] = frozenset(f"p{number:02}" for number in range(10))
    world.broken.add(FIRST.audience)
    world.criteo.most_identifiers, before = 3, len(sizes(world))
    assert not world.run().errors
    assert sizes(world)[before:] == [10, 5, 2, 2, 2, 2, 2]
    assert len(held(world, FIRST)) == MEMBERS - 10


def test_a_killed_run_resumes_with_the_size_it_came_down_to() -> None:
    world, crash = environment(5, FIRST, SECOND), CrashAt(22, after=False)
    world.store.before_write, world.criteo.fault = crash.before_write, crash.fault
    with pytest.raises(Crash):
        world.run()
    world.die()
    world.store.before_write, world.criteo.fault = (lambda _: None), (lambda _: None)
    before = len(sizes(world))
    assert sizes(world)[:3] == [16, 8, 4]
    world.clock.advance(700)
    assert not world.run().errors
    assert sizes(world)[before:]
    assert max(sizes(world)[before:]) == 4
    assert held(world, SECOND) == world.members(SECOND)


def test_a_smaller_size_is_an_event_and_stays_in_no_state() -> None:
    """A later run starts with `api.batchSize` again: the limit may have been raised."""
    world, events = environment(5, FIRST), list[object]()
    world.emit = events.append
    world.run()
    assert [one for one in events if isinstance(one, BatchSizeLowered)] == [BatchSizeLowered(4)]
    world.criteo.most_identifiers = 50
    world.people[FIRST.audience] = frozenset(f"q{number:02}" for number in range(MEMBERS))
    before = len(sizes(world))
    world.run()
    assert sizes(world)[before:] == [16, 5, 16, 5]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 30))
def test_a_crash_at_any_effect_loses_no_member(number: int, after: bool) -> None:
    """The next run converges, whatever the crashed run had recorded of a refused batch."""
    world, crash = environment(5, FIRST), CrashAt(number, after)
    world.store.before_write, world.store.after_write = crash.before_write, crash.after_write
    world.criteo.fault = crash.fault
    try:
        world.run()
    except Crash:
        world.die()
    world.criteo.fault = lambda _operation: None
    world.clock.advance(700)
    assert not world.run().errors
    assert held(world, FIRST) == world.members(FIRST)
    assert not world.plan().changes
