"""A `Moved` document gives an address the segment, the members and the state of its old address."""

from dataclasses import replace

import pytest
from support.fakes.crash import Crash
from support.in_memory_environment import CREDENTIAL, CrashAt, DesiredSegment, InMemoryEnvironment

from reconciler.core.lifecycle import MembersEnd, MovedAudience, RemovedAudience, SegmentEnd, origins
from reconciler.core.model import Address, SourceLocation
from reconciler.core.plan.change_kinds import Cause, ChangeKind
from reconciler.core.plan.changes import Adopt, Create, Forget, Replace, address_of, kind_of
from reconciler.core.plan.observed import TeardownEnd
from reconciler.core.state.moves import moved, without_superseded
from reconciler.core.state.ownership_tag import tag_of
from reconciler.core.state.resource import CreateIntent, ResourceState, SegmentState
from reconciler.operations.rebuild_state import reuse_segments, scan_segments

pytestmark = pytest.mark.promise("converges")

OLD, NEW, THIRD, OTHER = (Address("offsite", name) for name in ("old", "new", "third", "other"))
PLACE = SourceLocation("changes.yaml", 2, 7)
PEOPLE = frozenset("abcdefghij")


def move(origin: object, to: object) -> MovedAudience:
    return MovedAudience(str(origin), str(to), PLACE)


@pytest.fixture
def world() -> InMemoryEnvironment:
    """One of two audiences got another name after it was applied."""
    made = InMemoryEnvironment(wishes={OLD: DesiredSegment("Gold"), OTHER: DesiredSegment("Other")})
    made.people |= dict.fromkeys(("old", "new", "third", "other"), PEOPLE)
    made.run()
    rename(made, OLD, NEW)
    return made


def rename(world: InMemoryEnvironment, origin: Address, to: Address) -> None:
    world.wishes[to] = world.wishes.pop(origin)
    world.moved = (*world.moved, move(origin, to))


def the_segment(world: InMemoryEnvironment, address: Address) -> str:
    return world.store.saved_resources[address].current.segment_id


def described(world: InMemoryEnvironment, segment_id: str) -> str:
    segment = world.criteo.segment(segment_id)
    assert segment
    return segment.description


def test_a_move_is_a_patch_of_the_description(world: InMemoryEnvironment) -> None:
    before, writes = the_segment(world, OLD), len(world.criteo.writes)
    [change] = world.plan().changes
    assert (address_of(change), kind_of(change)) == (NEW, ChangeKind.MOVE)
    [attribute] = change.attributes  # type: ignore[union-attr]
    assert (attribute.name, attribute.drifted) == ("description", False)
    world.run()
    assert [call[0] for call in world.criteo.writes[writes:]] == ["update"]
    assert set(world.store.saved_resources) == {NEW, OTHER}
    assert the_segment(world, NEW) == before
    assert described(world, before) == world.described(NEW)
    assert world.plan().changes == ()


def test_the_name_of_an_audience_moves_all_its_addresses(world: InMemoryEnvironment) -> None:
    world.moved = (move("old", "new"),)
    [change] = world.plan().changes
    assert (address_of(change), kind_of(change)) == (NEW, ChangeKind.MOVE)


def test_members_and_title_may_change_in_the_same_plan(world: InMemoryEnvironment) -> None:
    world.wishes[NEW] = DesiredSegment("Platinum")
    world.people["new"] = frozenset("abcxyz")
    world.run()
    segment = world.criteo.segment(the_segment(world, NEW))
    assert segment
    assert (segment.name, {one[-1] for one in segment.members}) == ("Platinum", set("abcxyz"))


def test_a_key_may_change_in_the_same_plan(world: InMemoryEnvironment) -> None:
    world.wishes[NEW] = DesiredSegment("Gold", account_id="1002")
    [change] = world.plan().changes
    assert isinstance(change, Replace)
    world.run()
    assert len(world.store.saved_resources[NEW].retired) == 1
    assert world.plan().changes == ()


def test_a_chain_of_moves_starts_where_the_state_is(world: InMemoryEnvironment) -> None:
    before = the_segment(world, OLD)
    rename(world, NEW, THIRD)
    world.run()
    assert the_segment(world, THIRD) == before
    assert set(world.store.saved_resources) == {THIRD, OTHER}
    assert origins(world.moved, THIRD) == (NEW, OLD)


