"""Guards refuse with the number, the limit, and the snippet that allows it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.in_memory_environment import EMAIL, DesiredSegment, InMemoryEnvironment

from reconciler.core.members import EMPTY_SNAPSHOT, Delta, DropReason, SnapshotRef, TargetMembers
from reconciler.core.model import Address, Guards, Source
from reconciler.core.plan.changes import Create, MemberChange, Unchanged, Undecided, address_of
from reconciler.core.plan.guards import GuardInput, relaxed_guards, violations
from reconciler.core.plan.reasons import SegmentMissing

pytestmark = pytest.mark.promise("guards")

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADDRESS = Address("offsite", "buyers")


def asked(
    count,
    completed_size=None,
    adds=0,
    out=0,
    fresh=False,
    drops=(),
    rows=0,
    newest=None,
    max_age=None,
    guards=None,
    general=None,
):
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, guards=guards or Guards(min_members=10)
    )
    [spec] = world.desired().segments
    source = replace(spec.audience.source, max_age=max_age)
    spec = replace(spec, audience=replace(spec.audience, source=source))
    target = TargetMembers(
        SnapshotRef("d", count) if count else EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, rows, drops, newest=newest
    )
    members = MemberChange(completed_size or 0, target, Delta(0, adds, out))
    question = GuardInput(spec, members, completed_size, fresh, NOW)
    return (
        relaxed_guards(question, general) if general else [str(finding) for finding in violations(question)]
    )


def test_what_is_within_the_limits_passes():
    assert asked(100, completed_size=100, adds=20, out=20) == []
    assert asked(100, adds=100, fresh=True) == []
    assert asked(1_000_000, completed_size=None, adds=1_000_000) == []


def test_nothing_left_is_refused():
    [said] = asked(0, rows=12_000)
    assert "no members are left of the rows read" in said
    assert len(asked(0, rows=120, drops=((DropReason.MALFORMED, 120),))) == 2


def test_a_source_of_erased_persons_is_refused_as_that():
    for erased, which in ((120, "all"), (7, "some")):
        [said] = asked(0, rows=120, drops=((DropReason.ERASED, erased),))
        assert f"no members are left of the rows read, {which} of which are of erased persons" in said
        assert "deliver rows of others" in said
        assert "explain" not in said


def test_of_an_empty_source_nothing_is_said_but_that():
    """Nor is a guard to be switched off: an empty audience is not sent with any."""
    [said] = asked(0, completed_size=100, out=100, newest=NOW - timedelta(days=9), max_age=timedelta(days=1))
    assert "the source holds no rows" in said
    assert "never sent" in said
    assert "%" not in said


def test_too_few_are_refused():
    [said] = asked(9)
    assert "there are fewer than 10 members (minMembers)" in said
    assert "guards: {minMembers: 1}" in said


@pytest.mark.parametrize(("out", "refused"), [(20, False), (21, True)])
def test_the_limit_of_shrinking_is_exact(out, refused):
    said = asked(100, completed_size=100, out=out)
    assert bool(said) is refused
    what = "more than 20% of members would be removed: 20 of 100 (limit 20%"
    assert all(what in one for one in said)
    assert all("maxShrink: 26%" in one for one in said)


def test_an_exchange_of_all_members_is_reported():
    assert len(asked(100, completed_size=100, adds=101, out=100)) == 2


def test_a_swap_of_people_is_reported_in_the_numbers_of_both_directions():
    """Not as growth, beside a size that shrinks."""
    [shrunk, grown] = asked(3_952, completed_size=4_240, adds=3_952, out=4_240, guards=Guards(max_growth=0.5))
    both = "4,240 of 4,240 removed, 3,950 added"
    assert f"100% of members would be replaced: {both} (limit 20%, maxShrink)" in shrunk
    assert f"93.2% of members would be replaced: {both} (limit 50%, maxGrowth)" in grown
    [lopsided] = asked(3_000, completed_size=4_240, adds=10, out=1_250)
    assert "29.5% of members would change: 1,250 of 4,240 removed, 10 added (limit 20%" in lopsided


def test_a_segment_filled_afresh_is_compared_by_size():
    assert asked(85, completed_size=100, adds=85, fresh=True) == []
    [shrunk] = asked(79, completed_size=100, adds=79, fresh=True)
    assert "more than 20% of members would be removed: 20 of 100" in shrunk
    [grown] = asked(206, completed_size=100, adds=206, fresh=True)
    assert "about 110% of members would be added: 110 to 100" in grown
    assert "maxGrowth: 120%" in grown


def test_few_people_are_never_counted_by_a_share():
    """Of 44 people one leaves: 3 % would say so. That a limit is passed says no more."""
    limits = Guards(max_shrink=0.02, max_growth=0.02, max_invalid=0.01)
    [shrunk] = asked(43, completed_size=44, out=1, guards=limits)
    assert "more than 2% of members would be removed: <10 of 40 (limit 2%, maxShrink)" in shrunk
    assert "guards: {maxShrink: 26%}" in shrunk
    [grown] = asked(45, completed_size=44, adds=1, guards=limits)
    assert "more than 2% of members would be added: <10 to 40 (limit 2%, maxGrowth)" in grown
    [invalid] = asked(43, drops=((DropReason.MALFORMED, 1),), guards=limits)
    assert "more than 1% of the identifiers can't be sent (limit 1%, maxInvalid)" in invalid


@pytest.mark.parametrize(("completed_size", "out"), [(1_000, 614), (1_004, 605), (995, 610), (999, 613)])
def test_what_rounds_to_the_same_counts_reads_the_same(completed_size, out):
    [said] = asked(completed_size - out, completed_size=completed_size, out=out)
    assert "61% of members would be removed: 610 of 1,000 (limit 20%, maxShrink)" in said
    assert "maxShrink: 62%" in said


@given(st.integers(10, 3_000), st.integers(10, 3_000))
def test_the_limit_that_is_offered_lets_it_pass(completed_size, out):
    out = min(completed_size - 1, out)
    for said in asked(completed_size - out, completed_size=completed_size, out=out, guards=Guards()):
        _, offered, share = said.partition("guards: {maxShrink: ")
        assert not offered or out / completed_size <= int(share.partition("%}")[0]) / 100 <= 1


def test_an_override_may_switch_a_guard_off_for_some_days():
    [shrunk, _] = asked(100, completed_size=100, adds=101, out=100)
    assert "guards: {maxShrink: 100%}" in shrunk


def test_too_many_invalid_identifiers_are_refused():
    drops = ((DropReason.MALFORMED, 110), (DropReason.OTHER_HASHING, 10), (DropReason.EMPTY, 500))
    [said] = asked(880, drops=drops)
    assert "12% of the identifiers can't be sent (limit 10%, maxInvalid)" in said
    assert "maxInvalid: 13%" in said


def test_stale_sources_are_refused_when_an_age_is_set():
    old = NOW - timedelta(hours=37)
    assert asked(100, newest=old) == []
    assert asked(100, newest=old, max_age=timedelta(hours=38)) == []
    [said] = asked(100, newest=old, max_age=timedelta(hours=36))
    assert "37 hours old (limit 36 hours, maxAge)" in said
    [said] = asked(100, newest=NOW - timedelta(seconds=80, milliseconds=1), max_age=timedelta(seconds=80))
    assert "over 1 minute 20 seconds old (limit 1 minute 20 seconds, maxAge)" in said


def vanishing(total, gone):
    world = InMemoryEnvironment(guards=Guards(max_growth=10))
    for number in range(total):
        world.wishes[Address("offsite", f"a{number}")] = DesiredSegment(f"A{number}")
        world.people[f"a{number}"] = frozenset({"p"})
    world.run()
    for segment_id in list(world.criteo.accounts["1001"])[:gone]:
        world.criteo.delete(segment_id)
    return world.plan()


def test_one_missing_segment_is_created_again_and_reported():
    plan = vanishing(5, 1)
    assert plan.blocked == ()
    assert isinstance(plan.changes[0].reason, SegmentMissing)


@pytest.mark.parametrize(("total", "gone"), [(5, 2), (1, 1), (3, 3)])
def test_many_missing_at_once_is_lost_access(total, gone):
    """A cause of the whole run is reported once, and each address keeps its own change."""
    plan = vanishing(total, gone)
    [problem] = plan.problems
    assert problem.where == ""
    assert "access may be lost" in problem.problem
    assert "maxMissing" in problem.remedy
    assert plan.blocked == ()
    assert [type(change) for change in plan.changes] == [Create] * gone


def moved(before, after, own, general):
    """Plan a change from `before` to `after` members, with the guards of audience and environment."""
    world = InMemoryEnvironment(wishes={ADDRESS: DesiredSegment("Buyers")}, guards=own)
    world.people["buyers"] = frozenset(f"p{number}" for number in range(before))
    if before:
        world.run()
    world.people["buyers"] = frozenset(f"p{number}" for number in range(after))
    desired = world.desired

    def declared():
        made = desired()
        return replace(made, environment=replace(made.environment, guards=general))

    world.desired = declared
    return world.plan()


@pytest.mark.parametrize(
    ("before", "after", "own", "said"),
    [
        (
            170,
            54,
            Guards(max_shrink=0.75),
            (
                "about 71% of members would be removed: 120 of 170; "
                "allowed only by the audience's `maxShrink: 75%` (environment: 20%)"
            ),
        ),
        (
            44,
            30,
            Guards(max_shrink=0.7),
            (
                "more than 20% of members would be removed: 10 of 40; "
                "allowed only by the audience's `maxShrink: 70%` (environment: 20%)"
            ),
        ),
        (
            20,
            15,
            Guards(max_shrink=0.7),
            (
                "more than 20% of members would be removed: <10 of 20; "
                "allowed only by the audience's `maxShrink: 70%` (environment: 20%)"
            ),
        ),
        (
            100,
            300,
            Guards(max_growth=5),
            (
                "about 200% of members would be added: 200 to 100; "
                "allowed only by the audience's `maxGrowth: 500%` (environment: 100%)"
            ),
        ),
        (
            0,
            5,
            Guards(min_members=2),
            (
                "there are fewer than 10 members; "
                "allowed only by the audience's `minMembers: 2` (environment: 10)"
            ),
        ),
    ],
)
def test_what_only_the_audience_itself_allows_is_reported(before, after, own, said):
    plan = moved(before, after, own, Guards(min_members=10))
    assert (plan.problems, plan.blocked) == ((), ())
    assert plan.relaxed_guards == {ADDRESS: (said,)}


def test_invalid_values_that_only_the_audience_itself_allows_are_reported():
    said = asked(880, drops=((DropReason.MALFORMED, 120),), guards=Guards(max_invalid=0.5), general=Guards())
    assert said == (
        (
            "12% of the identifiers can't be sent; "
            "allowed only by the audience's `maxInvalid: 50%` (environment: 10%)"
        ),
    )


@pytest.mark.parametrize("after", [170, 140])
def test_what_the_environment_allows_needs_no_word(after):
    assert moved(170, after, Guards(max_shrink=0.7), Guards()).relaxed_guards == {}


@pytest.mark.parametrize(
    ("before", "after", "own", "general", "said"),
    [
        (
            340,
            70,
            Guards(max_shrink=0.95),
            Guards(max_shrink=0.95),
            (
                "about 79% of members would be removed: 270 of 340; the default limit is 20% (maxShrink), "
                "and environment.yaml allows 95%"
            ),
        ),
        (
            100,
            300,
            Guards(max_growth=5),
            Guards(max_growth=9),
            (
                "about 200% of members would be added: 200 to 100; the default limit is 100% (maxGrowth), "
                "and the audience's own guard allows 500%"
            ),
        ),
    ],
)
def test_what_only_the_environment_allows_is_reported(before, after, own, general, said):
    assert moved(before, after, own, general).relaxed_guards == {ADDRESS: (said,)}


@pytest.mark.parametrize(("before", "after"), [(0, 340), (340, 330)])
def test_a_loose_environment_alone_is_not_reported(before, after):
    """What is filled for the first time doesn't grow."""
    assert moved(before, after, Guards(max_shrink=0.95), Guards(max_shrink=0.95)).relaxed_guards == {}


