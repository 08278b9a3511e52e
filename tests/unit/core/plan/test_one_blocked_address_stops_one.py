"""A blocked address blocks only the addresses that depend on it."""

from dataclasses import replace

import pytest
from support.fakes.members import ListFile
from support.in_memory_environment import OPT_OUTS, DesiredSegment, InMemoryEnvironment

from reconciler.apply import run
from reconciler.core.errors import RefusedError
from reconciler.core.events import ChangeOutcome
from reconciler.core.model import Address, Hashing, IdentifierType
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Undecided, address_of
from reconciler.core.remote import NewSegment, SharingStatus

pytestmark = pytest.mark.promise("refused-early")

ONE, TWO, THREE = (Address("offsite", name) for name in ("one", "two", "three"))
TITLES = {ONE: "Gold", TWO: "Silver", THREE: "Bronze"}


@pytest.fixture
def world() -> InMemoryEnvironment:
    """Three audiences that were applied."""
    made = InMemoryEnvironment(wishes={at: DesiredSegment(title) for at, title in TITLES.items()})
    made.people |= {at.audience: frozenset("abcdefghij") for at in TITLES}
    made.run()
    return made


def causes(world: InMemoryEnvironment) -> dict[Address, Cause]:
    return {one.address: one.cause for one in world.plan().blocked}


def going(world: InMemoryEnvironment) -> list[Address]:
    return [address_of(one) for one in world.plan().changes]


def names(world: InMemoryEnvironment) -> set[str]:
    return {one.name for one in world.criteo.accounts["1001"].values()}


def people_come(world: InMemoryEnvironment) -> None:
    world.people |= {at.audience: world.people[at.audience] | {"k"} for at in TITLES}


def test_a_source_that_cannot_be_read_blocks_its_audience(world: InMemoryEnvironment) -> None:
    people_come(world)
    world.broken = {"one"}
    plan = world.plan()
    assert [(one.address, one.cause) for one in plan.blocked] == [(ONE, Cause.SOURCE)]
    assert plan.blocked[0].finding.where == "one.yaml:1:1"
    assert [type(one) for one in plan.blocked_outcomes] == [Undecided]
    report = world.run()
    assert report.outcomes == {TWO: ChangeOutcome.APPLIED, THREE: ChangeOutcome.APPLIED}
    held = {one.name: len(one.members) for one in world.criteo.accounts["1001"].values()}
    assert held == {"Gold": 10, "Silver": 11, "Bronze": 11}
    world.broken.clear()
    assert going(world) == [ONE]


def test_all_destinations_of_a_broken_source_are_blocked(world: InMemoryEnvironment) -> None:
    beside = Address("onsite", "one")
    world.wishes[beside] = DesiredSegment("Gold too", kind=(IdentifierType.CUSTOMER_ID, Hashing.NONE))
    world.broken = {"one"}
    assert causes(world) == {ONE: Cause.SOURCE, beside: Cause.SOURCE}


def test_the_source_of_an_address_that_was_not_asked_for_is_not_read(world: InMemoryEnvironment) -> None:
    people_come(world)
    world.broken = {"one"}
    assert world.run({TWO}).outcomes == {TWO: ChangeOutcome.APPLIED}


def test_a_guard_blocks_one_address(world: InMemoryEnvironment) -> None:
    people_come(world)
    world.guards = replace(world.guards, max_shrink=0.2)
    world.people["two"] = frozenset("a")
    assert causes(world) == {TWO: Cause.GUARD}
    assert set(world.run().outcomes) == {ONE, THREE}


def test_a_taken_name_blocks_one_address(world: InMemoryEnvironment) -> None:
    people_come(world)
    world.criteo.add("1001", NewSegment("Platinum", "theirs", "7", IdentifierType.EMAIL))
    world.wishes[THREE] = DesiredSegment("Platinum")
    assert causes(world) == {THREE: Cause.NAME}
    assert set(world.run().outcomes) == {ONE, TWO}


