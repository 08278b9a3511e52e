"""The plan of a teardown: what is removed, forgotten or deleted, and what blocks it."""

from datetime import timedelta

import pytest
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment, replace

from reconciler.core.model import Address, Hashing, IdentifierType
from reconciler.core.plan.change_kinds import Cause, ChangeKind
from reconciler.core.plan.changes import Delete, Empty, Forget, kind_of
from reconciler.core.plan.observed import TeardownEnd
from reconciler.core.plan.reasons import SegmentMissing, TeardownInterrupted, UnknownMembersRemain
from reconciler.core.remote import NewSegment
from reconciler.core.state.ownership_tag import tag, with_tag

pytestmark = pytest.mark.promise("converges")

ADDRESS, OTHER = Address("offsite", "buyers"), Address("offsite", "loyal")
CUSTOMER = (IdentifierType.CUSTOMER_ID, Hashing.NONE)
FORGET, DELETE = TeardownEnd.FORGET, TeardownEnd.DELETE


@pytest.fixture
def world() -> InMemoryEnvironment:
    made = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("abcd")}
    )
    made.run()
    return made


def only(world: InMemoryEnvironment, end: TeardownEnd = FORGET) -> Empty | Delete | Forget:
    plan = world.teardown_plan(end)
    assert plan.blocked == ()
    [change] = plan.changes
    return change  # type: ignore[return-value]


def problem(world: InMemoryEnvironment, end: TeardownEnd = FORGET) -> str:
    plan = world.teardown_plan(end)
    assert plan.changes == ()
    [blocked] = plan.blocked
    assert blocked.cause is Cause.SEGMENT
    return blocked.finding.problem


def fault(world: InMemoryEnvironment, operation: str, what: str) -> None:
    world.criteo.fault = lambda called: what if called == operation else None


def current(world: InMemoryEnvironment):
    return world.store.saved_resources[ADDRESS].current


def held(world: InMemoryEnvironment) -> list[int]:
    return [len(one.members) for one in world.criteo.accounts["1001"].values()]


def test_all_known_members_are_removed_then_the_address_is_forgotten(world: InMemoryEnvironment) -> None:
    change = only(world)
    assert isinstance(change, Empty)
    assert (change.emptying.count, change.emptying.removes) == (4, 4)
    assert world.teardown_plan(FORGET).cost.calls == {"criteo": 2}
    world.tear_down(FORGET)
    assert held(world) == [0]
    assert world.store.saved_resources[ADDRESS].forgotten_at
    assert world.teardown_plan(FORGET).changes == ()


def test_a_delete_counts_one_bulk_call(world: InMemoryEnvironment) -> None:
    assert isinstance(only(world, DELETE), Delete)
    assert world.teardown_plan(DELETE).cost.calls == {"criteo": 3}
    world.tear_down(DELETE)
    assert held(world) == []
    assert world.store.saved_resources == {}


def test_a_forgotten_segment_can_be_deleted_later(world: InMemoryEnvironment) -> None:
    world.tear_down(FORGET)
    change = only(world, DELETE)
    assert isinstance(change, Delete)
    assert change.emptying.transfers == ()
    world.tear_down(DELETE)
    assert held(world) == []


def test_an_audience_that_left_the_manifests_is_emptied(world: InMemoryEnvironment) -> None:
    world.wishes[OTHER] = DesiredSegment("Loyal")
    world.people["loyal"] = frozenset("x")
    del world.wishes[ADDRESS]
    world.run()
    assert sorted(held(world)) == [1, 4]
    assert sorted(map(kind_of, world.teardown_plan(FORGET).changes)) == [ChangeKind.EMPTY] * 2
    world.tear_down(FORGET, {ADDRESS})
    assert sorted(held(world)) == [0, 1]


def test_a_replaced_segment_is_emptied_and_deleted_too(world: InMemoryEnvironment) -> None:
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], kind=CUSTOMER)
    world.run()
    assert held(world) == [4, 4]
    assert any("still at Criteo with all their members" in one for one in world.plan().notes)
    world.tear_down(FORGET)
    assert held(world) == [0, 0]
    assert not any("still at Criteo with all their members" in one for one in world.plan().notes)
    world.tear_down(DELETE)
    assert held(world) == []


