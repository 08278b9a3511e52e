"""A `Removed` document empties or deletes the segments of an address that left the manifests."""

from datetime import timedelta

import pytest
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.desired_state import DesiredState
from reconciler.core.lifecycle import MembersEnd, RemovedAudience, SegmentEnd
from reconciler.core.model import Address, SourceLocation
from reconciler.core.plan.change_kinds import Cause, ChangeKind
from reconciler.core.plan.changes import Delete, Empty, Forget, kind_of
from reconciler.core.plan.observed import TeardownEnd
from reconciler.core.plan.reasons import Removed, RemovedAndKept
from reconciler.core.remote import NewSegment, SharingStatus

pytestmark = pytest.mark.promise("converges")

ONE, TWO = (Address("offsite", name) for name in ("one", "two"))
PLACE = SourceLocation("changes.yaml", 2, 10)
KEEP, REMOVE = MembersEnd
KEPT, DELETED = SegmentEnd


@pytest.fixture
def world() -> InMemoryEnvironment:
    """Two audiences that were applied; one has left the manifests."""
    made = InMemoryEnvironment(wishes={ONE: DesiredSegment("Gold"), TWO: DesiredSegment("Silver")})
    made.people |= {at.audience: frozenset("abcdefghij") for at in (ONE, TWO)}
    made.run()
    del made.wishes[ONE]
    return made


def removed(members: MembersEnd, segment: SegmentEnd, selector: str = str(ONE)) -> RemovedAudience:
    return RemovedAudience(selector, members, segment, PLACE)


def held(world: InMemoryEnvironment) -> dict[str, int]:
    return {one.name: len(one.members) for one in world.criteo.accounts["1001"].values()}


def only(world: InMemoryEnvironment) -> Forget | Empty | Delete:
    plan = world.plan()
    assert plan.blocked == ()
    [change] = plan.changes
    return change  # type: ignore[return-value]


def problem(world: InMemoryEnvironment, cause: Cause = Cause.SEGMENT) -> str:
    plan = world.plan()
    assert plan.changes == ()
    [blocked] = plan.blocked
    assert (blocked.address, blocked.cause) == (ONE, cause)
    return blocked.finding.problem


@pytest.mark.parametrize(
    ("members", "segment", "kind", "left"),
    [
        (KEEP, KEPT, ChangeKind.FORGET, {"Gold": 10, "Silver": 10}),
        (REMOVE, KEPT, ChangeKind.EMPTY, {"Gold": 0, "Silver": 10}),
        (KEEP, DELETED, ChangeKind.DELETE, {"Silver": 10}),
        (REMOVE, DELETED, ChangeKind.DELETE, {"Silver": 10}),
    ],
)
@pytest.mark.parametrize("selector", [str(ONE), ONE.audience])
def test_a_document_states_what_becomes_of_members_and_segment(
    world: InMemoryEnvironment,
    members: MembersEnd,
    segment: SegmentEnd,
    kind: ChangeKind,
    left: dict[str, int],
    selector: str,
) -> None:
    world.removed = (removed(members, segment, selector),)
    assert kind_of(only(world)) is kind
    world.run()
    assert held(world) == left
    assert (ONE in world.store.saved_resources) == (segment is KEPT)
    assert "clear" not in {call[0] for call in world.criteo.writes}
    assert world.plan().changes == ()


def test_a_segment_deleted_with_its_members_is_not_emptied_first(world: InMemoryEnvironment) -> None:
    world.removed = (removed(KEEP, DELETED),)
    world.run()
    assert {call[0] for call in world.criteo.writes} == {"create", "add", "delete"}


def test_without_a_document_the_address_is_forgotten(world: InMemoryEnvironment) -> None:
    assert isinstance(only(world).reason, Removed)
    world.removed = (removed(KEEP, KEPT),)
    assert isinstance(only(world).reason, RemovedAndKept)


def test_a_forgotten_address_can_be_emptied_later(world: InMemoryEnvironment) -> None:
    world.run()
    assert world.plan().changes == ()
    world.removed = (removed(REMOVE, KEPT),)
    world.run()
    assert held(world) == {"Gold": 0, "Silver": 10}
    assert world.plan().changes == ()


def test_a_segment_that_an_audience_is_built_on_is_not_deleted(world: InMemoryEnvironment) -> None:
    segment_id = world.store.saved_resources[ONE].current.segment_id
    world.criteo.audiences = {f"Campaign {at}": frozenset({segment_id}) for at in range(5)}
    world.removed = (removed(REMOVE, DELETED),)
    assert problem(world) == (
        f"segment {segment_id} is not deleted: audiences at Criteo are built on it: “Campaign 0”, "
        "“Campaign 1”, “Campaign 2” and 2 more"
    )
    world.run()
    assert held(world) == {"Gold": 10, "Silver": 10}
    world.criteo.audiences.popitem()
    world.removed = (removed(REMOVE, KEPT),)
    assert isinstance(only(world), Empty)


