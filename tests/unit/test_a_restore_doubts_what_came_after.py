"""What is known after going back: what all states since agree on; the rest is in doubt, nobody is lost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes.members import MemoryEngine
from fakes.state import MemoryStore

from reconciler.core.errors import StorageError
from reconciler.core.members import EMPTY, Delta, SnapshotRef
from reconciler.core.model import Address, Form, IdentifierType, SegmentKey
from reconciler.core.receipt import Flight, Holding, Receipt, Retired, Transfer
from reconciler.core.restore import restored
from reconciler.restoring import restored_to

pytestmark = pytest.mark.promise("state")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
QUIET = timedelta(minutes=10)
KEY = SegmentKey("1", "2", IdentifierType.CUSTOMER_ID, Form.PLAIN)
LAPSED, LOYAL = Address("email", "lapsed"), Address("email", "loyal")
engine = MemoryEngine()


def people(names: str) -> SnapshotRef:
    return engine.snapshot(frozenset(names.split()))


def holding(base: str, maybe: str = "", segment_id: str = "7", **parts: object) -> Holding:
    return replace(Holding(KEY, segment_id, base=people(base), maybe=people(maybe)), **parts)


def moving(base: str, target: str, flight: Flight | None = None) -> Holding:
    transfer = Transfer(people(target), EMPTY, Delta(0, 1, 1), 1, flight)
    return holding(base, transfer=transfer)


def back(*states: Sequence[Receipt], now: Sequence[Receipt]) -> tuple[Receipt, ...]:
    return restored(states, now, engine.doubt, QUIET)


def after(*states: Holding, now: Holding) -> Holding:
    [receipt] = back(*([Receipt(LAPSED, one)] for one in states), now=[Receipt(LAPSED, now)])
    return receipt.current


def members(one: Holding) -> tuple[frozenset[str], frozenset[str]]:
    return engine.members(one.base), engine.members(one.maybe)


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
def test_who_is_named_since_stays_known_and_who_is_held_in_all_is_sure(states, now, sure, unsure):
    assert members(after(*states, now=now)) == (set(sure.split()), set(unsure.split()))


def test_the_size_goes_back_and_the_segment_stays_what_it_is_now():
    then = holding("a b", settled=2, settled_at=NOON, rejected=3)
    now = holding("b c d", settled=3, settled_at=NOON + QUIET, rejected=1)
    receipt = Receipt(LAPSED, now, definition="new", forgotten_at=NOON)
    [found] = back([Receipt(LAPSED, then, definition="old")], now=[receipt])
    current = found.current
    assert (current.settled, current.settled_at, current.rejected) == (2, NOON, 1)
    assert replace(found, current=now) == receipt


def test_a_call_under_way_may_still_land():
    flight = Flight(1, NOON)
    assert after(holding("a"), now=moving("a", "b", flight)).quiet_until == NOON + QUIET
    assert after(moving("a", "b", flight), now=holding("b")).quiet_until == NOON + QUIET
    assert after(holding("a"), now=holding("b")).quiet_until is None


def test_where_nothing_changed_nothing_is_in_doubt():
    same = moving("a b", "b c")
    assert back([Receipt(LAPSED, same)], now=[Receipt(LAPSED, same, definition="new")]) == ()


def test_a_segment_or_an_address_that_is_new_stays():
    other = Receipt(LOYAL, holding("x", segment_id="9"))
    again = Receipt(LAPSED, holding("b", segment_id="8"))
    unanswered = Receipt(LAPSED, holding("", segment_id=""))
    assert back([Receipt(LAPSED, holding("a"))], now=[again, other]) == ()
    assert back([unanswered], [Receipt(LAPSED, holding("a"))], now=[unanswered]) == ()
    assert back([], [other], now=[replace(other, current=holding("y", segment_id="9"))]) == ()


def test_a_segment_is_found_in_whatever_place_it_has_now():
    then = Receipt(LAPSED, holding("a"), successor=holding("x", segment_id="8"))
    now = Receipt(LAPSED, holding("x y", segment_id="8"), retired=(Retired(holding("a b"), NOON),))
    [found] = back([then], now=[now])
    assert members(found.current) == ({"x"}, {"y"})
    assert members(found.retired[0].holding) == ({"a"}, {"b"})
    [found] = back([then], now=[replace(then, successor=holding("z", segment_id="8"))])
    assert found.successor
    assert members(found.successor) == (set(), {"x", "z"})
    assert found.current == then.current


def test_a_segment_that_is_told_of_under_another_key_is_another():
    other = replace(holding("a"), key=replace(KEY, form=Form.MD5))
    assert back([Receipt(LAPSED, other)], now=[Receipt(LAPSED, holding("b"))]) == ()


def test_an_address_that_is_lost_comes_back_with_everybody_in_doubt():
    states = ([Receipt(LAPSED, holding("a b", settled=2))], [Receipt(LAPSED, holding("b c"), definition="d")])
    [found] = back(*states, now=[])
    assert (found.address, found.definition, found.current.settled) == (LAPSED, "d", 2)
    assert members(found.current) == (set(), {"a", "b", "c"})
    unanswered = Receipt(LAPSED, Holding(KEY))
    assert back([unanswered], now=[]) == (unanswered,)


def test_what_is_doubted_is_kept_before_a_receipt_names_it():
    store, steps = state("a b", "b c"), []
    store.after_write = steps.append
    with store.lock("me") as writer:
        done = restored_to(1, writer, engine, QUIET)
    assert members(done.changed[0].current) == ({"b"}, {"a", "c"})
    kinds = [step.split()[0] for step in steps]
    assert kinds == ["keep", "keep", "open_run", "write"]
    assert [one.serial for one in store.reader().history()] == [1, 2]


def test_going_back_to_what_is_not_kept_changes_nothing():
    store = state("a b", "b c")
    before = store.saved_receipts.copy()
    with store.lock("me") as writer, pytest.raises(StorageError, match="serial 2 is not kept"):
        restored_to(2, writer, engine, QUIET)
    assert store.saved_receipts == before


def test_a_receipt_that_is_lost_is_done_without_when_that_is_accepted():
    store = state("a b", "b c")
    store.saved_damage.add(LAPSED)
    with store.lock("me") as writer:
        with pytest.raises(StorageError):
            restored_to(1, writer, engine, QUIET)
        done = restored_to(1, writer, engine, QUIET, accept_loss=True)
    assert done.set_aside == (LAPSED,)
    assert members(store.saved_receipts[LAPSED].current) == (set(), {"a", "b"})


def state(*runs: str) -> MemoryStore:
    """Each run sends other people to one segment."""
    store = MemoryStore("sandbox")
    for names in runs:
        with store.lock("me") as writer:
            writer.keep(people(names), engine.file(people(names)))
            writer.write(Receipt(LAPSED, holding(names)))
    return store