def test_a_half_filled_replacement_is_emptied(world: InMemoryEnvironment) -> None:
    world.batch_size = 1
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], kind=CUSTOMER)
    fault(world, "add", "rejected")
    world.run()
    world.criteo.fault = lambda _operation: None
    world.tear_down(DELETE)
    assert held(world) == []


def test_a_missing_segment_is_dropped_from_the_state(world: InMemoryEnvironment) -> None:
    world.guards = replace(world.guards, max_missing=1.0)
    segment_id = current(world).segment_id
    world.criteo.delete(segment_id)
    assert only(world) == Forget(ADDRESS, 4, drop_state=True, reason=SegmentMissing(segment_id))
    world.tear_down(FORGET)
    assert world.store.saved_resources == {}


def test_lost_access_stops_everything(world: InMemoryEnvironment) -> None:
    world.guards = replace(world.guards, max_missing=0.1)
    world.criteo.hidden = {"1001"}
    [found] = world.teardown_plan(DELETE).problems
    assert "access may be lost" in found.problem


def test_a_deleted_segment_whose_response_was_lost_is_no_lost_access(world: InMemoryEnvironment) -> None:
    world.guards = replace(world.guards, max_missing=0.1)
    fault(world, "delete", "lost-after")
    assert world.tear_down(DELETE).errors
    world.criteo.fault = lambda _operation: None
    assert world.plan().problems == ()
    assert isinstance(only(world, DELETE), Forget)
    world.tear_down(DELETE)
    assert world.store.saved_resources == {}


def test_no_members_are_sent_while_a_delete_may_still_take_effect(world: InMemoryEnvironment) -> None:
    fault(world, "delete", "late")
    world.tear_down(DELETE)
    world.criteo.fault = lambda _operation: None
    [change] = world.plan().changes
    assert change.members.not_before == world.clock.now() + world.quiet  # type: ignore[union-attr]


def test_a_refused_delete_is_reported_and_leaves_no_wait(world: InMemoryEnvironment) -> None:
    fault(world, "delete", "rejected")
    assert world.tear_down(DELETE).errors
    assert current(world).grace_until is None
    fault(world, "delete", "partial")
    assert world.tear_down(DELETE).errors
    assert held(world) == [0]


def test_a_segment_with_the_tag_of_another_environment_is_left_alone(world: InMemoryEnvironment) -> None:
    world.criteo.describe(current(world).segment_id, with_tag("", tag("another", ADDRESS, "ffff")))
    assert "ownership tag of another environment" in problem(world)


def test_a_segment_without_its_tag_is_emptied_and_not_deleted(world: InMemoryEnvironment) -> None:
    world.criteo.describe(current(world).segment_id, "mine now")
    assert isinstance(only(world), Empty)
    assert "has no ownership tag: it is not deleted" in problem(world, DELETE)


def test_a_segment_that_cannot_be_changed_blocks(world: InMemoryEnvironment) -> None:
    segment = world.criteo.segment(current(world).segment_id)
    assert segment
    segment.read_only = True
    assert "is read-only" in problem(world)
    segment.read_only, segment.identifier_type = False, IdentifierType.PHONE_NUMBER
    assert "holds PhoneNumber at Criteo, and Email in our state" in problem(world)
    segment.identifier_type = None
    assert "holds an unknown type at Criteo" in problem(world)


def test_an_emptied_read_only_segment_is_forgotten(world: InMemoryEnvironment) -> None:
    world.tear_down(FORGET)
    segment = world.criteo.segment(current(world).segment_id)
    assert segment
    segment.read_only = True
    assert world.teardown_plan(FORGET).blocked == ()
    assert "is read-only" in problem(world, DELETE)


def test_an_account_that_cannot_be_listed_blocks(world: InMemoryEnvironment) -> None:
    world.wishes = {OTHER: DesiredSegment("Loyal", account_id="1002")}
    world.people["loyal"] = frozenset("x")
    world.run()
    del world.criteo.accounts["1001"]
    plan = world.teardown_plan(FORGET)
    [blocked] = plan.blocked
    assert blocked.finding.problem == "the current credentials can't list account 1001"
    assert [one.address for one in plan.changes] == [OTHER]  # type: ignore[union-attr]


