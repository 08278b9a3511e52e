"""`Adopt` documents: what a plan does with the segments of another tool, and which it refuses."""

from dataclasses import replace

import pytest
from golden import plan_cases as cases
from support.approvals import judged, now, resource, why
from support.fakes.criteo import FakeSegment
from support.fakes.members import ListFile
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.adoption import Adoption, Baseline, adopted_resource
from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.members import Delta
from reconciler.core.model import Address, IdentifierType, SourceLocation
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Adopt, Change, Create, Replace, Update
from reconciler.core.plan.model import Plan
from reconciler.core.plan.reasons import MembersUnknown, SegmentAdopted
from reconciler.core.plan.steps import RecordAdoption, Steps
from reconciler.core.remote import NewSegment
from reconciler.core.state.ownership_tag import tag, with_tag

pytestmark = pytest.mark.promise("converges")

ADDRESS = Address("offsite", "buyers")
OTHER = Address("offsite", "others")
PLACE = SourceLocation("adopt.yaml", 2, 10)


def another_tools(
    world: InMemoryEnvironment, baseline: Baseline = Baseline.REUSE, held: str = "abx", name: str = "Buyers"
) -> FakeSegment:
    """Return a segment of another tool, with an `Adopt` document for it."""
    members = world.wire(frozenset(held), world.wishes[ADDRESS].kind)
    new = NewSegment(name, "by another tool", "7", IdentifierType.EMAIL)
    made = world.criteo.add("1001", new, members)
    world.adoptions[ADDRESS] = Adoption(ADDRESS, made.id, baseline, PLACE, "sent.csv")
    world.assumed[ADDRESS] = frozenset(held)
    return made


@pytest.fixture
def world() -> InMemoryEnvironment:
    return InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("abc")}
    )


def only(plan: Plan) -> Change:
    assert plan.blocked == ()
    [change] = plan.changes
    return change


def held(world: InMemoryEnvironment, segment: FakeSegment) -> set[str]:
    return {member.rpartition(":")[2] for member in segment.members}


def test_reuse_sends_all_wanted_members_and_leaves_unknown_ones(world: InMemoryEnvironment) -> None:
    segment = another_tools(world)
    change = only(world.plan())
    assert isinstance(change, Adopt)
    assert change.reason == SegmentAdopted(segment.id, Baseline.REUSE)
    a_list = 1  # its member may be in the segment
    assert (change.members.before, change.members.delta) == (None, Delta(a_list, 3, 0))
    assert [(one.name, one.before) for one in change.attributes] == [("description", "by another tool")]
    world.run()
    assert held(world, segment) == set("abcx")
    assert segment.description == world.described(ADDRESS)
    after = world.plan()
    assert (after.changes, after.blocked) == ((), ())
    assert any("unknown members may remain in adopted or rebuilt segments" in note for note in after.notes)
    assert any(f"adopted: {ADDRESS}. Remove the Adopt documents" in note for note in after.notes)


def test_people_on_todays_lists_leave_a_reused_segment_first(world: InMemoryEnvironment) -> None:
    """Only the former tool knew `x` and `y`: one of them opted out, and the source has neither."""
    segment = another_tools(world, held="abxy")
    world.suppression = ListFile(frozenset("bxz"))
    planned = world.plan()
    [note] = [one for one in planned.notes if "`baseline: reuse`" in one]
    assert note.startswith(f"adopted with `baseline: reuse`: {ADDRESS}. Members of today's lists are removed")
    assert "write `baseline: assume`" in note
    world.run()
    assert held(world, segment) == set("acy")
    assert list(dict.fromkeys(call[0] for call in world.criteo.writes)) == ["update", "remove", "add"]
    after = world.plan()
    assert after.changes == ()
    assert not any("`baseline: reuse`" in one for one in after.notes)


def test_assumed_members_are_removed_unless_they_are_wanted(world: InMemoryEnvironment) -> None:
    segment = another_tools(world, Baseline.ASSUME)
    change = only(world.plan())
    assert isinstance(change, Adopt)
    assert change.members.delta == Delta(0, 3, 1)
    world.run()
    assert held(world, segment) == set("abc")
    after = world.plan()
    assert after.changes == ()
    assert not any("unknown members" in note for note in after.notes)


def test_additions_go_first_so_that_no_segment_is_empty_on_the_way(world: InMemoryEnvironment) -> None:
    another_tools(world, Baseline.ASSUME, held="xyz")
    world.run()
    assert [call[0] for call in world.criteo.writes] == ["update", "add", "remove"]