@pytest.mark.parametrize(
    ("description", "whose"),
    [
        ("theirs", "that reconciler did not create: it has no ownership tag"),
        (
            "[reconciler 0123456789-abcd]",
            "with the ownership tag of another environment or address, and this state does not know it",
        ),
        ("", "with the ownership tag of this address, and this state does not know it"),
    ],
    ids=["untagged", "another environment", "this address"],
)
def test_a_name_that_a_rename_asks_for_is_reported_by_the_tag_of_its_segment(
    world: InMemoryEnvironment, description: str, whose: str
) -> None:
    mine = world.criteo.named("1001", "Bronze")
    assert mine
    given = description or mine.description
    made = world.criteo.add("1001", NewSegment("Platinum", given, "7", IdentifierType.EMAIL))
    world.wishes[THREE] = DesiredSegment("Platinum")
    [blocked] = world.plan().blocked
    assert blocked.finding.problem == f"Criteo already has a segment named “Platinum” ({made.id}) {whose}"
    assert "namePrefix" in blocked.finding.remedy
    assert "delete" not in blocked.finding.remedy, "it may be in use by another environment"


def test_a_segment_that_is_not_fit_blocks_one_address(world: InMemoryEnvironment) -> None:
    people_come(world)
    segment = world.criteo.named("1001", "Gold")
    assert segment
    segment.read_only = True
    assert causes(world) == {ONE: Cause.SEGMENT}
    assert set(world.run().outcomes) == {TWO, THREE}


def rename_along(world: InMemoryEnvironment) -> None:
    """Three takes the name of two, and two that of one."""
    world.wishes = {
        ONE: DesiredSegment("Platinum"),
        TWO: DesiredSegment("Gold"),
        THREE: DesiredSegment("Silver"),
    }


def test_a_chain_of_renames_waits_for_the_one_that_is_blocked(world: InMemoryEnvironment) -> None:
    rename_along(world)
    world.broken = {"one"}
    assert causes(world) == {ONE: Cause.SOURCE, TWO: Cause.DEPENDENCY, THREE: Cause.DEPENDENCY}
    [said] = {one.finding.problem for one in world.plan().blocked if one.address == THREE}
    assert said == "its name becomes free only once offsite/two is renamed, which is blocked or paused"
    world.run()
    assert names(world) == {"Gold", "Silver", "Bronze"}
    world.broken.clear()
    world.run()
    assert names(world) == {"Platinum", "Gold", "Silver"}


def test_the_rest_of_a_chain_goes_where_its_end_is_blocked(world: InMemoryEnvironment) -> None:
    rename_along(world)
    world.broken = {"three"}
    assert causes(world) == {THREE: Cause.SOURCE}
    world.run()
    assert names(world) == {"Platinum", "Gold", "Bronze"}


def test_a_circle_of_renames_waits_as_a_whole(world: InMemoryEnvironment) -> None:
    people_come(world)
    world.wishes[ONE], world.wishes[TWO] = DesiredSegment("Silver"), DesiredSegment("Gold")
    world.broken = {"two"}
    assert causes(world) == {ONE: Cause.DEPENDENCY, TWO: Cause.SOURCE}
    assert set(world.run().outcomes) == {THREE}
    world.broken.clear()
    world.run()
    assert names(world) == {"Gold", "Silver", "Bronze"}
    assert world.plan().changes == ()


def test_a_replacement_waits_for_the_name_that_a_blocked_address_has(world: InMemoryEnvironment) -> None:
    """The segment beside the old one takes its name only after it is filled."""
    world.wishes[ONE] = DesiredSegment("Platinum")
    world.wishes[TWO] = DesiredSegment("Gold", kind=(IdentifierType.EMAIL, Hashing.MD5))
    world.broken = {"one"}
    assert causes(world) == {ONE: Cause.SOURCE, TWO: Cause.DEPENDENCY}
    world.run()
    assert names(world) == {"Gold", "Silver", "Bronze"}


