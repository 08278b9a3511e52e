"""Only a segment with our own ownership tag is adopted, of any age and content."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.in_memory_environment import CREDENTIAL, EVERYTHING, DesiredSegment, InMemoryEnvironment

from reconciler.core.model import Address, IdentifierType, SegmentKey
from reconciler.core.remote import NewSegment, Segment, Statistics
from reconciler.core.state.ownership_tag import Tag, with_tag
from reconciler.core.state.unconfirmed_requests import why_not_ours
from reconciler.operations.rebuild_state import reuse_segments, scan_segments

pytestmark = pytest.mark.promise("converges")

KEY = SegmentKey("1001", "7", IdentifierType.EMAIL, "sha256")
OURS = Tag("0123456789", "1a2b")
FOUND = Segment("42", "Buyers", with_tag("People", OURS), "1001", "7", IdentifierType.EMAIL)
ADDRESS = Address("offsite", "buyers")


@pytest.fixture
def world() -> InMemoryEnvironment:
    return InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset({"p"})}
    )


def theirs(description: str = "", members: tuple[str, ...] = ()):
    """Create a foreign segment under our name, at the time of our request."""
    return lambda world: world.criteo.add(
        "1001", NewSegment("Buyers", description, "7", IdentifierType.EMAIL), members
    )


def at_the_create(world: InMemoryEnvironment, happens, answer: str | None = None):
    made = []

    def fault(operation: str) -> str | None:
        if operation != "create":
            return None
        world.criteo.fault = lambda _operation: None
        made.append(happens(world))
        return answer

    world.criteo.fault = fault
    return made


def test_what_our_request_made_is_adopted():
    assert why_not_ours(KEY, OURS, FOUND) == ""


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (replace(FOUND, description=""), "ownership tag"),
        (replace(FOUND, description="[reconciler 0123456789]"), "ownership tag"),
        (replace(FOUND, description=with_tag("", replace(OURS, lineage="9999"))), "ownership tag"),
        (replace(FOUND, description=with_tag("", replace(OURS, owner="9999999999"))), "ownership tag"),
        (replace(FOUND, description=f"{FOUND.description} (edited by Jane)"), "ownership tag"),
        (replace(FOUND, retailer_id="8"), "another retailer"),
        (replace(FOUND, account_id="1002"), "another retailer"),
        (replace(FOUND, identifier_type=None), "another identifier type"),
    ],
)
def test_what_is_not_surely_ours_is_not(found, why):
    assert why in why_not_ours(KEY, OURS, found)


@pytest.mark.parametrize(
    "description", ["", "Owned by marketing, do not touch", "[reconciler 0123456789-6b6b]"]
)
@pytest.mark.parametrize("members", [(), ("theirs",)])
@pytest.mark.parametrize("age", [0, 100])
@pytest.mark.parametrize("answer", [None, "lost-before"])
def test_a_foreign_segment_is_never_adopted_by_its_name_alone(world, description, members, age, answer):
    """Statistics lag, and report an empty segment."""
    world.criteo.reader.statistics = lambda _account, _segment: Statistics(0, None, None)

    def happens(world: InMemoryEnvironment):
        one = theirs(description, members)(world)
        one.created_at -= timedelta(seconds=age)
        return one

    made = at_the_create(world, happens, answer)
    report = world.run()
    assert world.criteo.segment(made[0].id).members == set(members)
    assert made[0].description == description
    assert report.errors
    assert all(one.segment_id != made[0].id for one in held(world))
    world.clock.advance(world.quiet.total_seconds())
    assert world.plan().blocked
    assert all(one.segment_id != made[0].id for one in held(world))


def held(world: InMemoryEnvironment):
    return [holding for one in world.store.saved_resources.values() for holding in one.segments]


def test_a_refused_name_names_the_segment_and_its_adoption_first(world):
    [made] = (at_the_create(world, theirs()),)
    error = world.run().errors[ADDRESS]
    assert made[0].id in error.problem
    document = f'{{kind: Adopt, address: "{ADDRESS}", segmentId: "{made[0].id}", baseline: reuse}}'
    assert error.remedy.startswith(f"to adopt it: append `--- {document}` to environments/test/adopt.yaml; ")
    assert "rebuild" not in error.remedy
    assert "change the title, the destination's nameSuffix or the environment's namePrefix" in error.remedy
    assert world.store.saved_resources == {}
    [blocked] = world.plan().blocked
    assert blocked.finding.remedy == error.remedy


def test_a_refused_name_that_no_search_shows_is_not_adopted(world):
    made = at_the_create(world, theirs())
    world.criteo.unlisted = Everything()
    error = world.run().errors[ADDRESS]
    assert "does not show by which segment" in error.problem
    assert "change the title" in error.remedy
    assert made[0].members == set()


class Everything(set):
    def __contains__(self, _: object) -> bool:
        return True


def test_our_late_create_that_takes_the_name_meanwhile_is_adopted(world):
    world.criteo.fault = lambda operation: "late" if operation == "create" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    world.criteo.delay = world.criteo.late_seconds + 1
    assert not world.run().errors
    [segment] = world.criteo.accounts["1001"].values()
    assert segment.members == world.members(ADDRESS)


def test_a_lost_create_at_a_server_that_drops_descriptions_is_refused_and_can_be_adopted(world):
    at_the_create(world, lambda one: None, "lost-after")
    create = world.criteo.add
    world.criteo.add = lambda account, new, members=(): create(account, replace(new, description=""), members)
    assert world.run().errors
    [segment] = world.criteo.accounts["1001"].values()
    [blocked] = world.plan().blocked
    assert "does not have the ownership tag" in blocked.finding.problem
    world.clock.advance(world.quiet.total_seconds())
    [blocked] = world.plan().blocked
    assert f"--adopt {ADDRESS}={segment.id}" in blocked.finding.remedy
    readers, resources = {CREDENTIAL: world.criteo.reader}, world.store.reader().resources()
    seen = scan_segments(world.desired(), EVERYTHING, {ADDRESS}, {ADDRESS: segment.id}, readers, resources)
    with world.store.lock("rebuild") as state:
        reuse_segments(seen.found(), state, world.clock.now(), world.quiet)
    assert not world.run().errors
    assert segment.members == world.members(ADDRESS)
    assert segment.description == world.described(ADDRESS)


def test_a_known_segment_without_a_tag_gets_it_again(world):
    world.run()
    [segment] = world.criteo.accounts["1001"].values()
    segment.description = "someone wrote this"
    [change] = world.plan().changes
    assert [one.drifted for one in change.attributes] == [True]
    world.run()
    assert segment.description == world.described(ADDRESS)


@pytest.mark.parametrize(
    ("description", "why"),
    [
        ("[reconciler 0123456789-6b6b]", "another environment or address"),
        ("{owner}-9999]", "another state of this environment"),
        ("[reconciler 0123456789-6b6b] (edited by Jane)", "another environment or address"),
        ("{owner}-9999] (edited by Jane)", "another state of this environment"),
    ],
)
def test_a_foreign_tag_on_a_known_segment_blocks_its_address(world, description, why):
    world.run()
    [segment] = world.criteo.accounts["1001"].values()
    tag = segment.description.rpartition("-")[0]
    segment.description = description.replace("{owner}", tag)
    world.people["buyers"] = frozenset({"q"})
    [blocked] = world.plan().blocked
    assert why in blocked.finding.problem
    assert "delete" in blocked.finding.remedy
    segment.description = ""
    assert not world.run().errors


def test_the_tag_of_a_lost_lineage_is_renewed_after_a_rebuild(world):
    world.run()
    [segment] = world.criteo.accounts["1001"].values()
    before, world.store = segment.description, InMemoryEnvironment().store
    world.store.invent = lambda size: b"n" * size
    readers = {CREDENTIAL: world.criteo.reader}
    with world.store.lock("rebuild") as state:
        seen = scan_segments(world.desired(), EVERYTHING, (), {}, readers, ())
        reuse_segments(seen.found(), state, world.clock.now(), timedelta(0))
    [change] = world.plan().changes
    assert [one.name for one in change.attributes] == ["description"]
    world.run()
    assert segment.description == world.described(ADDRESS) != before
    assert world.plan().changes == ()
    lost = world.store.saved_resources[ADDRESS].current.former_lineage
    segment.description = segment.description[:-5] + "0000]"
    assert lost != "0000"
    assert world.plan().blocked


def test_two_states_of_one_environment_never_manage_one_segment(world):
    other = InMemoryEnvironment(wishes=world.wishes, people={"buyers": frozenset({"q"})}, clock=world.clock)
    other.criteo = world.criteo
    other.store.invent = lambda size: b"n" * size
    at_the_create(world, lambda _: other.run())
    assert world.run().errors
    [segment] = world.criteo.accounts["1001"].values()
    assert segment.members == other.members(ADDRESS)
    [problem] = world.plan().problems
    assert "looks lost" in problem.problem
