"""The planner's decision for one address, case by case."""

import pickle

import pytest
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment, replace

from reconciler.core.members import Delta, Identifiers, SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType
from reconciler.core.plan.changes import Adopt, Create, Forget, Replace, Update, address_of
from reconciler.core.plan.reasons import (
    ApplyResumed,
    CreateConfirmed,
    CreateRepeated,
    DefinitionOnly,
    KeyChanged,
    MembersUnknown,
    NameSetAgain,
    SourceChanged,
)
from reconciler.core.state.resource import Transfer, next_window, remaining

pytestmark = pytest.mark.promise("converges")

ADDRESS = Address("offsite", "buyers")
CUSTOMER = (IdentifierType.CUSTOMER_ID, Hashing.NONE)


@pytest.fixture
def world():
    made = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset({"a", "b", "c", "d"})}
    )
    made.run()
    return made


def only(world):
    plan = world.plan()
    assert plan.blocked == ()
    [change] = plan.changes
    return change


def current(world):
    return world.store.saved_resources[ADDRESS].current


def test_a_new_audience_is_created_and_filled():
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("ab")}
    )
    change = only(world)
    assert isinstance(change, Create)
    assert change.members.delta == Delta(0, 2, 0)
    assert world.plan().cost.calls == {"criteo": 2}


def test_suppressed_people_leave_before_anyone_joins(world):
    world.suppressed["buyers"] = frozenset({"a"})
    world.people["buyers"] = frozenset({"a", "b", "e"})
    change = only(world)
    assert change.members.delta == Delta(priority_removes=1, adds=1, removes=2)
    world.run()
    assert [call[0] for call in world.criteo.writes[-3:]] == ["remove", "add", "remove"]


def test_a_changed_definition_alone_costs_no_call(world):
    wish = world.wishes[ADDRESS]
    world.wishes[ADDRESS] = wish
    desired = world.desired

    def reworded():
        made = desired()
        [spec] = made.segments
        source = replace(spec.audience.source, where="true")
        return replace(made, segments=(replace(spec, audience=replace(spec.audience, source=source)),))

    world.desired = reworded
    change = only(world)
    assert isinstance(change, Update)
    assert change.reason == DefinitionOnly()
    assert world.plan().cost.calls == {}
    written = len(world.criteo.writes)
    world.run()
    assert len(world.criteo.writes) == written
    assert world.plan().changes == ()


def test_a_changed_key_is_a_replacement_that_deletes_nothing(world):
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], kind=CUSTOMER)
    change = only(world)
    assert isinstance(change, Replace)
    assert change.reason == KeyChanged(("identifier type", "hashing"))
    world.run()
    names = sorted(segment.name for segment in world.criteo.accounts["1001"].values())
    assert names == ["Buyers", "Buyers (retired 2026-11-24)"]
    assert world.plan().changes == ()


def test_two_replacements_in_a_day_keep_their_names_apart(world):
    for kind in (CUSTOMER, (IdentifierType.EMAIL, Hashing.MD5)):
        world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], kind=kind)
        world.run()
    names = sorted(segment.name for segment in world.criteo.accounts["1001"].values())
    assert names == ["Buyers", "Buyers (retired 2026-11-24 2)", "Buyers (retired 2026-11-24)"]


def test_what_left_the_manifests_is_forgotten_and_can_come_back(world):
    wish = world.wishes.pop(ADDRESS)
    change = only(world)
    assert isinstance(change, Forget)
    assert address_of(change) == ADDRESS
    world.run()
    assert world.plan().changes == ()
    world.wishes[ADDRESS] = wish
    world.people["buyers"] = frozenset("abe")
    change = only(world)
    assert isinstance(change, Adopt)
    assert change.members.delta == Delta(0, 1, 2)
    world.run()
    assert world.criteo.segment(current(world).segment_id).members == world.members(ADDRESS)


def test_a_removed_address_with_a_missing_segment_is_dropped(world):
    del world.wishes[ADDRESS]
    world.criteo.delete(current(world).segment_id)
    assert only(world).drop_state
    world.run()
    assert world.store.saved_resources == {}


