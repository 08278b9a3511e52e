"""A segment that lost members at Criteo is refilled by a planned and approved change."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.fakes.crash import Crash
from support.in_memory_environment import EVERYTHING, OPEN, CrashAt, DesiredSegment, InMemoryEnvironment

from reconciler.core.approval.members_only import not_members_only
from reconciler.core.members import Delta, SnapshotRef
from reconciler.core.model import Address
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import Refill, Update, kind_of
from reconciler.core.plan.drift import detect_drift
from reconciler.core.plan.losses import MemberCounts, loss
from reconciler.core.plan.model import Plan
from reconciler.core.remote import Statistics
from reconciler.core.state.resource import SegmentState

pytestmark = pytest.mark.promise("converges")

ADDRESS = Address("offsite", "buyers")
NEXT_DAY = timedelta(days=1).total_seconds()


def people(*numbers: int) -> frozenset[str]:
    return frozenset(f"p{number:03}" for number in numbers)


@pytest.fixture
def world() -> InMemoryEnvironment:
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": people(*range(170))}, batch_size=50
    )
    world.run()
    world.clock.advance(NEXT_DAY)
    return world


def held(world: InMemoryEnvironment) -> SegmentState:
    return world.store.saved_resources[ADDRESS].current


def at_criteo(world: InMemoryEnvironment) -> set[str]:
    segment = world.criteo.segment(held(world).segment_id)
    assert segment
    return segment.members


def lineage(world: InMemoryEnvironment) -> str:
    head = world.store.reader().head()
    assert head
    return head.lineage


def refill(made: Plan) -> Refill:
    assert made.blocked == ()
    [change] = made.changes
    assert isinstance(change, Refill)
    return change


def test_an_emptied_segment_is_filled_again(world: InMemoryEnvironment) -> None:
    world.criteo.clear(held(world).segment_id)
    change = refill(world.plan(EVERYTHING))
    assert kind_of(change) == ChangeKind.REFILL
    assert change.counts == MemberCounts(170, 0)
    assert change.members.delta == Delta(0, 170, 0)
    world.run(counted=EVERYTHING)
    assert at_criteo(world) == world.members(ADDRESS)
    world.clock.advance(NEXT_DAY)
    assert world.plan(EVERYTHING).changes == ()


def test_no_statistics_are_read_without_being_asked_for(world: InMemoryEnvironment) -> None:
    world.criteo.clear(held(world).segment_id)
    before = len(world.criteo.calls)
    assert world.plan().changes == ()
    assert "statistics" not in {call[0] for call in world.criteo.calls[before:]}


def test_a_refill_is_no_members_only_change(world: InMemoryEnvironment) -> None:
    world.criteo.clear(held(world).segment_id)
    [[finding]] = not_members_only(world.plan(EVERYTHING), world.store.saved_resources).values()
    assert "Criteo lost members of it" in finding.problem


@pytest.mark.parametrize(("lost", "refilled"), [(17, False), (18, True)])
def test_a_part_that_is_lost_is_refilled_beyond_a_tenth(
    world: InMemoryEnvironment, lost: int, refilled: bool
) -> None:
    for member in sorted(at_criteo(world))[:lost]:
        at_criteo(world).discard(member)
    assert bool(world.plan(EVERYTHING).changes) is refilled


def test_what_no_computation_has_counted_yet_is_not_compared(world: InMemoryEnvironment) -> None:
    world.people["buyers"] = people(*range(169))
    world.run()
    world.criteo.clear(held(world).segment_id)
    assert world.plan(EVERYTHING).changes == ()


def test_the_source_may_have_changed_meanwhile(world: InMemoryEnvironment) -> None:
    world.criteo.clear(held(world).segment_id)
    world.people["buyers"] = people(*range(100, 200))
    assert refill(world.plan(EVERYTHING)).members.delta == Delta(0, 100, 100)
    world.run(counted=EVERYTHING)
    assert at_criteo(world) == world.members(ADDRESS)


def test_a_killed_refill_resumes_without_asking_again(world: InMemoryEnvironment) -> None:
    world.criteo.clear(held(world).segment_id)
    killer = CrashAt(4, after=True)
    world.store.before_write, world.store.after_write = killer.before_write, killer.after_write
    with pytest.raises(Crash):
        world.run(counted=EVERYTHING)
    world.die()
    [change] = world.plan().changes
    assert isinstance(change, Update)
    world.run()
    assert at_criteo(world) == world.members(ADDRESS)


def test_rejected_identifiers_are_not_lost() -> None:
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": people(*range(170))}
    )
    world.criteo.accepts = lambda identifier: not identifier.endswith("0")
    world.run()
    world.clock.advance(NEXT_DAY)
    assert held(world).rejected == 17
    assert world.plan(EVERYTHING).changes == ()
    world.criteo.clear(held(world).segment_id)
    world.run(counted=EVERYTHING)
    assert held(world).rejected == 17


def test_a_refill_is_not_held_against_the_guards_of_its_size(world: InMemoryEnvironment) -> None:
    world.guards = replace(OPEN, max_growth=0.1, max_shrink=0.1)
    world.run()
    world.criteo.clear(held(world).segment_id)
    world.clock.advance(NEXT_DAY)
    refill(world.plan(EVERYTHING))
    world.people["buyers"] = people(*range(100))
    assert "maxShrink" in world.plan(EVERYTHING).blocked[0].finding.problem


def test_people_from_a_lost_state_do_not_hide_an_emptied_segment(world: InMemoryEnvironment) -> None:
    resource = world.store.saved_resources[ADDRESS]
    unsure = replace(resource.current, members_unknown_before=world.clock.now())
    assert loss(unsure, Statistics(0, 0, None), world.clock.now()) == MemberCounts(170, 0)
    found = {unsure.segment_id: Statistics(200, 0, None)}
    known = {ADDRESS: replace(resource, current=unsure)}
    segment = world.criteo.segment(unsure.segment_id)
    assert segment
    assert (
        list(detect_drift(world.desired(), lineage(world), known, {segment.id: segment.value}, found)) == []
    )


def test_drift_reports_the_loss_of_a_few(world: InMemoryEnvironment) -> None:
    resource = world.store.saved_resources[ADDRESS]
    few = replace(resource, current=replace(resource.current, confirmed=SnapshotRef("ab", 5)))
    segment = world.criteo.segment(few.current.segment_id)
    assert segment
    found = {segment.id: Statistics(0, 0, None)}
    [drift] = detect_drift(
        world.desired(), lineage(world), {ADDRESS: few}, {segment.id: segment.value}, found
    )
    assert drift.member_counts == MemberCounts(5, 0)
    assert drift.in_manifests