def test_a_replacement_is_filled_beside_the_adopted_segment(world: InMemoryEnvironment) -> None:
    old = another_tools(world, Baseline.REPLACE)
    change = only(world.plan())
    assert isinstance(change, Replace)
    assert change.reason == SegmentAdopted(old.id, Baseline.REPLACE)
    assert change.members.before is None
    world.run()
    new = world.criteo.named("1001", "Buyers")
    assert new
    assert held(world, new) == set("abc")
    assert (old.name, held(world, old)) == ("Buyers (retired 2026-11-24)", set("abx"))
    assert world.plan().changes == ()


def test_the_ownership_tag_alone_is_no_change_to_review(world: InMemoryEnvironment) -> None:
    another_tools(world)
    world.wishes[ADDRESS] = DesiredSegment("Buyers", "by another tool")
    change = only(world.plan())
    assert isinstance(change, Adopt)
    assert change.attributes == ()
    world.run()
    assert world.plan().changes == ()


def test_an_adopted_segment_gets_the_name_of_the_audience(world: InMemoryEnvironment) -> None:
    segment = another_tools(world, name="Käufer (other tool)")
    world.run()
    assert segment.name == "Buyers"


def test_a_segment_missing_from_the_listing_is_looked_up_by_its_id(world: InMemoryEnvironment) -> None:
    segment = another_tools(world)
    world.criteo.unlisted.add(segment.id)
    assert isinstance(only(world.plan()), Adopt)


def test_an_address_with_a_segment_keeps_it(world: InMemoryEnvironment) -> None:
    world.run()
    another_tools(world, name="Another")
    plan = world.plan()
    assert (plan.changes, plan.blocked) == ((), ())
    assert any(f"not adopted: {ADDRESS} had a segment already" in note for note in plan.notes)


def copied(world: InMemoryEnvironment, segment: FakeSegment, environment: str, lineage: str) -> None:
    segment.description = with_tag("theirs", tag(environment, ADDRESS, lineage))


def managed(world: InMemoryEnvironment, segment: FakeSegment) -> None:
    world.wishes[OTHER], world.people["others"] = DesiredSegment("Others"), frozenset("a")
    adoption = world.adoptions.pop(ADDRESS)
    del world.wishes[ADDRESS]
    world.run()
    world.wishes[ADDRESS] = DesiredSegment("Buyers")
    owner = world.store.saved_resources[OTHER].current.segment_id
    world.adoptions[ADDRESS] = replace(adoption, segment_id=owner)
    world.criteo.delete(segment.id)


def beside(world: InMemoryEnvironment, segment: FakeSegment) -> None:
    second = world.criteo.add("1001", NewSegment("Second", "", "7", IdentifierType.EMAIL))
    copied(world, second, "test", "ffff")


