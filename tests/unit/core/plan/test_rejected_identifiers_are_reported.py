"""Too many rejected identifiers fail the address, and stay reported."""

from dataclasses import replace

import pytest
from support.in_memory_environment import OPEN, DesiredSegment, InMemoryEnvironment

from reconciler.core.errors import InvalidIdentifiersError, PartialApplyError
from reconciler.core.events import ChangeOutcome
from reconciler.core.members import NO_DELTA
from reconciler.core.model import Address, Hashing, IdentifierType
from reconciler.core.plan.changes import Replace, Update, address_of
from reconciler.core.plan.rejections import nothing_accepted, rejection
from reconciler.core.state.resource import SegmentState, Transfer

pytestmark = pytest.mark.promise("guards")

ADDRESS = Address("offsite", "buyers")
MD5 = (IdentifierType.EMAIL, Hashing.MD5)
ACCEPTED = "a"
"""What a valid person begins with."""


def people(valid: int, invalid: int) -> frozenset[str]:
    return frozenset(f"a{number:03}" for number in range(valid)) | {f"x{n:03}" for n in range(invalid)}


@pytest.fixture
def world() -> InMemoryEnvironment:
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, batch_size=500, guards=replace(OPEN, max_invalid=0.1)
    )
    world.criteo.accepts = lambda identifier: identifier.rpartition(":")[2].startswith(ACCEPTED)
    return world


def held(world: InMemoryEnvironment) -> SegmentState:
    return world.store.saved_resources[ADDRESS].current


def failed(world: InMemoryEnvironment) -> InvalidIdentifiersError:
    report = world.run()
    assert report.outcomes == {ADDRESS: ChangeOutcome.FAILED}
    error = report.errors[ADDRESS]
    assert isinstance(error, InvalidIdentifiersError)
    return error


def warnings(world: InMemoryEnvironment) -> list[str]:
    return [note for note in world.plan().notes if "maxInvalid" in note]


def test_an_address_whose_identifiers_are_all_rejected_fails(world: InMemoryEnvironment) -> None:
    world.people["buyers"] = people(0, 170)
    error = failed(world)
    assert error.exit_code == PartialApplyError.exit_code
    assert error.problem == ("Criteo rejected 170 of 170 identifiers as invalid (limit 10%, maxInvalid)")
    assert not error.resumable


def test_nothing_is_sent_again_and_every_plan_warns(world: InMemoryEnvironment) -> None:
    world.people["buyers"] = people(0, 170)
    failed(world)
    sent = list(world.criteo.writes)
    for _ in range(2):
        [warning] = warnings(world)
        assert "offsite/buyers" in warning
        assert "170 of 170" in warning
        assert world.run().errors == {}
        assert world.plan().changes == ()
    assert world.criteo.writes == sent


def test_a_list_that_changes_is_sent_as_usual_and_may_fail_again(world: InMemoryEnvironment) -> None:
    world.people["buyers"] = people(80, 20)
    failed(world)
    world.people["buyers"] = people(81, 20)
    assert "20 of 100 identifiers" in failed(world).problem
    world.people["buyers"] = people(90, 10)
    assert world.run().outcomes == {ADDRESS: ChangeOutcome.APPLIED}
    assert warnings(world) == []
    assert held(world).rejected == 10


def test_a_corrected_list_needs_no_larger_guard(
    world: InMemoryEnvironment,
) -> None:
    world.guards = replace(world.guards, max_shrink=0.2, max_growth=1.0)
    world.people["buyers"] = people(0, 170)
    failed(world)
    world.people["buyers"] = people(170, 0)
    assert world.run().outcomes == {ADDRESS: ChangeOutcome.APPLIED}
    world.people["buyers"] = people(100, 0)
    assert "maxShrink" in world.plan().blocked[0].finding.problem


def test_a_share_within_the_limit_is_no_failure(world: InMemoryEnvironment) -> None:
    world.people["buyers"] = people(90, 10)
    assert world.run().outcomes == {ADDRESS: ChangeOutcome.APPLIED}
    assert warnings(world) == []


def test_the_limit_of_the_audience_decides(world: InMemoryEnvironment) -> None:
    world.people["buyers"] = people(80, 20)
    failed(world)
    world.guards = replace(world.guards, max_invalid=0.2)
    assert world.run().outcomes == {ADDRESS: ChangeOutcome.APPLIED}
    assert warnings(world) == []