def test_an_unconfirmed_create_is_waited_for_and_then_deleted() -> None:
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("ab")}
    )
    fault(world, "create", "late")
    world.run()
    world.criteo.fault = lambda _operation: None
    assert "an earlier request to create a segment is unconfirmed" in problem(world, DELETE)
    world.clock.advance(world.quiet.total_seconds())
    world.criteo.land()
    assert isinstance(only(world, DELETE), Delete)
    world.tear_down(DELETE)
    assert held(world) == []


def test_a_create_without_effect_is_dropped_after_its_grace_period() -> None:
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("ab")}
    )
    fault(world, "create", "lost-before")
    world.run()
    world.criteo.fault = lambda _operation: None
    world.criteo.add("1001", NewSegment("Buyers", "theirs", "7", IdentifierType.EMAIL), "x")
    world.clock.advance(world.quiet.total_seconds())
    assert isinstance(only(world), Forget)
    world.tear_down(FORGET)
    assert held(world) == [1]


def test_a_recent_rename_delays_a_delete_only(world: InMemoryEnvironment) -> None:
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], title="Buyers 2")
    fault(world, "update", "late")
    world.run()
    world.criteo.fault = lambda _operation: None
    assert isinstance(only(world), Empty)
    assert "is unconfirmed" in problem(world, DELETE)


def test_unknown_members_are_named(world: InMemoryEnvironment) -> None:
    resource = world.store.saved_resources[ADDRESS]
    unknown = replace(resource.current, members_unknown_before=world.clock.now(), completed_size=None)
    with world.store.lock("test") as state:
        state.write(replace(resource, current=unknown))
    change = only(world)
    assert isinstance(change, Empty)
    assert change.reason == UnknownMembersRemain()
    assert change.emptying.count is None
    assert isinstance(only(world, DELETE), Delete)


def test_an_interrupted_teardown_resumes(world: InMemoryEnvironment) -> None:
    world.batch_size = 1
    seen = iter([None, None])
    world.criteo.fault = lambda called: next(seen, "rejected") if called == "remove" else None
    assert world.tear_down(FORGET).errors
    world.criteo.fault = lambda _operation: None
    change = only(world)
    assert isinstance(change, Empty)
    assert (change.emptying.done, change.emptying.removes) == (2, 2)
    world.tear_down(FORGET)
    assert held(world) == [0]


def test_an_apply_after_an_interrupted_teardown_sends_the_wanted_members(world: InMemoryEnvironment) -> None:
    """The guards compare with nothing: the removal was asked for, and so is what is sent again."""
    world.guards = replace(world.guards, max_growth=0.1, max_shrink=0.1)
    world.batch_size = 1
    seen = iter([None, None, None])
    world.criteo.fault = lambda called: next(seen, "rejected") if called == "remove" else None
    world.tear_down(FORGET)
    world.criteo.fault = lambda _operation: None
    plan = world.plan()
    assert plan.blocked == ()
    [change] = plan.changes
    assert change.reason == TeardownInterrupted()  # type: ignore[union-attr]
    world.run()
    assert held(world) == [4]


def test_a_removal_waits_for_an_unconfirmed_addition(world: InMemoryEnvironment) -> None:
    world.people["buyers"] |= {"e"}
    fault(world, "add", "late")
    world.run()
    world.criteo.fault = lambda _operation: None
    plan = world.teardown_plan(FORGET)
    assert plan.cost.waits_until
    assert plan.cost.waits_until - world.clock.now() <= timedelta(minutes=10)
    world.tear_down(FORGET)
    world.clock.advance(3600)
    world.criteo.land()
    assert held(world) == [0]


def test_a_protected_address_is_not_torn_down(world: InMemoryEnvironment) -> None:
    world.wishes[ADDRESS] = DesiredSegment("Buyers", protect=True)
    world.run()
    world.wishes = {OTHER: DesiredSegment("Loyal")}
    plan = world.teardown_plan(DELETE)
    assert plan.changes == ()
    assert [(one.address, one.cause) for one in plan.blocked] == [(ADDRESS, Cause.GUARD)]
    assert plan.blocked[0].finding.remedy == f"if intended, apply {ADDRESS} with `protect: false` first"