REFUSED = {
    "missing": (lambda world, one: world.criteo.delete(one.id), "there is no segment"),
    "managed": (managed, f"is already the segment of {OTHER}"),
    "another environment's": (
        lambda world, one: copied(world, one, "production", "ffff"),
        "has the ownership tag of another environment or address",
    ),
    "another state's": (
        lambda world, one: copied(world, one, "test", "ffff"),
        "has the ownership tag of this address and of another state",
    ),
    "beside ours": (beside, "has the ownership tag of this address, and this state does not know it"),
    "retailer": (lambda _, one: setattr(one, "retailer_id", "9"), "belongs to another retailer than 7"),
    "type": (
        lambda _, one: setattr(one, "identifier_type", IdentifierType.CUSTOMER_ID),
        "holds CustomerId, and the destination sends Email",
    ),
    "unknown type": (lambda _, one: setattr(one, "identifier_type", None), "holds an unknown type"),
    "read-only": (lambda _, one: setattr(one, "read_only", True), "is read-only at Criteo"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("baseline", Baseline)
def test_a_segment_that_is_not_suitable_blocks_its_address(
    world: InMemoryEnvironment, case: str, baseline: Baseline
) -> None:
    # Another address is managed, so that no foreign tag looks like a lost state.
    world.wishes[OTHER], world.people["others"] = DesiredSegment("Others"), frozenset("a")
    wish = world.wishes.pop(ADDRESS)
    world.run()
    world.wishes[ADDRESS] = wish
    segment = another_tools(world, baseline)
    spoil, problem = REFUSED[case]
    spoil(world, segment)
    before = list(world.criteo.writes)
    [blocked] = world.plan().blocked
    assert (blocked.address, blocked.cause) == (ADDRESS, Cause.SEGMENT)
    assert problem in blocked.finding.problem
    assert blocked.finding.remedy
    world.run()
    assert world.criteo.writes[len(before) :] == []
    assert ADDRESS not in world.store.saved_resources


def test_our_own_tag_does_not_prevent_an_adoption(world: InMemoryEnvironment) -> None:
    """The state of one address was lost, and those of the others were not."""
    world.wishes[OTHER], world.people["others"] = DesiredSegment("Others"), frozenset("a")
    world.run()
    del world.store.saved_resources[ADDRESS]
    segment = world.criteo.named("1001", "Buyers")
    assert segment
    world.adoptions[ADDRESS] = Adoption(ADDRESS, segment.id, Baseline.REUSE, PLACE)
    [change] = world.plan().changes
    assert isinstance(change, Adopt)


@pytest.mark.parametrize(("people", "problem"), [(None, "no file matches"), (frozenset(), "no usable Email")])
def test_an_unusable_file_of_assumed_members_blocks_its_address(
    world: InMemoryEnvironment, people: frozenset[str] | None, problem: str
) -> None:
    another_tools(world, Baseline.ASSUME)
    world.assumed[ADDRESS] = people or frozenset()
    if people is None:
        world.broken.add(str(ADDRESS))
    [blocked] = world.plan().blocked
    assert (blocked.address, blocked.cause) == (ADDRESS, Cause.SOURCE)
    assert problem in blocked.finding.problem


def test_a_blocked_adoption_removes_nobody_who_is_suppressed(world: InMemoryEnvironment) -> None:
    """The segment is not ours yet."""
    segment = another_tools(world, Baseline.ASSUME)
    world.suppressed["buyers"] = frozenset("a")
    world.guards = replace(world.guards, min_members=100)
    plan = world.plan()
    assert [one.cause for one in plan.blocked] == [Cause.GUARD]
    assert plan.removals == ()
    world.run()
    assert held(world, segment) == set("abx")
    assert world.store.saved_resources == {}


def test_an_interrupted_adoption_is_resumed_under_its_approval() -> None:
    adopted = cases.adopting(cases.LAPSED, "1", Baseline.REUSE, cases.CHANGED)
    rest = Update(cases.LAPSED, (), cases.CHANGED, Steps(transfer=cases.sending(cases.CHANGED)))
    begun = now(ApprovalRecord("sha256:a", cases.NOW), resources={cases.LAPSED.address: resource()})
    assert judged(adopted, rest, begun).covered == {cases.LAPSED.address}
    replaced = cases.replacing(cases.LAPSED, "1")
    left = replace(replaced, steps=replace(replaced.steps, setup=replaced.steps.setup[1:]))
    assert judged(replaced, left, begun).covered == {cases.LAPSED.address}
    assert why(judged(replaced, left)), "nothing shows that this run began"


@pytest.mark.parametrize(
    ("segment_id", "baseline", "file"),
    [("2", Baseline.ASSUME, "sent.csv"), ("1", Baseline.REUSE, ""), ("1", Baseline.ASSUME, "other.csv")],
)
def test_an_approval_covers_one_segment_one_baseline_and_one_file(
    segment_id: str, baseline: Baseline, file: str
) -> None:
    def declared(segment_id: str, baseline: Baseline, file: str) -> Adopt:
        change = cases.adopting(cases.LAPSED, segment_id, baseline, cases.CHANGED)
        one = Adoption(cases.LAPSED.address, segment_id, baseline, PLACE, file)
        step = RecordAdoption(one, adopted_resource(one, cases.LAPSED, cases.NOW))
        return replace(change, steps=replace(change.steps, setup=(step, *change.steps.setup[1:])))

    approved = declared("1", Baseline.ASSUME, "sent.csv")
    assert judged(approved, approved).covered == {cases.LAPSED.address}
    [problem] = why(judged(approved, declared(segment_id, baseline, file)))
    assert "the Adopt document is not the approved one" in problem


def test_the_interrupted_replacement_of_an_adopted_segment_goes_on(world: InMemoryEnvironment) -> None:
    old = another_tools(world, Baseline.REPLACE)
    world.criteo.fault = lambda operation: "rejected" if operation == "create" else None
    world.run()
    change = only(world.plan())
    assert isinstance(change, Replace)
    assert change.reason == MembersUnknown(old.id)


def test_without_the_document_the_name_is_in_use(world: InMemoryEnvironment) -> None:
    another_tools(world)
    world.adoptions.clear()
    [blocked] = world.plan().blocked
    assert blocked.cause is Cause.NAME
    assert not any(isinstance(change, Create) for change in world.plan().changes)


def test_a_file_with_an_erased_member_is_not_assumed(world: InMemoryEnvironment) -> None:
    """The state stores no erased member, so it could not remove one from the segment."""
    segment = another_tools(world, Baseline.ASSUME)
    world.erase(frozenset("x"), [world.wishes[ADDRESS].kind])
    [blocked] = world.plan().blocked
    assert blocked.finding.where == str(ADDRESS)
    assert f"has erased members, and segment {segment.id} may hold them" in blocked.finding.problem
    assert not world.plan().changes
    world.adoptions[ADDRESS] = replace(world.adoptions[ADDRESS], baseline=Baseline.REPLACE)
    assert not world.run().errors
    assert world.store.saved_resources[ADDRESS].current.segment_id != segment.id