def test_the_definition_counts_as_applied_so_that_members_stay_up_to_date(world: InMemoryEnvironment) -> None:
    world.people["buyers"] = people(0, 20)
    failed(world)
    assert world.store.saved_resources[ADDRESS].definition == world.desired().segments[0].definition


def test_a_first_fill_stops_when_its_first_batch_is_rejected_in_full(world: InMemoryEnvironment) -> None:
    world.batch_size = 50
    world.people["buyers"] = people(0, 170)
    error = failed(world)
    assert "rejected all 50 identifiers" in error.problem
    assert world.criteo.writes[-1][0] == "add"
    assert [call for call in world.criteo.writes if call[0] == "add"] == [("add", held(world).segment_id, 50)]


def test_a_stopped_fill_stays_blocked_until_the_list_or_the_limit_changes(world: InMemoryEnvironment) -> None:
    world.batch_size = 50
    world.people["buyers"] = people(0, 170)
    failed(world)
    [blocked] = world.plan().blocked
    assert blocked.address == ADDRESS
    assert "rejected all 50 identifiers" in blocked.finding.problem
    world.people["buyers"] = people(170, 0)
    assert world.plan().blocked == ()
    assert world.run().outcomes == {ADDRESS: ChangeOutcome.APPLIED}
    assert held(world).rejected == 0
    assert world.criteo.segment(held(world).segment_id).members == world.members(ADDRESS)


def test_a_stopped_fill_resumes_within_the_limit(world: InMemoryEnvironment) -> None:
    world.batch_size = 50
    world.people["buyers"] = people(0, 170)
    failed(world)
    world.guards = replace(world.guards, max_invalid=1.0)
    assert world.run().outcomes == {ADDRESS: ChangeOutcome.APPLIED}
    assert held(world).rejected == 170


def test_a_replacement_does_not_take_over_with_rejected_members(world: InMemoryEnvironment) -> None:
    world.people["buyers"] = people(20, 0)
    world.run()
    before = held(world).segment_id
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], kind=MD5)
    world.criteo.accepts = lambda identifier: "md5" not in identifier
    failed(world)
    assert held(world).segment_id == before
    [change] = world.plan().changes
    assert isinstance(change, Replace)
    assert "20 of 20" in warnings(world)[0]
    sent = list(world.criteo.writes)
    failed(world)
    assert world.criteo.writes == sent


def test_removing_rejected_identifiers_takes_them_off_the_count(world: InMemoryEnvironment) -> None:
    world.people["buyers"] = people(95, 5)
    world.run()
    world.people["buyers"] = people(95, 2)
    [change] = world.plan().changes
    assert isinstance(change, Update)
    assert address_of(change) == ADDRESS
    world.run()
    assert held(world).rejected == 2


def test_shares_are_counted_on_the_way_as_well() -> None:
    key = InMemoryEnvironment(wishes={ADDRESS: DesiredSegment("Buyers")}).desired().segments[0].key
    none = SegmentState(key, "1")
    assert rejection(none, 0.1) is None
    assert not nothing_accepted(none, 0.1)
    moving = Transfer(none.confirmed, none.confirmed, replace(NO_DELTA, adds=100), acknowledged=50)
    assert nothing_accepted(replace(none, transfer=moving, rejected=50), 0.1)
    assert not nothing_accepted(replace(none, transfer=moving, rejected=50), 1.0)
    assert not nothing_accepted(replace(none, transfer=moving, rejected=49), 0.1)
    assert not nothing_accepted(replace(none, transfer=replace(moving, acknowledged=100), rejected=100), 0.1)


def test_of_many_addresses_a_few_are_named(world: InMemoryEnvironment) -> None:
    addresses = [Address("offsite", f"buyers{number}") for number in range(7)]
    world.wishes = {at: DesiredSegment(at.audience) for at in addresses}
    world.people = {at.audience: people(0, 20) for at in addresses}
    world.run()
    warned = warnings(world)
    assert [note.split(":")[0] for note in warned[:5]] == [str(at) for at in addresses[:5]]
    assert warned[5:] == ["Criteo rejected more than maxInvalid allows at 2 more addresses"]