def test_a_forgotten_address_moves_and_is_managed_again(world: InMemoryEnvironment) -> None:
    wish, world.moved = world.wishes.pop(NEW), ()
    world.run()
    world.wishes[NEW], world.moved = wish, (move(OLD, NEW),)
    [change] = world.plan().changes
    assert isinstance(change, Adopt)
    world.run()
    assert world.plan().changes == ()


def test_a_move_is_advised_only_where_it_can_be_carried_out(world: InMemoryEnvironment) -> None:
    """A title that a forgotten segment has is claimed by a new address, then by one with a segment."""
    world.moved, world.wishes[NEW] = (), DesiredSegment("Gold")
    [advised] = [one.finding.remedy for one in world.plan().blocked]
    assert "add `{kind: Moved, from: offsite/old, to: offsite/new}`" in advised
    world.wishes = {OTHER: DesiredSegment("Gold")}
    [advised] = [one.finding.remedy for one in world.plan().blocked]
    assert advised == "give it another title, or rename that segment in Criteo"


def test_an_address_with_a_segment_of_its_own_takes_no_other(world: InMemoryEnvironment) -> None:
    world.moved = (move(OLD, OTHER),)
    del world.wishes[NEW]
    plan = world.plan()
    assert plan.changes == ()
    assert [(one.address, one.cause) for one in plan.blocked] == [(OTHER, Cause.SEGMENT)]
    assert "offsite/old can't move here (changes.yaml:2:7)" in plan.blocked[0].finding.problem
    assert (
        world.plan(  # the old address is not forgotten meanwhile
        )
        .blocked_outcomes[0]
        .spec.address
        == OTHER
    )  # type: ignore[union-attr]


def test_a_document_that_was_applied_says_nothing(world: InMemoryEnvironment) -> None:
    world.run()
    plan = world.plan()
    assert (plan.changes, plan.blocked, plan.origins) == ((), (), {})


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 12))
def test_a_killed_move_is_completed(world: InMemoryEnvironment, number: int, after: bool) -> None:
    before, crash = the_segment(world, OLD), CrashAt(number, after)
    world.people["new"] = frozenset("abcxyz")
    world.store.before_write, world.store.after_write = crash.before_write, crash.after_write
    world.criteo.fault = crash.fault
    try:
        world.run()
    except Crash:
        world.die()
    world.criteo.fault = lambda _operation: None
    world.run()
    world.clock.advance(3_600)
    world.run()
    assert set(world.store.saved_resources) == {NEW, OTHER}
    assert the_segment(world, NEW) == before
    assert described(world, before) == world.described(NEW)
    assert len(world.criteo.accounts["1001"]) == 2
    assert world.plan().changes == ()


def test_a_move_back_is_no_copy_of_the_first(world: InMemoryEnvironment) -> None:
    world.run()
    world.moved = ()
    rename(world, NEW, OLD)
    before = the_segment(world, NEW)
    there = world.store.saved_resources[NEW]
    kept, superseded = without_superseded([moved(there, OLD), there])
    assert (superseded, [one.address for one in kept]) == ({NEW: OLD}, [OLD])
    world.run()
    assert the_segment(world, OLD) == before
    assert world.plan().changes == ()


def test_a_later_audience_of_the_old_name_is_another(world: InMemoryEnvironment) -> None:
    world.run()
    world.moved = ()
    world.wishes[OLD] = DesiredSegment("Old again")
    [change] = world.plan().changes
    assert isinstance(change, Create)
    world.run()
    assert set(world.store.saved_resources) == {OLD, NEW, OTHER}
    assert world.plan().changes == ()


def test_a_retired_segment_with_the_old_tag_does_not_stop_the_old_name(world: InMemoryEnvironment) -> None:
    world.wishes[NEW] = DesiredSegment("Gold", account_id="1002")
    world.run()
    world.moved = ()
    world.wishes[OLD] = DesiredSegment("Old again")
    [change] = world.plan().changes
    assert isinstance(change, Create)