def test_a_read_only_segment_is_not_changed(world):
    segment = world.criteo.segment(current(world).segment_id)
    segment.read_only = True
    assert world.plan().blocked == ()
    world.people["buyers"] = frozenset("abz")
    [blocked] = world.plan().blocked
    assert "read-only" in blocked.finding.problem


def test_a_segment_of_another_type_than_the_state_says_is_not_touched(world):
    segment = world.criteo.segment(current(world).segment_id)
    segment.identifier_type = IdentifierType.CUSTOMER_ID
    world.people["buyers"] = frozenset("abz")
    [blocked] = world.plan().blocked
    assert "holds CustomerId at Criteo" in blocked.finding.problem
    assert world.criteo.segment(segment.id).members == {f"Email:sha256:{one}" for one in "abcd"}


@pytest.mark.parametrize(
    ("retailer", "listed"), [("8", "retailer 8"), ("", "no retailer")], ids=["another", "none"]
)
def test_a_segment_of_another_retailer_is_not_filled(world, retailer, listed):
    segment = world.criteo.segment(current(world).segment_id)
    segment.retailer_id = retailer
    world.people["buyers"] = frozenset("abz")
    [blocked] = world.plan().blocked
    assert f"Criteo lists segment {segment.id} under {listed}" in blocked.finding.problem
    assert "the state has it under retailer 7" in blocked.finding.problem
    assert segment.members == {f"Email:sha256:{one}" for one in "abcd"}


def test_a_replacement_of_another_retailer_is_not_filled(world):
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], kind=CUSTOMER)
    world.criteo.fault = lambda operation: "rejected" if operation == "add" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    world.criteo.named("1001", "Buyers (new)").retailer_id = "8"
    [blocked] = world.plan().blocked
    assert "under retailer 8" in blocked.finding.problem


def test_a_read_only_replacement_is_not_filled(world):
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], kind=CUSTOMER)
    world.criteo.fault = lambda operation: "rejected" if operation == "add" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    world.criteo.named("1001", "Buyers (new)").read_only = True
    [blocked] = world.plan().blocked
    assert "read-only" in blocked.finding.problem


def test_an_interrupted_transfer_has_its_reason(world):
    world.people["buyers"] = frozenset("abcdefgh")
    answers = iter([None, "lost-before"])
    world.criteo.fault = lambda operation: next(answers, None) if operation == "add" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    change = only(world)
    assert change.reason == ApplyResumed()
    assert change.members.done == 3
    world.people["buyers"] = frozenset("abcdefxy")
    change = only(world)
    assert change.reason == SourceChanged()
    assert change.members.not_before == world.clock.now() + world.quiet


def test_a_call_that_could_undo_the_name_is_waited_out(world):
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], title="Other")
    world.criteo.fault = lambda operation: "late" if operation == "update" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], title="Buyers")
    change = only(world)
    assert change.reason == NameSetAgain()
    world.run()
    assert world.clock.waited >= world.quiet.total_seconds() - 1
    assert world.criteo.segment(current(world).segment_id).name == "Buyers"
    assert world.plan().changes == ()


def test_an_unanswered_create_is_found_again_and_renamed_if_the_title_has_changed():
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("ab")}
    )
    world.criteo.fault = lambda operation: "late" if operation == "create" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    world.wishes[ADDRESS] = DesiredSegment("Renamed")
    assert only(world).reason == CreateRepeated()
    world.clock.advance(61)
    world.criteo.land()
    assert isinstance(only(world).reason, CreateConfirmed)
    world.run()
    [segment] = world.criteo.accounts["1001"].values()
    assert segment.name == "Renamed"
    assert world.plan().changes == ()


def test_titles_can_be_swapped():
    other = Address("offsite", "others")
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("A"), other: DesiredSegment("B")},
        people={"buyers": frozenset("ab"), "others": frozenset("c")},
    )
    world.run()
    world.wishes = {ADDRESS: DesiredSegment("B"), other: DesiredSegment("A")}
    assert world.plan().cost.calls == {"criteo": 2}
    world.run()
    assert world.plan().changes == ()