def test_an_environment_problem_stops_everything(world: InMemoryEnvironment) -> None:
    people_come(world)
    world.guards = replace(world.guards, max_missing=0.1)
    world.broken = {"one"}
    for name in ("Gold", "Silver"):
        segment = world.criteo.named("1001", name)
        assert segment
        world.criteo.delete(segment.id)
    plan = world.plan()
    assert plan.problems
    assert plan.refused
    assert not plan.all_blocked


def test_all_are_blocked_where_no_address_is_healthy(world: InMemoryEnvironment) -> None:
    world.broken = {"one", "two", "three"}
    assert world.plan().all_blocked
    world.broken = {"one", "two"}
    assert not world.plan().all_blocked, "one is unchanged, and healthy"


# ---- suppressed people leave all the same


def suppress(world: InMemoryEnvironment, *people: str) -> None:
    world.suppressed |= {at.audience: frozenset(people) for at in TITLES}


def holds(world: InMemoryEnvironment, title: str) -> set[str]:
    segment = world.criteo.named("1001", title)
    assert segment
    return {one.rpartition(":")[2] for one in segment.members}


def test_suppressed_people_leave_where_the_source_cannot_be_read(world: InMemoryEnvironment) -> None:
    suppress(world, "a", "b")
    world.broken = {"one"}
    plan = world.plan()
    assert [(one.spec.address, one.count) for one in plan.removals] == [(ONE, 2)]
    world.run()
    assert holds(world, "Gold") == set("cdefghij")
    assert world.plan().removals == ()
    world.broken.clear()
    assert ONE not in going(world), "who is left is who is wanted"


def test_suppressed_members_are_removed_although_a_guard_blocks(world: InMemoryEnvironment) -> None:
    suppress(world, "a")
    world.guards = replace(world.guards, max_shrink=0.2)
    world.people["two"] = frozenset("abc")
    assert causes(world) == {TWO: Cause.GUARD}
    world.run()
    assert holds(world, "Silver") == set("bcdefghij"), "nobody but the suppressed"


def test_suppressed_people_leave_where_a_name_is_taken(world: InMemoryEnvironment) -> None:
    suppress(world, "a")
    world.criteo.add("1001", NewSegment("Platinum", "theirs", "7", IdentifierType.EMAIL))
    world.wishes[THREE] = DesiredSegment("Platinum")
    world.run()
    assert holds(world, "Bronze") == set("bcdefghij")


def test_suppressed_people_leave_the_old_segment_of_a_blocked_replacement(world: InMemoryEnvironment) -> None:
    suppress(world, "a")
    world.wishes[TWO] = DesiredSegment("Silver", kind=(IdentifierType.EMAIL, Hashing.MD5))
    world.guards = replace(world.guards, min_members=1_000)
    assert causes(world)[TWO] is Cause.GUARD
    world.run()
    assert holds(world, "Silver") == set("bcdefghij")


def test_an_unsuitable_segment_is_not_changed(world: InMemoryEnvironment) -> None:
    suppress(world, "a")
    world.broken = {"one"}
    segment = world.criteo.named("1001", "Gold")
    assert segment
    segment.read_only = True
    assert world.plan().removals == ()


def test_no_member_is_removed_from_a_foreign_segment(world: InMemoryEnvironment) -> None:
    suppress(world, "a")
    segment = world.criteo.named("1001", "Gold")
    assert segment
    segment.description = "[reconciler 0123456789-abcd]"
    world.broken = {"one"}
    assert world.plan().removals == ()