def test_suppressed_members_leave_before_a_blocked_move(world: InMemoryEnvironment) -> None:
    world.paused = {"new"}
    world.suppressed["new"] = frozenset("a")
    plan = world.plan()
    assert plan.paused == (NEW,)
    assert [one.count for one in plan.removals] == [1]
    world.run()
    assert set(world.store.saved_resources) == {OLD, OTHER}
    segment = world.criteo.segment(the_segment(world, OLD))
    assert segment
    assert len(segment.members) == 9
    assert tag_of(segment.description)
    world.paused.clear()
    world.run()
    assert set(world.store.saved_resources) == {NEW, OTHER}
    assert world.plan().changes == ()


def test_an_unconfirmed_create_of_the_old_address_is_found(world: InMemoryEnvironment) -> None:
    world.wishes[THIRD] = DesiredSegment("Third")
    world.criteo.fault = lambda operation: "lost-after" if operation == "create" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    rename(world, THIRD, Address("offsite", "fourth"))
    world.people["fourth"] = PEOPLE
    world.run()
    world.clock.advance(3_600)
    world.run()
    assert len(world.criteo.accounts["1001"]) == 3
    assert world.plan().changes == ()


def test_a_moved_address_can_be_torn_down_and_removed(world: InMemoryEnvironment) -> None:
    world.wishes[NEW] = DesiredSegment("Gold", account_id="1002")
    world.run()
    assert world.teardown_plan(TeardownEnd.DELETE).blocked == ()
    del world.wishes[NEW]
    world.moved = ()
    world.removed = (RemovedAudience("new", MembersEnd.REMOVE, SegmentEnd.DELETE, PLACE),)
    world.run()
    assert set(world.store.saved_resources) == {OTHER}
    assert [one.name for one in world.criteo.accounts["1001"].values()] == ["Other"]


def test_a_new_name_without_a_document_is_asked_about(world: InMemoryEnvironment) -> None:
    world.moved = ()
    world.wishes[NEW] = DesiredSegment("Platinum")
    plan = world.plan()
    assert {type(one) for one in plan.changes} == {Create, Forget}
    assert plan.resembling == {NEW: OLD}
    world.wishes[NEW] = DesiredSegment("Platinum", retailer_id="8")
    assert world.plan().resembling == {}


def test_an_old_title_under_a_new_name_is_asked_about(world: InMemoryEnvironment) -> None:
    world.moved = ()
    [blocked] = world.plan().blocked
    assert blocked.cause is Cause.NAME
    assert f"add `{{kind: Moved, from: {OLD}, to: {NEW}}}`" in blocked.finding.remedy


def test_a_copied_create_without_an_answer_is_one_address(world: InMemoryEnvironment) -> None:
    key = world.store.saved_resources[OLD].current.key
    asked = CreateIntent("Gold", world.clock.now())
    old = ResourceState(OLD, SegmentState(key, intent=asked))
    copied = moved(old, NEW)
    assert without_superseded([old, copied])[1] == {OLD: NEW}
    later = replace(old, current=replace(old.current, intent=replace(asked, name="Another")))
    assert without_superseded([later, copied])[1] == {}


def test_a_state_lost_before_a_move_is_rebuilt_under_the_new_address(world: InMemoryEnvironment) -> None:
    """The segment still has the tag of the old address. Nothing is created beside it."""
    segment_id = the_segment(world, OLD)
    world.store.saved_resources.pop(OLD)
    [blocked] = world.plan().blocked
    assert blocked.address == NEW
    assert f"segment {segment_id} has the ownership tag of this address" in blocked.finding.problem
    world.store.saved_resources.pop(OTHER)
    [lost] = world.plan().problems
    assert lost.problem.startswith("2 of 2 segments have this environment's ownership tag")
    with world.store.lock("rebuild") as state:
        readers = {CREDENTIAL: world.criteo.reader}
        seen = scan_segments(world.desired(), {NEW, OTHER}, (), {}, readers, ())
        reuse_segments(seen.found(), state, world.clock.now(), world.quiet)
    world.run()
    assert the_segment(world, NEW) == segment_id
    assert tag_of(described(world, segment_id)) != tag_of("")
    assert len(world.criteo.reader.segments("1001")) == 2
    assert world.plan().changes == ()
    assert world.plan().blocked == ()