def test_positions_do_not_depend_on_the_batch_size():
    moving = Transfer(SnapshotRef("t", 9), SnapshotRef("u", 2), Delta(2, 5, 3), acknowledged=1)
    assert remaining(moving) == Delta(1, 5, 3)
    assert remaining(None) == Delta(0, 0, 0)
    assert next_window(moving, 4) == (1, 2)
    assert next_window(replace(moving, acknowledged=2), 4) == (2, 6)
    assert next_window(replace(moving, acknowledged=6), 4) == (6, 7)
    assert next_window(replace(moving, acknowledged=7), 40) == (7, 10)
    assert next_window(replace(moving, acknowledged=10), 4) is None


def test_identifiers_can_be_sent_and_never_shown():
    held = Identifiers(["jane@example.com", "joe@example.com"])
    assert len(held) == 2
    assert list(held) == held.reveal()
    assert held[0] == "jane@example.com"
    assert isinstance(held[:1], Identifiers)
    for text in (repr(held), str(held), f"{held}", f"{held!r:>30}", f"{held}"):
        assert "example.com" not in text
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(held)


def test_a_name_that_a_forgotten_segment_has_is_not_taken_from_it(world):
    other = Address("offsite", "others")
    del world.wishes[ADDRESS]
    world.wishes[other], world.people["others"] = DesiredSegment("Buyers"), frozenset("z")
    [blocked] = world.plan().blocked
    assert "which reconciler created for offsite/buyers" in blocked.finding.problem
    assert "under another name, add `{kind: Moved, from: " in blocked.finding.remedy


def test_a_guard_blocks_its_address_and_the_rest_of_the_plan_is_still_shown(world):
    world.guards = replace(world.guards, max_shrink=0.1)
    world.people["buyers"] = frozenset("ab")
    other = Address("offsite", "others")
    world.wishes[other], world.people["others"] = DesiredSegment("Others"), frozenset("z")
    plan = world.plan()
    assert [one.address for one in plan.blocked] == [ADDRESS]
    assert [address_of(one) for one in plan.changes] == [other]


def test_an_address_reads_as_it_is_written():
    assert Address.parse(str(ADDRESS)) == ADDRESS


def half_replaced(world):
    """A replacement that exists and holds nothing yet."""
    world.wishes[ADDRESS] = replace(world.wishes[ADDRESS], kind=CUSTOMER)
    world.criteo.fault = lambda operation: "rejected" if operation == "add" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    return world.criteo.named("1001", "Buyers (new)")


def test_a_discarded_replacement_is_renamed(world):
    half_replaced(world)
    world.wishes[ADDRESS] = DesiredSegment("Buyers")
    world.run()
    names = sorted(segment.name for segment in world.criteo.accounts["1001"].values())
    assert names == ["Buyers", "Buyers (retired 2026-11-24)"]
    assert world.plan().changes == ()


def test_a_discarded_and_missing_replacement_is_dropped(world):
    world.criteo.delete(half_replaced(world).id)
    world.wishes[ADDRESS] = DesiredSegment("Buyers")
    world.run()
    assert world.store.saved_resources[ADDRESS].retired == ()
    assert world.plan().changes == ()


def test_a_missing_replacement_is_created_again(world):
    world.criteo.delete(half_replaced(world).id)
    world.run()
    assert world.criteo.segment(current(world).segment_id).members == world.members(ADDRESS)


def unanswered(world):
    """Run with creates that get no response, but may still take effect."""
    world.criteo.fault = lambda operation: "lost-before" if operation == "create" else None
    world.run()
    world.criteo.fault = lambda _operation: None


def test_another_key_waits_until_an_unanswered_create_can_no_longer_land():
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("ab")}
    )
    unanswered(world)
    world.wishes[ADDRESS] = DesiredSegment("Buyers", kind=CUSTOMER)
    [blocked] = world.plan().blocked
    assert "is unconfirmed and may still take effect" in blocked.finding.problem
    assert blocked.finding.remedy == "plan again after 12:10:00 UTC"
    world.clock.advance(world.quiet.total_seconds())
    world.run()
    assert world.plan().changes == ()