def test_a_tag_on_a_replaced_segment_stops_removals_from_that_one_only(world: InMemoryEnvironment) -> None:
    world.wishes[TWO] = DesiredSegment("Silver", kind=(IdentifierType.EMAIL, Hashing.MD5))
    world.run()
    [replaced] = [one for one in world.criteo.accounts["1001"].values() if "retired" in one.name]
    replaced.description = "[reconciler 0123456789-abcd]"
    world.suppression = ListFile(frozenset("a"))
    world.run()
    assert holds(world, replaced.name) == set("abcdefghij")
    assert holds(world, "Silver") == set("bcdefghij")
    [said] = [one for one in world.plan().notes if one.startswith("members of lists stay")]
    assert "another environment or address: offsite/two. If the tag was copied, delete it" in said


def test_too_many_suppressed_members_of_a_replaced_segment_block_visibly(world: InMemoryEnvironment) -> None:
    """In the current segment they are few: most of those that the list names had left before."""
    world.wishes[TWO] = DesiredSegment("Silver", kind=(IdentifierType.EMAIL, Hashing.MD5))
    world.run()
    [replaced] = [one for one in world.criteo.accounts["1001"].values() if "retired" in one.name]
    world.guards = replace(world.guards, max_shrink=0.5)
    world.people["two"] = frozenset("aghij")
    world.run()
    world.suppression = ListFile(frozenset("abcdef"))
    [blocked] = [one for one in world.plan().blocked if one.address == TWO]
    assert blocked.cause is Cause.GUARD
    assert blocked.finding.problem == (
        "suppressed members are not removed: they are more than 50% of the members of its replaced segment "
        f"{replaced.id} (limit 50%, maxShrink)"
    )
    world.run()
    assert holds(world, replaced.name) == set("abcdefghij")
    assert holds(world, "Silver") == set("ghij"), "where they are few, they leave"
    world.guards = replace(world.guards, max_shrink=1.0)
    world.run()
    assert holds(world, replaced.name) == set("ghij")


def test_a_finding_about_the_segment_of_an_address_stops_no_removal(world: InMemoryEnvironment) -> None:
    """The segment is shared, so that it cannot be replaced."""
    suppress(world, "a")
    world.wishes[TWO] = DesiredSegment("Silver", kind=(IdentifierType.EMAIL, Hashing.MD5))
    segment = world.criteo.named("1001", "Silver")
    assert segment
    segment.sharing = SharingStatus.SHARED_WITH_ALL
    assert causes(world) == {TWO: Cause.SEGMENT}
    world.run()
    assert holds(world, "Silver") == set("bcdefghij")


def test_no_member_is_removed_from_a_segment_of_another_retailer(world: InMemoryEnvironment) -> None:
    suppress(world, "a")
    world.broken = {"one"}
    segment = world.criteo.named("1001", "Gold")
    assert segment
    segment.retailer_id = "9"
    assert world.plan().removals == ()


def test_nothing_is_removed_while_a_request_is_unconfirmed(world: InMemoryEnvironment) -> None:
    people_come(world)
    world.criteo.fault = lambda operation: "lost-before" if operation == "add" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    suppress(world, "a")
    world.broken = {"one"}
    assert world.plan().removals == ()
    world.clock.advance(world.quiet.total_seconds() + 1)
    assert [one.count for one in world.plan().removals] == [1]
    world.run()
    assert holds(world, "Gold") == set("bcdefghij")


def test_uncertain_suppressed_members_are_removed_too(world: InMemoryEnvironment) -> None:
    """Uncertain members that are not suppressed stay uncertain when other members are removed."""
    world.people["one"] = frozenset("abcdefghijklm")
    world.criteo.fault = lambda operation: "lost-after" if operation == "add" else None
    world.run()
    world.criteo.fault = lambda _operation: None
    world.clock.advance(world.quiet.total_seconds() + 1)
    suppress(world, "a", "k")
    world.broken = {"one"}
    assert [one.count for one in world.plan().removals] == [2]
    world.run()
    assert holds(world, "Gold") == set("bcdefghijlm")
    assert world.plan().removals == ()
    world.broken.clear()
    world.clock.advance(world.quiet.total_seconds() + 1)
    world.run()
    assert holds(world, "Gold") == set("bcdefghijlm")
    assert world.plan().changes == ()


