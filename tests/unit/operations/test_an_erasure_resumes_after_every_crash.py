"""A person in five audiences, one forgotten and one with a pending transfer, and kills at each step."""

from collections.abc import Iterator

import pytest
from support.fakes.crash import Crash
from support.in_memory_environment import (
    EMAIL,
    CrashAt,
    DesiredSegment,
    InMemoryEnvironment,
)

from reconciler.core.model import Address, Guards, Hashing, IdentifierType, Retention
from reconciler.operations.erase_people import ErasureResult

pytestmark = pytest.mark.promise("private")

NAMES = ("a", "b", "c", "forgotten", "pending")
ANN = "Email:sha256:ann"
ANNS = {ANN, "Email:md5:ann"}


def environment() -> InMemoryEnvironment:
    """Saved versions hold the person too."""
    made = InMemoryEnvironment()
    made.store.keep = Retention()
    made.wishes = {Address("email", name): DesiredSegment(name) for name in NAMES}
    made.people = {name: frozenset({"ann", "bob", "cat", f"{name}1"}) for name in NAMES}
    made.run()
    made.people["a"] |= {"dan"}
    made.run()
    del made.wishes[Address("email", "forgotten")]
    made.people["pending"] |= {f"new{number}" for number in range(9)}
    answers = iter([None, "rejected"])
    made.criteo.fault = lambda operation: next(answers, "rejected") if operation == "add" else None
    made.run()
    made.criteo.fault = lambda _operation: None
    [pending] = [one for one in made.store.reader().resources() if one.address.audience == "pending"]
    assert pending.current.transfer
    return made


def erase(made: InMemoryEnvironment) -> ErasureResult:
    """Resume what the state says is pending, or begin."""
    pending = made.store.saved_erasures.is_pending
    return made.erase(frozenset() if pending else frozenset({"ann"}), [EMAIL])


def holders(made: InMemoryEnvironment) -> list[str]:
    """What still has the person: segments at Criteo, and stored snapshots of any version."""
    everything = (one for account in made.criteo.accounts.values() for one in account.values())
    segments = [one.name for one in everything if ANN in one.members]
    stored = made.store.saved_snapshots
    return [*segments, *(digest for digest in stored if ANN in made.engine._sets[digest])]


def kills() -> Iterator[CrashAt]:
    for number in range(1, 200):
        for after in (False, True):
            yield CrashAt(number, after)


def test_the_person_is_gone_after_the_next_run() -> None:
    steps = 0
    for crash in kills():
        made = environment()
        assert len(holders(made)) > len(NAMES)
        made.store.before_write, made.store.after_write = crash.before_write, crash.after_write
        made.criteo.fault = crash.fault
        try:
            erase(made)
            break
        except Crash:
            steps += 1
        made.criteo.fault = lambda _operation: None
        made.die()
        erase(made)
        assert holders(made) == [], crash
        assert not made.store.saved_erasures.is_pending
    assert holders(made) == []
    assert steps > 20


def test_an_erasure_is_not_complete_while_access_is_lost() -> None:
    made = environment()
    made.guards = Guards()
    made.criteo.hidden = {"1001"}
    result = erase(made)
    assert "access may be lost" in result.problems[0].problem
    assert made.store.saved_erasures.is_pending
    made.criteo.hidden.clear()
    assert erase(made).problems == ()
    assert holders(made) == []


def test_a_segment_that_was_deleted_holds_nobody() -> None:
    made = environment()
    made.guards = Guards()
    made.criteo.delete(made.store.saved_resources[Address("email", "a")].current.segment_id)
    assert erase(made).problems == ()


def test_others_stay_and_a_source_that_still_has_the_person_does_not_bring_them_back() -> None:
    made = environment()
    erase(made)
    made.run()
    assert holders(made) == []
    for name in ("a", "b", "c", "pending"):
        address = Address("email", name)
        [resource] = [one for one in made.store.reader().resources() if one.address == address]
        assert made.engine.members(resource.current.confirmed) == made.members(address) - {ANN}
        assert resource.current.transfer is None
    assert made.plan().changes == ()


def test_the_places_name_all_that_held_the_person() -> None:
    made = environment()
    erase(made)
    [request] = made.store.saved_erasures.content.requests
    assert {one.address.audience for one in request.places} == {*NAMES}
    assert all(one.versions for one in request.places)
    assert request.completed_at


def test_a_problem_of_one_segment_stops_no_removal_from_another_one() -> None:
    """Of one address: its replaced segment has the tag of another address, its current one does not."""
    made = environment()
    made.wishes[Address("email", "a")] = DesiredSegment("a", kind=(IdentifierType.EMAIL, Hashing.MD5))
    made.run()
    [replaced] = [one for one in made.criteo.accounts["1001"].values() if one.name.startswith("a (retired")]
    tag, replaced.description = replaced.description, "[reconciler 0123456789-abcd]"
    erased = made.erase(frozenset({"ann"}), [EMAIL, (IdentifierType.EMAIL, Hashing.MD5)])
    assert [one.where for one in erased.problems] == ["email/a"]
    at_criteo = [one.name for one in made.criteo.accounts["1001"].values() if len(one.members & ANNS)]
    assert at_criteo == [replaced.name]
    replaced.description = tag
    assert erase(made).problems == ()
    assert holders(made) == []