def test_what_is_blocked_is_counted_once_and_keeps_its_numbers():
    """A stopped feed blocks both of its addresses: one that would change, and one that would not."""
    other = Address("onsite", "buyers")
    world = InMemoryEnvironment(wishes={ADDRESS: DesiredSegment("Buyers")}, guards=Guards())
    world.people["buyers"] = frozenset("abcdefghijkl")
    build, desired = world.engine.build, world.desired

    def aged():
        made = desired()
        source = Source(("x.csv",), max_age=timedelta(hours=36))
        segments = (replace(one, audience=replace(one.audience, source=source)) for one in made.segments)
        return replace(made, segments=tuple(segments))

    def old(*asked):
        stopped = world.clock.now() - timedelta(hours=72)
        return {
            name: {kind: replace(one, newest=stopped) for kind, one in targets.items()}
            for name, targets in build(*asked).items()
        }

    world.desired = aged
    world.run()
    world.wishes[other] = DesiredSegment("Others")
    world.engine.build, world.engine.version = old, "2"
    plan = world.plan()
    assert (plan.changes, plan.unchanged) == ((), ())
    assert [one.address for one in plan.blocked] == [ADDRESS, other]
    assert [(address_of(one), type(one)) for one in plan.blocked_outcomes] == [
        (ADDRESS, Unchanged),
        (other, Create),
    ]


