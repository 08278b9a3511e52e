"""After a restore, members on which all later states agree are confirmed; all others are uncertain."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.fakes.members import MemoryEngine
from support.fakes.state import MemoryStore

from reconciler.core.errors import StorageError
from reconciler.core.members import EMPTY_SNAPSHOT, Delta, SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.state.resource import (
    InFlightBatch,
    ResourceState,
    RetiredSegment,
    SegmentState,
    Transfer,
)
from reconciler.core.state.restore import restored
from reconciler.operations.restore_state import restore_to

pytestmark = pytest.mark.promise("state")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
QUIET = timedelta(minutes=10)
KEY = SegmentKey("1", "2", IdentifierType.CUSTOMER_ID, Hashing.NONE)
LAPSED, LOYAL = Address("email", "lapsed"), Address("email", "loyal")
engine = MemoryEngine()


def people(names: str) -> SnapshotRef:
    return engine.snapshot(frozenset(names.split()))


def holding(confirmed: str, uncertain: str = "", segment_id: str = "7", **parts: object) -> SegmentState:
    return replace(
        SegmentState(KEY, segment_id, confirmed=people(confirmed), uncertain=people(uncertain)), **parts
    )


def moving(confirmed: str, target: str, in_flight: InFlightBatch | None = None) -> SegmentState:
    transfer = Transfer(people(target), EMPTY_SNAPSHOT, Delta(0, 1, 1), 1, in_flight)
    return holding(confirmed, transfer=transfer)


def back(*states: Sequence[ResourceState], now: Sequence[ResourceState]) -> tuple[ResourceState, ...]:
    return restored(states, now, engine.mark_uncertain, QUIET)


def after(*states: SegmentState, now: SegmentState) -> SegmentState:
    [resource] = back(*([ResourceState(LAPSED, one)] for one in states), now=[ResourceState(LAPSED, now)])
    return resource.current


def members(one: SegmentState) -> tuple[frozenset[str], frozenset[str]]:
    return engine.members(one.confirmed), engine.members(one.uncertain)


@pytest.mark.parametrize(
    ("states", "now", "sure", "unsure"),
    [
        ([holding("a b")], holding("b c"), "b", "a c"),
        ([holding("a b")], holding("a b c"), "a b", "c"),
        ([holding("a b")], holding("a"), "a", "b"),
        ([holding("a"), holding("b")], holding("a"), "", "a b"),
        ([holding("a", "x")], holding("a", "y"), "a", "x y"),
        ([holding("a b")], moving("a b", "b c"), "b", "a c"),
        ([moving("a b", "b c")], holding("b c"), "b", "a c"),
    ],
)
def test_later_members_stay_known_and_common_members_are_confirmed(states, now, sure, unsure):
    assert members(after(*states, now=now)) == (set(sure.split()), set(unsure.split()))


def test_the_size_goes_back_and_the_segment_stays_what_it_is_now():
    then = holding("a b", completed_size=2, completed_at=NOON, rejected=3)
    now = holding("b c d", completed_size=3, completed_at=NOON + QUIET, rejected=1)
    resource = ResourceState(LAPSED, now, definition="new", forgotten_at=NOON)
    [found] = back([ResourceState(LAPSED, then, definition="old")], now=[resource])
    current = found.current
    assert (current.completed_size, current.completed_at, current.rejected) == (2, NOON, 1)
    assert replace(found, current=now) == resource


def test_a_call_under_way_may_still_land():
    in_flight = InFlightBatch(1, NOON)
    assert after(holding("a"), now=moving("a", "b", in_flight)).grace_until == NOON + QUIET
    assert after(moving("a", "b", in_flight), now=holding("b")).grace_until == NOON + QUIET
    assert after(holding("a"), now=holding("b")).grace_until is None


def test_if_nothing_changed_nothing_is_uncertain():
    same = moving("a b", "b c")
    assert back([ResourceState(LAPSED, same)], now=[ResourceState(LAPSED, same, definition="new")]) == ()


def test_a_segment_or_an_address_that_is_new_stays():
    other = ResourceState(LOYAL, holding("x", segment_id="9"))
    again = ResourceState(LAPSED, holding("b", segment_id="8"))
    unanswered = ResourceState(LAPSED, holding("", segment_id=""))
    assert back([ResourceState(LAPSED, holding("a"))], now=[again, other]) == ()
    assert back([unanswered], [ResourceState(LAPSED, holding("a"))], now=[unanswered]) == ()
    assert back([], [other], now=[replace(other, current=holding("y", segment_id="9"))]) == ()


def test_a_segment_is_found_in_whatever_place_it_has_now():
    then = ResourceState(LAPSED, holding("a"), replacement=holding("x", segment_id="8"))
    now = ResourceState(
        LAPSED, holding("x y", segment_id="8"), retired=(RetiredSegment(holding("a b"), NOON),)
    )
    [found] = back([then], now=[now])
    assert members(found.current) == ({"x"}, {"y"})
    assert members(found.retired[0].segment) == ({"a"}, {"b"})
    [found] = back([then], now=[replace(then, replacement=holding("z", segment_id="8"))])
    assert found.replacement
    assert members(found.replacement) == (set(), {"x", "z"})
    assert found.current == then.current


def test_a_segment_under_another_key_is_another_segment():
    other = replace(holding("a"), key=replace(KEY, hashing=Hashing.MD5))
    assert back([ResourceState(LAPSED, other)], now=[ResourceState(LAPSED, holding("b"))]) == ()


def test_a_lost_address_returns_with_all_members_uncertain():
    states = (
        [ResourceState(LAPSED, holding("a b", completed_size=2))],
        [ResourceState(LAPSED, holding("b c"), definition="d")],
    )
    [found] = back(*states, now=[])
    assert (found.address, found.definition, found.current.completed_size) == (LAPSED, "d", 2)
    assert members(found.current) == (set(), {"a", "b", "c"})
    unanswered = ResourceState(LAPSED, SegmentState(KEY))
    assert back([unanswered], now=[]) == (unanswered,)


def test_uncertain_members_are_stored_before_a_resource_state_names_them():
    store, steps = state("a b", "b c"), []
    store.after_write = steps.append
    with store.lock("me") as writer:
        done = restore_to(1, writer, engine, QUIET)
    assert members(done.changed[0].current) == ({"b"}, {"a", "c"})
    kinds = [step.split()[0] for step in steps]
    assert kinds == ["keep", "keep", "open_run", "write"]
    assert [one.serial for one in store.reader().versions()] == [1, 2]


def test_going_back_to_what_is_not_kept_changes_nothing():
    store = state("a b", "b c")
    before = store.saved_resources.copy()
    with store.lock("me") as writer, pytest.raises(StorageError, match="state version 2 not found"):
        restore_to(2, writer, engine, QUIET)
    assert store.saved_resources == before


def test_a_resource_state_that_is_lost_is_done_without_when_that_is_accepted():
    store = state("a b", "b c")
    store.saved_damage.add(LAPSED)
    with store.lock("me") as writer:
        with pytest.raises(StorageError):
            restore_to(1, writer, engine, QUIET)
        done = restore_to(1, writer, engine, QUIET, accept_loss=True)
    assert done.set_aside == (LAPSED,)
    assert members(store.saved_resources[LAPSED].current) == (set(), {"a", "b"})


def state(*runs: str) -> MemoryStore:
    """Each run sends other people to one segment."""
    store = MemoryStore("sandbox")
    for names in runs:
        with store.lock("me") as writer:
            writer.store_snapshot(people(names), engine.file(people(names)))
            writer.write(ResourceState(LAPSED, holding(names)))
    return store
