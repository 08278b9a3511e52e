"""Edge cases in which a guarantee was once broken."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.fakes.members import ListFile
from support.in_memory_environment import OPT_OUTS, DesiredSegment, InMemoryEnvironment

from reconciler.core.errors import AuthenticationError, CancelledError
from reconciler.core.events import ChangeOutcome
from reconciler.core.model import Address, Hashing, IdentifierType
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.remote import NewSegment

pytestmark = pytest.mark.promise("converges")

ONE, TWO = Address("offsite", "lapsed"), Address("offsite", "loyal")
WRITES = {"create", "update", "add", "remove"}


def people(*numbers):
    return frozenset(f"p{number}" for number in numbers)


@pytest.fixture
def world():
    return InMemoryEnvironment(people={"lapsed": people(0, 1), "loyal": people(0, 1)}, batch_size=100)


def faults(world, *answers):
    pending = iter(answers)
    world.criteo.fault = lambda operation: next(pending, None) if operation in WRITES else None


def calm(world):
    world.criteo.fault = lambda _operation: None


def segment(world, address):
    return world.criteo.segment(world.store.saved_resources[address].current.segment_id)


def land(world):
    world.clock.advance(61)
    world.criteo.land()


def test_a_delayed_rename_has_its_time_of_sending(world):
    world.wishes = {ONE: DesiredSegment("Alpha"), TWO: DesiredSegment("Beta")}
    world.run()
    world.wishes[TWO] = DesiredSegment("Beta2")
    faults(world, "lost-before")
    world.run()
    world.wishes = {ONE: DesiredSegment("Alpha2"), TWO: DesiredSegment("Beta3")}
    faults(world, "late")
    world.run()
    calm(world)
    world.clock.advance(1)
    world.wishes[ONE] = DesiredSegment("Alpha3")
    assert not world.run().errors
    land(world)
    assert segment(world, ONE).name == "Alpha3"


def test_quiet_counts_from_the_last_attempt_of_a_rename(world):
    world.wishes = {ONE: DesiredSegment("Alpha")}
    world.run()
    world.wishes[ONE] = DesiredSegment("Alpha2")

    def slow(operation):
        if operation == "update":
            world.clock.advance(599)
            return "late"
        return None

    world.criteo.fault = slow
    world.run()
    calm(world)
    world.clock.advance(2)
    world.wishes[ONE] = DesiredSegment("Alpha3")
    world.run()
    land(world)
    assert segment(world, ONE).name == "Alpha3"


def test_two_addresses_never_share_a_segment(world):
    world.wishes = {ONE: DesiredSegment("Gold")}
    world.run()
    world.wishes = {
        ONE: DesiredSegment("Gold", kind=(IdentifierType.EMAIL, Hashing.MD5)),
        TWO: DesiredSegment("Gold (new)"),
    }
    [blocked] = world.plan().blocked
    assert blocked.address == TWO
    assert "is also what this plan calls a segment of" in blocked.finding.problem
    world.run()
    assert TWO not in world.store.saved_resources


def test_a_definite_no_to_a_create_leaves_no_request_behind(world):
    world.wishes = {ONE: DesiredSegment("Bad name")}
    faults(world, "rejected")
    world.run()
    calm(world)
    assert world.store.saved_resources == {}
    world.wishes[ONE] = DesiredSegment("Good name")
    world.run()
    assert segment(world, ONE).name == "Good name"


def test_the_way_out_of_a_name_taken_meanwhile_leads_out(world):
    world.wishes = {ONE: DesiredSegment("Taken")}

    def meanwhile(operation):
        if operation == "create" and not world.criteo.named("1001", "Taken"):
            world.criteo.add("1001", NewSegment("Taken", "", "8", IdentifierType.EMAIL))

    world.criteo.fault = meanwhile
    assert world.run().errors
    calm(world)
    world.wishes[ONE] = DesiredSegment("Free")
    assert not world.run().errors


def test_a_limit_that_is_just_reached_passes(world):
    world.people["lapsed"] = people(*range(100))
    world.wishes = {ONE: DesiredSegment("x")}
    world.run()
    world.people["lapsed"] = people(*range(29, 100))
    world.guards = replace(world.guards, max_shrink=29 / 100)
    assert world.plan().blocked == ()


def test_an_exchange_of_all_members_never_suggests_disabling_the_guard(world):
    world.wishes = {ONE: DesiredSegment("x")}
    world.run()
    world.people["lapsed"] = people(7, 8)
    world.guards = replace(world.guards, max_shrink=0.2)
    assert "maxShrink: " in world.plan().blocked[0].finding.remedy


def test_a_shrink_in_slices_is_still_a_shrink(world):
    world.batch_size = 1
    world.people["lapsed"] = people(*range(100))
    world.wishes = {ONE: DesiredSegment("x")}
    world.run()
    world.guards = replace(world.guards, max_shrink=0.2)
    world.people["lapsed"] = people(*range(20, 100))
    faults(world, *[None] * 19, "rejected")
    world.run()
    calm(world)
    world.people["lapsed"] = people(*range(38, 100))
    assert world.plan().blocked


def test_interrupted_growth_can_be_taken_back(world):
    world.people["lapsed"] = people(*range(10))
    world.wishes = {ONE: DesiredSegment("x")}
    world.run()
    world.people["lapsed"] = people(*range(500))
    faults(world, None, None, None, "rejected")
    world.run()
    calm(world)
    world.people["lapsed"] = people(*range(10))
    world.guards = replace(world.guards, max_shrink=1.0)
    assert world.plan().blocked == ()


def test_a_feed_that_has_stopped_is_reported_though_nothing_changes(world):
    world.wishes = {ONE: DesiredSegment("x")}
    world.run()
    build, desired = world.engine.build, world.desired

    def aged(*asked):
        old = world.clock.now() - timedelta(days=30)
        return {
            name: {kind: replace(one, newest=old) for kind, one in targets.items()}
            for name, targets in build(*asked).items()
        }

    def demanding():
        made = desired()
        [spec] = made.segments
        source = replace(spec.audience.source, max_age=timedelta(hours=36))
        return replace(made, segments=(replace(spec, audience=replace(spec.audience, source=source)),))

    world.engine.build, world.engine.version, world.desired = aged, "2", demanding
    assert "maxAge" in world.plan().blocked[0].finding.problem


def test_an_account_that_only_old_resource_states_name_does_not_stop_the_others(world):
    world.wishes = {ONE: DesiredSegment("x"), TWO: DesiredSegment("y", account_id="1002")}
    world.run()
    del world.wishes[TWO]
    world.run()
    del world.criteo.accounts["1002"]
    world.people["lapsed"] = people(0, 1, 2)
    assert not world.run().errors
    assert TWO in world.store.saved_resources


def test_an_account_that_is_needed_and_closed_is_an_error(world):
    world.wishes = {ONE: DesiredSegment("x", account_id="1003")}
    with pytest.raises(AuthenticationError, match="account 1003"):
        world.run()


def test_a_stop_before_the_first_write_writes_nothing(world):
    world.wishes = {ONE: DesiredSegment("x")}

    def check():
        raise CancelledError("stop")

    world.clock.check = check
    assert isinstance(world.run().stopped, CancelledError)
    assert world.criteo.writes == []
    assert world.store.saved_head is None


def test_a_stop_reports_interrupted_and_skipped_addresses(world):
    world.wishes = {ONE: DesiredSegment("x"), TWO: DesiredSegment("y")}
    world.run()
    world.batch_size = 1
    world.people = {"lapsed": people(2, 3, 4), "loyal": people(2, 3, 4, 5)}
    world.clock.patience = 3
    assert world.run().outcomes == {ONE: ChangeOutcome.INTERRUPTED, TWO: ChangeOutcome.SKIPPED}


def test_a_failed_second_creation_keeps_the_guard(world):
    world.people["lapsed"] = people(*range(100))
    world.wishes = {ONE: DesiredSegment("x")}
    world.run()
    world.criteo.delete(segment(world, ONE).id)
    faults(world, "lost-before")
    world.run()
    calm(world)
    world.guards = replace(world.guards, max_shrink=0.2)
    world.people["lapsed"] = people(1)
    assert world.plan().blocked


def test_segments_with_suppressed_people_go_first(world):
    world.people = {"lapsed": people(*range(3)), "loyal": people(*range(9))}
    world.wishes = {ONE: DesiredSegment("x"), TWO: DesiredSegment("y")}
    world.run()
    world.people = {"lapsed": people(*range(4)), "loyal": people(*range(12))}
    world.suppressed["loyal"] = people(0)
    sent = len(world.criteo.writes)
    world.run()
    assert world.criteo.writes[sent][0] == "remove"


def test_every_finding_about_an_address_is_reported_at_once(world):
    world.people["lapsed"] = people(*range(10))
    world.wishes = {ONE: DesiredSegment("x")}
    world.run()
    world.criteo.add("1001", NewSegment("Foreign", "", "7", IdentifierType.EMAIL))
    world.wishes[ONE] = DesiredSegment("Foreign")
    world.people["lapsed"] = people(0)
    world.guards = replace(world.guards, max_shrink=0.2)
    assert len(world.plan().blocked) == 2


def test_a_replacement_whose_old_account_is_closed_keeps_what_it_knew(world):
    world.wishes = {ONE: DesiredSegment("x")}
    world.run()
    world.wishes[ONE] = DesiredSegment("x", account_id="1002")
    del world.criteo.accounts["1001"]
    assert not world.run().errors
    [retired] = world.store.saved_resources[ONE].retired
    assert retired.segment.confirmed.count == 2


def test_an_empty_exclusion_list_blocks_its_address(world):
    world.wishes = {ONE: DesiredSegment("x")}
    world.lists = {"lapsed": {OPT_OUTS: ListFile(frozenset())}}
    [blocked] = world.plan().blocked
    assert (blocked.address, blocked.cause) == (ONE, Cause.SOURCE)
    assert "holds no usable identifier" in blocked.finding.problem
    world.lists = {}
    assert world.plan().blocked == ()


def test_what_a_replacement_left_behind_is_pointed_out(world):
    world.wishes = {ONE: DesiredSegment("x")}
    world.run()
    world.wishes[ONE] = DesiredSegment("x", kind=(IdentifierType.EMAIL, Hashing.MD5))
    world.run()
    [note] = world.plan().notes
    assert f"1 segment of {ONE}." in note
    assert "Delete these segments in Criteo" in note


def test_what_many_replacements_left_behind_is_one_note(world):
    addresses = [Address("offsite", f"a{number}") for number in range(7)]
    world.wishes = {one: DesiredSegment(one.audience) for one in addresses}
    world.people |= {one.audience: people(1) for one in addresses}
    world.run()
    world.wishes = {
        one: DesiredSegment(one.audience, kind=(IdentifierType.EMAIL, Hashing.MD5)) for one in addresses
    }
    world.run()
    [note] = world.plan().notes
    assert "7 segments of offsite/a0, offsite/a1, offsite/a2, offsite/a3, offsite/a4 and 2 more." in note
    assert "`reconciler state show test`" in note