def test_nothing_is_removed_through_a_list_that_cannot_be_read(world: InMemoryEnvironment) -> None:
    suppress(world, "a")
    world.lists["one"] = {OPT_OUTS: ListFile(frozenset("a"), unreadable=True)}
    plan = world.plan()
    assert [one.cause for one in plan.blocked] == [Cause.SOURCE]
    assert plan.removals == ()


def test_lost_access_removes_no_member(world: InMemoryEnvironment) -> None:
    suppress(world, "a")
    world.broken = {"one"}
    world.guards = replace(world.guards, max_missing=0.1)
    for name in ("Silver", "Bronze"):
        segment = world.criteo.named("1001", name)
        assert segment
        world.criteo.delete(segment.id)
    with pytest.raises(RefusedError):
        world.run()
    assert holds(world, "Gold") == set("abcdefghij")


def test_a_removal_that_fails_is_reported_and_made_again(world: InMemoryEnvironment) -> None:
    suppress(world, "a")
    world.broken = {"one", "two", "three"}
    world.criteo.fault = lambda operation: "rejected" if operation == "remove" else None
    assert set(world.run().errors) == set(TITLES)
    world.criteo.fault = lambda _operation: None
    assert world.run().errors == {}
    assert holds(world, "Gold") == set("bcdefghij")


def test_a_failed_request_before_any_member_stops_no_opt_out(
    world: InMemoryEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The removal counts for the memory of all workers, as each other job does."""
    seen: list[list[int]] = []
    monkeypatch.setattr(run, "workers_per_group", lambda sizes, _groups: seen.append([*sizes]) or 1)
    world.wishes[ONE] = DesiredSegment("Golden")
    world.suppression = ListFile(frozenset("a"))
    world.criteo.fault = lambda operation: "rejected" if operation == "update" else None
    report = world.run()
    assert report.outcomes[ONE] == ChangeOutcome.FAILED
    assert seen == [[1, 1, 1]]
    assert holds(world, "Gold") == set("bcdefghij")
    world.criteo.fault = lambda _operation: None
    world.run()
    assert holds(world, "Golden") == set("bcdefghij")


def test_a_failed_removal_from_a_forgotten_segment_is_reported(world: InMemoryEnvironment) -> None:
    del world.wishes[ONE]
    world.suppression = ListFile(frozenset("a"))
    world.criteo.fault = lambda operation: "rejected" if operation == "remove" else None
    report = world.run()
    assert report.outcomes[ONE] == ChangeOutcome.FAILED
    assert ONE in report.errors
    world.criteo.fault = lambda _operation: None
    assert world.run().outcomes[ONE] == ChangeOutcome.APPLIED
    assert holds(world, "Gold") == set("bcdefghij")
    assert not world.plan().changes


def test_a_discarded_replacement_is_not_taken_for_the_next_one(world: InMemoryEnvironment) -> None:
    """It is discarded before the next one is created, and that fails."""
    world.batch_size = 4
    world.wishes[ONE] = DesiredSegment("Gold", kind=(IdentifierType.EMAIL, Hashing.MD5))
    answers = iter([None])
    world.criteo.fault = lambda operation: next(answers, "rejected") if operation == "add" else None
    world.run()
    replacement = world.store.saved_resources[ONE].replacement
    assert replacement
    assert replacement.transfer
    world.wishes[ONE] = DesiredSegment("Gold", kind=(IdentifierType.EMAIL, Hashing.NONE))
    world.suppression = ListFile(frozenset("a"))
    world.criteo.fault = lambda operation: "rejected" if operation == "create" else None
    assert world.run().outcomes[ONE] == ChangeOutcome.FAILED
    assert holds(world, "Gold") == set("bcdefghij")
