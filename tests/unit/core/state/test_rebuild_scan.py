"""Which address a segment belongs to, by the manifests and what Criteo lists."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.fakes.state import MemoryStore
from support.in_memory_environment import EMAIL, DesiredSegment, InMemoryEnvironment

from reconciler.core.errors import RefusedError, StorageError
from reconciler.core.members import EMPTY_SNAPSHOT, SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.plan.reasons import AllSentAgain
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag, owner, tag, tag_of, with_tag, without_tag
from reconciler.core.state.rebuild import (
    RebuildScan,
    SegmentMatch,
    is_unused_rebuild,
    match_segments,
    orphaned_segments,
    rebuilt_resource,
)
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.operations.rebuild_state import check_lost

pytestmark = pytest.mark.promise("state")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
QUIET = timedelta(minutes=10)
ADDRESS = Address("offsite", "buyers")
WHOSE = tag("test", ADDRESS, "6b6b" * 8)
OURS = str(WHOSE)
OWNED = {"77": Address("offsite", "loyal")}
[SPEC] = InMemoryEnvironment(wishes={ADDRESS: DesiredSegment("Buyers", "Bought once")}).desired().segments


def segment(number: str, name: str, description: str = OURS, **other: object) -> Segment:
    listed = Segment(number, name, description, "1001", "7", IdentifierType.EMAIL)
    return replace(listed, **other)


def seen(*segments: Segment, take: str = "") -> SegmentMatch:
    [one] = match_segments("test", [SPEC], segments, {ADDRESS: take} if take else {}, OWNED, {})
    return one


def other(environment: str, address: Address = ADDRESS) -> str:
    return str(tag(environment, address, "6b6b"))


def test_a_tag_is_the_same_for_ever_and_another_elsewhere():
    lapsed = Address("offsite-email", "lapsed-90d")
    assert str(tag("sandbox", lapsed, "1a2b3c4d")) == "[reconciler c875c310ac-1a2b]"
    assert len({owner("production", ADDRESS), owner("test", Address("offsite", "loyal")), WHOSE.owner}) == 3
    assert tag("test", ADDRESS, "1a2b") != WHOSE


@pytest.mark.parametrize(
    "text", ["", "Bought once", "Ends [in brackets]", "[reconciler]", "[reconciler c875c310ac]"]
)
def test_a_tag_ends_a_description_and_can_be_removed_from_it(text):
    whole = with_tag(text, WHOSE)
    assert len(whole) - len(text) <= 29
    assert (tag_of(whole), without_tag(whole)) == (WHOSE, text)
    assert (tag_of(text), without_tag(text)) == (None, text)


def test_a_description_of_several_lines_keeps_its_words():
    assert with_tag("One\ntwo\n", WHOSE) == f"One\ntwo {OURS}"
    assert tag_of(f"One {OURS} \n") == WHOSE


def test_a_tag_followed_by_text_is_still_read():
    """The tag names the owner, and its text is reported in full."""
    theirs = Tag("0123456789", "ffff")
    edited = f"{theirs}, edited by Jane"
    assert (tag_of(edited), without_tag(edited)) == (theirs, edited)
    assert tag_of(f"{theirs} {WHOSE}.") == WHOSE
    assert without_tag(f"{theirs} {WHOSE} ") == str(theirs)


def test_a_tag_of_any_lineage_matches_and_is_kept():
    one = segment("1", "Buyers", str(Tag(WHOSE.owner, "9999")))
    assert seen(one) == SegmentMatch(SPEC, one)
    assert rebuilt_resource(seen(one), NOON, QUIET).current.former_lineage == "9999"
    assert (
        rebuilt_resource(seen(segment("1", "Buyers", "ours"), take="1"), NOON, QUIET).current.former_lineage
        == ""
    )


def test_a_mark_finds_it_whatever_it_is_called():
    one = segment("1", "By hand")
    found = seen(
        one, segment("2", "Buyers", "theirs"), segment("3", "Other", other("test", Address("a", "b")))
    )
    assert found == SegmentMatch(SPEC, one)


def test_a_name_alone_is_reported_and_not_taken():
    theirs = segment("2", " buyers", "theirs")
    found = seen(theirs, segment("3", "Buyers", "theirs", account_id="1002"))
    assert found == SegmentMatch(SPEC, name_match=theirs)
    assert seen(segment("3", "Buyers", other("production"))) == SegmentMatch(SPEC)


def test_what_was_replaced_is_known_as_that():
    one, old = segment("1", "Buyers"), segment("2", "Buyers (retired 2026-11-01)")
    assert seen(old, one) == SegmentMatch(SPEC, one, retired=(old,))
    assert seen(old) == SegmentMatch(SPEC, retired=(old,))


def test_a_replacement_under_way_is_known_as_that():
    one, half = segment("1", "Gold"), segment("2", "Buyers (new)")
    assert seen(half, one) == SegmentMatch(SPEC, one, replacement=half)
    assert seen(half) == SegmentMatch(SPEC, half)


def test_of_two_replacements_under_way_none_is_forgotten():
    one, half = segment("1", "Gold"), segment("2", "Buyers (new)", account_id="1002")
    here = segment("3", "Buyers (new)")
    found = seen(half, here, one)
    assert found == SegmentMatch(SPEC, one, replacement=here, ignored=(half,))
    assert [one.segment.segment_id for one in rebuilt_resource(found, NOON, QUIET).retired] == ["2"]
    assert "segments 2 and 3 have its ownership tag" in seen(half, here).conflicts[0].problem


def test_several_with_one_mark_are_for_people_to_judge():
    one, two, half = segment("1", "Buyers"), segment("2", "Copied"), segment("3", "Buyers (new)")
    [doubt] = seen(one, two, half).conflicts
    assert "segments 1 and 2 and 3 have its ownership tag" in doubt.problem
    assert f"--adopt {ADDRESS}=ID" in doubt.remedy
    assert seen(one, two, half, take="2") == SegmentMatch(SPEC, two, ignored=(one, half))
    old = segment("4", "Buyers (retired 2026-11-01)")
    assert seen(one, two, old, take="2") == SegmentMatch(SPEC, two, retired=(old,), ignored=(one,))
    with pytest.raises(RefusedError) as caught:
        _ = RebuildScan((seen(one, two),), (), ()).found()
    assert caught.value.findings == seen(one, two).conflicts


def test_an_adopted_segment_must_fit_the_address():
    theirs = segment("2", "Anything", "theirs")
    assert seen(theirs, take="2") == SegmentMatch(SPEC, theirs, has_tag=False)
    for wrong in (
        replace(theirs, retailer_id="8"),
        replace(theirs, account_id="1002"),
        replace(theirs, identifier_type=IdentifierType.CUSTOMER_ID),
        replace(theirs, identifier_type=None),
        replace(theirs, description=other("production")),
    ):
        assert seen(wrong, take="2").conflicts
    assert "there is no segment 9" in seen(theirs, take="9").conflicts[0].problem
    assert "segment 77 is the one of offsite/loyal" in seen(theirs, take="77").conflicts[0].problem


def test_one_segment_is_not_adopted_twice():
    loyal = Address("offsite", "loyal")
    specs = (
        InMemoryEnvironment(wishes={ADDRESS: DesiredSegment("Buyers"), loyal: DesiredSegment("Loyal")})
        .desired()
        .segments
    )
    theirs = segment("2", "Anything", "theirs")
    found = match_segments("test", specs, [theirs], {ADDRESS: "2", loyal: "2"}, {}, {})
    assert [one.problem for reported in found for one in reported.conflicts] == [
        "segment 2 is taken for offsite/buyers and for offsite/loyal"
    ] * 2
    ours = replace(theirs, description=OURS)
    assert [len(one.conflicts) for one in match_segments("test", specs, [ours], {loyal: "2"}, {}, {})] == [
        0,
        1,
    ]


def test_our_own_segment_of_another_kind_is_replaced():
    found = seen(segment("1", "Buyers", identifier_type=IdentifierType.CUSTOMER_ID, retailer_id="8"))
    assert found.replaced
    assert not seen(segment("1", "Buyers")).replaced
    assert not SegmentMatch(SPEC).replaced
    key = rebuilt_resource(found, NOON, QUIET).current.key
    assert key == SegmentKey("1001", "8", IdentifierType.CUSTOMER_ID, Hashing.NONE)
    assert seen(segment("1", "Events", identifier_type=None)).conflicts


def test_segments_of_others_are_reported():
    elsewhere, theirs = segment("2", "X", other("production")), segment("3", "Y", "theirs")
    assert orphaned_segments("test", [SPEC], [segment("1", "Buyers"), elsewhere, theirs], {}) == (elsewhere,)


def test_no_member_is_confirmed_and_unknown_members_are_reported():
    found = seen(
        segment("1", "Gold"), segment("2", "Buyers (new)"), segment("3", "Buyers (retired 2026-11-01)")
    )
    assumed = SnapshotRef("abcd", 3)
    resource = rebuilt_resource(found, NOON, QUIET, uncertain=assumed)
    assert is_unused_rebuild(resource)
    assert not is_unused_rebuild(replace(resource, definition="applied"))
    assert not is_unused_rebuild(replace(resource, current=replace(resource.current, completed_at=NOON)))
    key = SegmentKey("1001", "7", *EMAIL)
    current = SegmentState(
        key,
        "1",
        uncertain=assumed,
        grace_until=NOON + QUIET,
        members_unknown_before=NOON,
        former_lineage="6b6b",
    )
    assert resource.current == current
    assert resource.replacement == replace(current, segment_id="2", uncertain=EMPTY_SNAPSHOT)
    assert [one.segment for one in resource.retired] == [
        replace(current, segment_id="3", uncertain=EMPTY_SNAPSHOT)
    ]
    assert (resource.members_unknown_before, resource.can_keep(current, key)) == (NOON, True)
    rebuilt = rebuilt_resource(found, NOON, QUIET, replace_requested=True)
    assert (rebuilt.members_unknown_before, rebuilt.can_keep(current, key)) == (None, False)
    assert rebuilt.can_keep(SegmentState(key, "9"), key)


@pytest.mark.parametrize("found", [SegmentMatch(SPEC), seen(segment("1", "X", identifier_type=None))])
def test_what_is_not_there_can_not_be_known_again(found):
    with pytest.raises(AssertionError):
        rebuilt_resource(found, NOON, QUIET)


def test_a_plan_without_the_state_names_the_way_to_the_tagged_segment():
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("ab")}
    )
    world.run()
    world.store = MemoryStore(invent=lambda size: b"k" * size)
    planned = world.plan()
    [problem] = planned.problems
    assert problem.where == ""
    assert problem.problem.startswith("1 of 1 segments have this environment's ownership tag")
    assert "`reconciler state rebuild test`" in problem.remedy
    assert planned.blocked == ()


def test_a_lost_state_is_reported_once_whatever_the_segments_are_called_by_now():
    world = InMemoryEnvironment({Address("offsite", f"a{n}"): DesiredSegment(f"A{n}") for n in range(5)})
    world.people = {f"a{n}": frozenset("ab") for n in range(5)}
    world.run()
    world.store = MemoryStore(invent=lambda size: b"n" * size)
    with world.store.lock("another run") as state:
        state.begin_run()
    world.wishes = {address: DesiredSegment(f"New {address}") for address in world.wishes}
    planned = world.plan()
    assert [one.problem.partition(":")[0] for one in planned.problems] == [
        "5 of 5 segments have this environment's ownership tag, but the state has none of them"
    ]
    with pytest.raises(RefusedError):
        world.run()
    assert len(world.criteo.accounts["1001"]) == 5


def test_a_segment_of_one_address_that_the_state_lost_is_not_made_twice():
    loyal = Address("offsite", "loyal")
    world = InMemoryEnvironment(
        {ADDRESS: DesiredSegment("Buyers"), loyal: DesiredSegment("Loyal")}, {"buyers": frozenset("a")}
    )
    world.people["loyal"] = frozenset("b")
    world.run()
    lost = world.store.saved_resources.pop(loyal).current.segment_id
    world.wishes[loyal] = DesiredSegment("Another title")
    [blocked] = world.plan().blocked
    assert f"segment {lost} has the ownership tag of this address" in blocked.finding.problem
    adopt = f"`reconciler state rebuild test --reuse --only {loyal} --adopt {loyal}={lost}`"
    assert blocked.finding.remedy.startswith(f"if this state lost it, adopt it: {adopt}")
    world.criteo.segment(lost).description = "copied"
    assert world.plan().blocked == ()


@pytest.mark.parametrize("number", [1, 5, 6])
def test_a_plan_says_that_people_from_before_may_remain(number):
    addresses = [Address("offsite", f"a{index}") for index in range(number)]
    world = InMemoryEnvironment(
        {one: DesiredSegment(one.audience) for one in addresses},
        {one.audience: frozenset("ab") for one in addresses},
    )
    world.run()
    world.store = MemoryStore(invent=lambda size: b"k" * size)
    with world.store.lock("rebuild") as state:
        listed = world.criteo.reader.segments("1001")
        for one in match_segments("test", world.desired().segments, listed, {}, {}, {}):
            state.write(rebuilt_resource(one, world.clock.now(), world.quiet))
    planned = world.plan()
    assert all(change.reason == AllSentAgain() for change in planned.changes)
    [note] = [one for one in planned.notes if "exclusion list" not in one]
    assert "unknown members may remain" in note
    assert note.count("offsite/") == min(number, 5)
    assert ("and 1 more" in note) == (number == 6)


OLDER, OLD = Address("offsite", "shoppers"), Address("offsite", "customers")
FORMER = {ADDRESS: (OLD, OLDER)}


@pytest.mark.parametrize("old", [OLD, OLDER])
def test_a_segment_with_the_tag_of_an_old_address_is_found(old):
    """It is ours after the rebuild too, so that the next apply writes today's tag."""
    tagged = segment("1", "Buyers", other("test", old))
    [one] = match_segments("test", [SPEC], [tagged], {}, {}, FORMER)
    assert (one.segment, one.conflicts) == (tagged, ())
    assert orphaned_segments("test", [SPEC], [tagged], FORMER) == ()
    assert rebuilt_resource(one, NOON, QUIET).moved_from == (OLDER, OLD)
    [one] = match_segments("test", [SPEC], [tagged], {ADDRESS: "1"}, {}, FORMER)
    assert (one.segment, one.has_tag, one.conflicts) == (tagged, True, ())
    [one] = match_segments("test", [SPEC], [tagged], {}, {}, {})
    assert one.segment is None


def test_what_the_state_knows_is_not_lost():
    known = RebuildScan((), (ResourceState(ADDRESS, SegmentState(SPEC.key, "1")),), ())
    with pytest.raises(StorageError, match="the state knows offsite/buyers"):
        check_lost(known, (), ())
    check_lost(known, (), {ADDRESS})
    beside = replace(known, matches=(SegmentMatch(SPEC),))
    check_lost(beside, (), ())
    with pytest.raises(StorageError, match="nothing is lost"):
        check_lost(beside, {ADDRESS}, ())
