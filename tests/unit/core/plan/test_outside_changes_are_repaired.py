"""What others did to a segment is named, and repaired by the smallest change that is safe."""

import pytest
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.adoption import Adoption, Baseline
from reconciler.core.model import Address, IdentifierType, RepairMode, SourceLocation
from reconciler.core.plan.changes import AttributeChange, Refill, Replace
from reconciler.core.plan.drift import Drift, OutsideChange
from reconciler.core.plan.losses import MemberCounts, is_filled
from reconciler.core.plan.reasons import FilledOutside
from reconciler.core.remote import NewSegment, SharingStatus

pytestmark = pytest.mark.promise("converges")

ONE = Address("offsite", "one")
EVERYTHING = {ONE}
A_DAY = 90_000


@pytest.fixture
def world() -> InMemoryEnvironment:
    made = InMemoryEnvironment(wishes={ONE: DesiredSegment("Gold")}, people={"one": frozenset("abcdefghij")})
    made.repair = RepairMode.AUTO
    made.run()
    made.clock.advance(A_DAY)
    return made


def fill(world: InMemoryEnvironment) -> str:
    """Others add members to the segment."""
    segment = world.criteo.segment(world.store.saved_resources[ONE].current.segment_id)
    assert segment
    segment.members |= {f"stranger {number}" for number in range(20)}
    return segment.id


@pytest.mark.parametrize(
    ("acknowledged", "counted", "filled"),
    [(0, 10, False), (0, 11, True), (1_000, 1_100, False), (1_000, 1_101, True), (100, 0, False)],
)
def test_a_larger_count_than_acknowledged_is_by_others(acknowledged: int, counted: int, filled: bool) -> None:
    assert is_filled(MemberCounts(acknowledged, counted)) is filled


@pytest.mark.parametrize(
    ("counts", "change"),
    [
        (None, None),
        (MemberCounts(100, 0), OutsideChange.CLEARED),
        (MemberCounts(100, 60), OutsideChange.MEMBERS_LOST),
        (MemberCounts(100, 95), None),
        (MemberCounts(100, 160), OutsideChange.FILLED),
    ],
)
def test_drift_names_what_others_did_to_members(
    counts: MemberCounts | None, change: OutsideChange | None
) -> None:
    assert Drift(ONE, "Gold", member_counts=counts).member_change is change


def test_drift_names_what_others_did_to_attributes() -> None:
    tagged = "[reconciler 7f3a9c21b4-1a2b]"
    attributes = (
        AttributeChange("name", "Gold", "Silver"),
        AttributeChange("description", tagged, f"for Anna {tagged}"),
        AttributeChange("description", tagged, "for Anna"),
    )
    assert Drift(ONE, "Gold", attributes).attribute_changes == (
        OutsideChange.RENAMED,
        OutsideChange.DESCRIBED,
        OutsideChange.UNTAGGED,
    )


def test_a_filled_segment_is_replaced_and_the_old_one_keeps_its_members(world: InMemoryEnvironment) -> None:
    old = fill(world)
    [change] = world.plan(EVERYTHING).changes
    assert isinstance(change, Replace)
    assert change.reason == FilledOutside(old)
    world.run(counted=EVERYTHING)
    resource = world.store.saved_resources[ONE]
    segment, retired = world.criteo.segment(resource.current.segment_id), world.criteo.segment(old)
    assert segment
    assert retired
    assert (segment.name, len(segment.members), len(retired.members)) == ("Gold", 10, 30)
    assert not resource.replace_requested
    world.clock.advance(A_DAY)
    assert world.plan(EVERYTHING).changes == ()


def test_an_interrupted_repair_resumes_without_a_count(world: InMemoryEnvironment) -> None:
    old = fill(world)
    world.criteo.fault = lambda operation: "rejected" if operation == "add" else None
    world.run(counted=EVERYTHING)
    world.criteo.fault = lambda _operation: None
    world.run()
    resource = world.store.saved_resources[ONE]
    assert [one.segment.segment_id for one in resource.retired] == [old]
    assert len(world.criteo.accounts["1001"]) == 2
    assert world.plan().changes == ()


def test_a_segment_is_replaced_for_its_count_once(world: InMemoryEnvironment) -> None:
    """If Criteo counts more again, it counts otherwise than we do."""
    fill(world)
    world.run(counted=EVERYTHING)
    world.clock.advance(A_DAY)
    fill(world)
    plan = world.plan(EVERYTHING)
    assert plan.changes == ()
    assert "Criteo counts more identifiers than were sent: offsite/one" in "\n".join(plan.notes)


def test_a_segment_that_replaced_an_adopted_one_is_repaired_too() -> None:
    made = InMemoryEnvironment(wishes={ONE: DesiredSegment("Gold")}, people={"one": frozenset("abc")})
    made.repair = RepairMode.AUTO
    theirs = made.criteo.add("1001", NewSegment("Theirs", "", "7", IdentifierType.EMAIL), {"theirs"})
    place = SourceLocation("adopt.yaml", 1, 1)
    made.adoptions[ONE] = Adoption(ONE, theirs.id, Baseline.REPLACE, place)
    made.run()
    made.clock.advance(A_DAY)
    filled = fill(made)
    [change] = made.plan(EVERYTHING).changes
    assert filled != theirs.id
    assert isinstance(change, Replace)
    assert change.reason == FilledOutside(filled)


def test_without_the_setting_a_filled_segment_is_only_noted(world: InMemoryEnvironment) -> None:
    world.repair = RepairMode.ASK
    fill(world)
    plan = world.plan(EVERYTHING)
    assert plan.changes == ()
    assert "Criteo counts more identifiers" in plan.notes[0]
    assert world.plan().notes == ()


def test_a_cleared_segment_is_filled_again(world: InMemoryEnvironment) -> None:
    segment_id = world.store.saved_resources[ONE].current.segment_id
    world.criteo.clear(segment_id)
    [change] = world.plan(EVERYTHING).changes
    assert isinstance(change, Refill)
    world.run(counted=EVERYTHING)
    segment = world.criteo.segment(segment_id)
    assert segment
    assert len(segment.members) == 10


def test_a_shared_or_protected_segment_is_not_replaced_for_its_count(world: InMemoryEnvironment) -> None:
    segment = world.criteo.segment(fill(world))
    assert segment
    segment.sharing = SharingStatus.SHARED_WITH_ALL
    [shared] = world.plan(EVERYTHING).blocked
    assert "it would be replaced" in shared.finding.problem
    segment.sharing = SharingStatus.NOT_SHARED
    world.wishes[ONE] = DesiredSegment("Gold", protect=True)
    [protected] = world.plan(EVERYTHING).blocked
    assert "the audience is protected" in protected.finding.problem


def test_another_key_is_a_replacement_of_its_own(world: InMemoryEnvironment) -> None:
    fill(world)
    world.wishes[ONE] = DesiredSegment("Gold", account_id="1002")
    [change] = world.plan(EVERYTHING).changes
    assert isinstance(change, Replace)
    assert not isinstance(change.reason, FilledOutside)