def test_of_an_undecided_address_its_segment_is_known():
    world = InMemoryEnvironment(wishes={ADDRESS: DesiredSegment("Buyers")})
    world.people["buyers"] = frozenset("abc")
    world.run()
    world.people["buyers"] = frozenset("abcd")
    [segment] = world.criteo.accounts["1001"].values()
    world.criteo.accounts["1001"][segment.id] = replace(segment, read_only=True)
    plan = world.plan()
    assert [type(one) for one in plan.blocked_outcomes] == [Undecided]
    assert [address_of(one) for one in plan.blocked_outcomes] == [ADDRESS]


def test_a_mixed_column_is_said_once_for_each_audience():
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers"), Address("other", "buyers"): DesiredSegment("Others")}
    )
    world.people["buyers"] = frozenset({"p"})
    build = world.engine.build

    def hashed(*asked):
        return {
            name: {
                kind: replace(one, hashed=1, members=SnapshotRef(one.members.digest, 2))
                for kind, one in targets.items()
            }
            for name, targets in build(*asked).items()
        }

    world.engine.build, world.engine.version = hashed, "2"
    notes = [note for note in world.plan().notes if "hashed" in note]
    assert len(notes) == 1
    assert "buyers: some values of the Email column came already hashed" in notes[0]
    assert EMAIL[0] == "Email"