def test_a_teardown_deletes_no_segment_that_an_audience_is_built_on(world: InMemoryEnvironment) -> None:
    segment_id = world.store.saved_resources[ONE].current.segment_id
    world.criteo.audiences = {"Spring": frozenset({segment_id})}
    [blocked] = world.teardown_plan(TeardownEnd.DELETE, {ONE}).blocked
    assert blocked.finding.problem.endswith("audiences at Criteo are built on it: “Spring”")
    assert blocked.finding.remedy == "remove it from these audiences in Criteo, or leave out --delete"


def test_criteo_is_asked_about_audiences_only_for_a_deletion(world: InMemoryEnvironment) -> None:
    world.removed = (removed(REMOVE, KEPT),)
    world.plan()
    world.teardown_plan(TeardownEnd.FORGET)
    assert "audiences_on" not in {call[0] for call in world.criteo.calls}


def test_a_shared_segment_is_not_emptied(world: InMemoryEnvironment) -> None:
    segment = world.criteo.segment(world.store.saved_resources[ONE].current.segment_id)
    assert segment
    segment.sharing = SharingStatus.SHARED_WITH_ALL
    world.removed = (removed(REMOVE, KEPT),)
    assert "is shared with other accounts at Criteo (SharedWithAll)" in problem(world)


def test_a_shared_segment_is_sent_members_and_not_replaced(world: InMemoryEnvironment) -> None:
    world.wishes[ONE] = DesiredSegment("Gold")
    segment = world.criteo.segment(world.store.saved_resources[ONE].current.segment_id)
    assert segment
    segment.sharing = SharingStatus.SHARED_WITH_DEMAND_ACCOUNTS
    world.people["one"] = frozenset("abcdefghijk")
    assert "shared with other accounts at Criteo: offsite/one" in world.plan().notes[0]
    world.run()
    assert held(world)["Gold"] == 11
    world.wishes[ONE] = DesiredSegment("Gold", account_id="1002")
    assert "it would be replaced" in problem(world)


def test_a_read_only_segment_is_noted(world: InMemoryEnvironment) -> None:
    segment = world.criteo.segment(world.store.saved_resources[TWO].current.segment_id)
    assert segment
    segment.read_only = True
    assert "read-only at Criteo: offsite/two" in world.plan().notes[0]


def test_a_protected_address_is_not_removed(world: InMemoryEnvironment) -> None:
    world.wishes[ONE] = DesiredSegment("Gold", protect=True)
    world.run()
    del world.wishes[ONE]
    world.removed = (removed(REMOVE, KEPT),)
    assert "`protect: true`" in problem(world, Cause.GUARD)
    world.removed = (removed(KEEP, KEPT),)
    assert isinstance(only(world), Forget)
    world.run()
    world.removed = (removed(KEEP, DELETED),)
    assert "`protect: true`" in problem(world, Cause.GUARD)


def test_a_document_about_nothing_is_noted(world: InMemoryEnvironment) -> None:
    world.removed = (removed(REMOVE, DELETED, "offsite/none"),)
    assert world.plan().notes == (
        "changes.yaml:2:10: the state has no address offsite/none: the document is done, or names nothing",
    )


def test_a_removed_segment_that_is_missing_is_dropped(world: InMemoryEnvironment) -> None:
    world.criteo.delete(world.store.saved_resources[ONE].current.segment_id)
    world.removed = (removed(REMOVE, DELETED),)
    change = only(world)
    assert isinstance(change, Forget)
    assert change.drop_state
    world.run()
    assert ONE not in world.store.saved_resources


def test_an_unconfirmed_create_of_a_removed_address_is_found(world: InMemoryEnvironment) -> None:
    world.wishes[ONE] = DesiredSegment("Gold", account_id="1002")
    world.criteo.fault = lambda operation: "lost-after" if operation == "create" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    del world.wishes[ONE]
    world.removed = (removed(REMOVE, DELETED),)
    world.run()
    world.clock.advance(timedelta(hours=1).total_seconds())
    world.run()
    assert world.criteo.accounts["1002"] == {}
    assert held(world) == {"Silver": 10}


def test_an_environment_without_audiences_can_remove_its_last(world: InMemoryEnvironment) -> None:
    world.wishes.clear()
    world.removed = (removed(REMOVE, DELETED), removed(REMOVE, DELETED, str(TWO)))
    world.run()
    assert held(world) == {}


def test_another_segment_is_never_touched(world: InMemoryEnvironment) -> None:
    key = world.store.saved_resources[ONE].current.key
    world.criteo.add("1001", NewSegment("Theirs", "", key.retailer_id, key.identifier_type), "xyz")
    world.removed = (removed(REMOVE, DELETED),)
    world.run()
    assert held(world) == {"Silver": 10, "Theirs": 3}


def test_a_document_of_a_declared_address_says_nothing(world: InMemoryEnvironment) -> None:
    world.wishes[ONE] = DesiredSegment("Gold")
    world.removed = (removed(REMOVE, DELETED),)
    desired: DesiredState = world.desired()
    assert desired.end_of(ONE) is None
    assert desired.end_of(Address("onsite", "one")) is None