def test_another_key_waits_for_an_unanswered_replacement_too(world):
    world.wishes[ADDRESS] = DesiredSegment("Buyers", kind=CUSTOMER)
    unanswered(world)
    world.wishes[ADDRESS] = DesiredSegment("Buyers", kind=(IdentifierType.EMAIL, Hashing.MD5))
    [blocked] = world.plan().blocked
    assert "'Buyers (new)' is unconfirmed" in blocked.finding.problem
    world.clock.advance(world.quiet.total_seconds())
    world.run()
    assert world.plan().changes == ()


def test_a_third_key_gives_up_the_replacement_and_begins_another(world):
    half_replaced(world)
    world.wishes[ADDRESS] = DesiredSegment("Buyers", kind=(IdentifierType.EMAIL, Hashing.MD5))
    world.run()
    assert current(world).key.hashing == Hashing.MD5
    assert len(world.store.saved_resources[ADDRESS].retired) == 2
    assert world.plan().changes == ()


def test_a_replacement_stopped_between_its_renames_resumes(world):
    old = current(world).segment_id
    world.wishes[ADDRESS] = DesiredSegment("Buyers", kind=CUSTOMER)
    answers = iter([None, "rejected"])
    world.criteo.fault = lambda operation: next(answers, None) if operation == "update" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    assert world.criteo.segment(old).name == "Buyers (retired 2026-11-24)"
    world.run()
    assert world.criteo.segment(current(world).segment_id).name == "Buyers"
    assert world.criteo.segment(old).name == "Buyers (retired 2026-11-24)"
    assert world.plan().changes == ()


def test_a_filled_replacement_replaces_a_missing_segment(world):
    world.wishes[ADDRESS] = DesiredSegment("Buyers", kind=CUSTOMER)
    world.criteo.fault = lambda operation: "rejected" if operation == "update" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    world.criteo.delete(current(world).segment_id)
    world.run()
    assert world.store.saved_resources[ADDRESS].retired == ()
    assert world.plan().changes == ()


def test_a_name_that_an_unanswered_create_may_take_is_not_given_away(world):
    other = Address("offsite", "others")
    world.wishes[other], world.people["others"] = DesiredSegment("Others"), frozenset("z")
    unanswered(world)
    world.wishes[ADDRESS], world.wishes[other] = DesiredSegment("Others"), DesiredSegment("Elsewhere")
    [blocked] = world.plan().blocked
    assert (
        "“Others” may still be taken by an unconfirmed request for offsite/others" in blocked.finding.problem
    )
    world.clock.advance(world.quiet.total_seconds())
    world.run()
    assert world.plan().changes == ()


def test_a_resumed_transfer_sends_the_uncertain_batch_and_the_rest(world):
    world.people["buyers"] = frozenset("abcdefghij")
    answers = iter([None, "lost-after"])
    world.criteo.fault = lambda operation: next(answers, None) if operation == "add" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    world.batch_size = 1
    sent = len(world.criteo.writes)
    world.run()
    assert [call[2] for call in world.criteo.writes[sent:]] == [1, 1, 1]
    assert world.criteo.segment(current(world).segment_id).members == world.members(ADDRESS)


def test_uncertain_members_survive_a_smaller_refused_batch(world):
    world.people["buyers"] = frozenset("abcdefghij")
    answers = iter(["lost-after", "rejected"])
    world.criteo.fault = lambda operation: next(answers, None) if operation == "add" else None
    world.run()
    world.batch_size = 1
    world.run()
    world.criteo.fault = lambda _operation: None
    assert current(world).transfer.in_flight.end == 3
    world.people["buyers"] = frozenset("abcd")
    world.run()
    assert world.criteo.segment(current(world).segment_id).members == world.members(ADDRESS)


def test_a_segment_with_unknown_members_is_replaced_where_a_rebuild_asked_for_it(world):
    world.run()
    [known] = world.store.saved_resources.values()
    lost = replace(known.current, members_unknown_before=world.clock.now())
    world.store.saved_resources[ADDRESS] = replace(known, current=lost, replace_requested=True)
    change = only(world)
    assert isinstance(change, Replace)
    assert change.reason == MembersUnknown(known.current.segment_id)
