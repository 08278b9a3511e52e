"""Which lists are compared, and which differences block an address."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.list_refusals import list_refusals, refusals_of_lists, untrusted
from reconciler.core.lists import AppliedLists, ListChange, Missing, compared
from reconciler.core.members import EMPTY_SNAPSHOT, AppliedList, ListMatches, ReadList, SnapshotRef
from reconciler.core.model import (
    Address,
    Audience,
    Guards,
    Hashing,
    IdentifierType,
    SegmentKey,
    SegmentSpec,
    Source,
    SourceLocation,
)
from reconciler.core.plan.changes import Removal
from reconciler.core.plan.observed import Departure
from reconciler.core.plan.suppressed_removals import too_many
from reconciler.core.state.resource import ResourceState, SegmentState

pytestmark = pytest.mark.promise("lists")

EMAIL, PHONE, CUSTOMER = IdentifierType.EMAIL, IdentifierType.PHONE_NUMBER, IdentifierType.CUSTOMER_ID
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NONE = ListMatches(EMAIL, Hashing.SHA256)
SPEC = SegmentSpec(
    Address("email", "buyers"),
    "Buyers",
    "",
    SegmentKey("1", "2", EMAIL, Hashing.SHA256),
    "criteo",
    Audience(
        "buyers",
        "Buyers",
        "",
        Source(("p.csv",)),
        (),
        guards=Guards(),
        place=SourceLocation("buyers.yaml", 1, 1),
    ),
)


def members(name: str, count: int = 1000) -> SnapshotRef:
    return SnapshotRef(name, count) if count else EMPTY_SNAPSHOT


def before(file: str, name: str, count: int = 1000, kind: IdentifierType = EMAIL) -> AppliedList:
    return AppliedList((file,), kind, members(name, count), NONE, NOON)


def now(
    file: str, name: str, count: int = 1000, kind: IdentifierType = EMAIL, invalid: int = 0, line: int = 1
) -> ReadList:
    place = SourceLocation("buyers.yaml", line, 5)
    return ReadList((file,), kind, members(name, count), count + invalid, invalid, 0.05, place, NONE)


def applied(*lists: AppliedList, address: Address = SPEC.address) -> ResourceState:
    return ResourceState(address, SegmentState(SPEC.key), lists=lists)


def changes(
    earlier: Sequence[AppliedList], today: Sequence[ReadList], missing: Missing
) -> tuple[ListChange, ...]:
    return known(today, [applied(*earlier)], missing)


def known(
    today: Sequence[ReadList],
    resources: Sequence[ResourceState],
    missing: Missing,
    target: SnapshotRef = EMPTY_SNAPSHOT,
) -> tuple[ListChange, ...]:
    lists = AppliedLists.of(resources)
    return compared(SPEC.address, today, lists.at(SPEC.address), lists, missing, target)


def no_comparison(_before: SnapshotRef, _now: Sequence[SnapshotRef]) -> int:
    raise AssertionError("an unchanged list is not read")


def problems(*changes: ListChange) -> list[str]:
    return [finding.problem for finding in list_refusals(SPEC, changes, NOON.date())]


def test_an_unchanged_list_is_never_read() -> None:
    [change] = changes([before("a", "x")], [now("a", "x")], no_comparison)
    assert (change.missing, change.differs, problems(change)) == (0, False, [])


def test_an_empty_list_and_a_first_one_have_nothing_to_miss() -> None:
    for earlier in ([], [before("a", "", 0)]):
        [change] = changes(earlier, [now("a", "x")], no_comparison)
        assert change.differs
        assert not problems(change)


def test_lists_are_known_by_files_and_type_and_then_by_type_in_order() -> None:
    earlier = [before("a", "x"), before("b", "y"), before("c", "p", kind=PHONE), before("d", "z")]
    today = [now("new", "n"), now("b", "y"), now("other", "q", kind=PHONE)]
    paired = changes(earlier, today, lambda _old, others: 7)
    pairs = [(one.before and one.before.files[0], one.now and one.now.files[0]) for one in paired]
    assert pairs == [("a", "new"), ("b", "b"), ("c", "other"), ("d", None)]
    assert [one.list.files[0] for one in paired] == ["new", "b", "other", "d"]
    assert [one.missing for one in paired] == [7, 0, 7, 7]
    assert paired[-1].differs
    assert not problems(paired[-1])


def test_members_of_another_list_of_the_type_are_not_missing() -> None:
    asked = []

    def missing(old: SnapshotRef, others: Sequence[SnapshotRef]) -> int:
        asked.append((old.digest, [one.digest for one in others]))
        return 0

    today = [now("a", "n"), now("b", "m"), now("c", "p", kind=PHONE), now("e", "", 0)]
    changes([before("a", "x")], today, missing)
    assert asked == [("x", ["n", "m"])]


def test_a_change_of_nothing_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        _ = ListChange(None, None, 0).list


@pytest.mark.parametrize(
    ("missing", "found"),
    [(0, []), (50, []), (51, ["more than 5% of the Email"]), (300, ["30% of the"]), (1000, ["100% of the"])],
)
def test_more_than_its_limit_missing_blocks(missing: int, found: list[str]) -> None:
    said = problems(ListChange(before("a.csv", "x"), now("a.csv", "n"), missing))
    assert [one.startswith(words) for one, words in zip(said, found, strict=True)] == [True] * len(found)
    assert all("(limit 5%, maxShrink)" in one for one in said)


def test_the_way_out_is_in_the_entry() -> None:
    [finding] = list_refusals(SPEC, [ListChange(before("a.csv", "x"), now("a.csv", "n"), 300)], NOON.date())
    assert finding.where == "email/buyers"
    assert "(buyers.yaml:1:5); if intended, set `maxShrink: 31%` in this entry" in finding.remedy
    few = ListChange(before("a.csv", "x", 10), now("a.csv", "n"), 9)
    [finding] = list_refusals(SPEC, [few], NOON.date())
    assert "set a larger maxShrink in this entry" in finding.remedy


def test_values_that_cannot_be_used_block_beyond_the_audience_s_limit() -> None:
    assert not problems(ListChange(None, now("a.csv", "n", 900, invalid=100), 0))
    [said] = problems(ListChange(None, now("a.csv", "n", 800, invalid=200), 0))
    assert said.startswith("20% of the values of the exclusion list a.csv can't be used as Email")
    assert ", maxInvalid)" in said


def test_a_list_of_which_nothing_can_be_used_blocks_once() -> None:
    columns = [now("a.csv", "", 0, invalid=60), now("a.csv", "", 0, PHONE)]
    [said] = problems(*(ListChange(None, one, 0) for one in columns))
    assert said == "the exclusion list a.csv holds no usable identifier"


def test_a_list_of_which_every_identifier_is_erased_blocks_as_that() -> None:
    """The erasure list keeps these persons away, with and without the entry."""
    erased = replace(now("a.csv", "", 0, invalid=5), present=40)
    [found] = list_refusals(SPEC, [ListChange(None, erased, 0)], NOON.date())
    assert found.problem == "all identifiers of the exclusion list a.csv are erased"
    assert "remove its entry (buyers.yaml:1:5): no plan sends them" in found.remedy


def test_a_column_that_is_empty_beside_another_one_blocks_only_if_it_was_not() -> None:
    email, phone = now("a.csv", "n"), now("a.csv", "", 0, PHONE)
    assert not problems(ListChange(None, email, 0), ListChange(None, phone, 0))
    lost = ListChange(before("a.csv", "p", kind=PHONE), phone, 1000)
    [said] = problems(ListChange(None, email, 0), lost)
    assert "of the PhoneNumber members" in said


# ---- what a list finds in the source


def found(
    one: ReadList | AppliedList,
    name: str,
    count: int = 100,
    rows: int = 1000,
    empty: int = 0,
    malformed: int = 0,
    kind: IdentifierType = EMAIL,
) -> ReadList | AppliedList:
    """It has found as many as it excluded."""
    matches = ListMatches(
        kind, Hashing.SHA256, members(f"found {name}", count), members(name, count), rows, empty, malformed
    )
    return replace(one, matches=matches)


def released(sent: int, lost: int = 0, names: str = "same") -> list[str]:
    """Of a hundred excluded members, `sent` are in the target now; `lost` have left the list."""

    def missing(old: SnapshotRef, others: Sequence[SnapshotRef]) -> int:
        return {"out": 100 - sent, "found out": lost, "same": lost}[old.digest]

    earlier = applied(found(before("a.csv", "same"), "out"))
    today = found(now("a.csv", names), "less", 100 - sent)
    return problems(
        *compared(
            SPEC.address, [today], earlier.lists, AppliedLists.of([earlier]), missing, members("target")
        )
    )


@pytest.mark.parametrize(("sent", "blocks"), [(0, False), (5, False), (6, True), (100, True)])
def test_members_who_were_excluded_are_not_sent_beyond_the_limit(sent: int, blocks: bool) -> None:
    said = released(sent)
    assert bool(said) is blocks
    if blocks:
        [words] = said
        assert (
            "members that the exclusion list a.csv excluded when it was last applied would be sent" in words
        )
        assert "(limit 5%, maxShrink)" in words


def test_members_removed_from_the_list_may_be_sent() -> None:
    assert not released(sent=40, lost=40, names="shorter")
    [said] = released(sent=46, lost=40, names="shorter")
    assert "would be sent" in said


def test_where_the_same_members_are_excluded_nothing_is_read() -> None:
    earlier, today = found(before("a.csv", "x"), "out"), found(now("a.csv", "x"), "out")
    for target in (EMPTY_SNAPSHOT, members("target")):
        [change] = compared(
            SPEC.address, [today], [earlier], AppliedLists.of([applied(earlier)]), no_comparison, target
        )
        assert change.released == 0


@pytest.mark.parametrize(
    "earlier", [found(before("a.csv", "x"), "out", kind=PHONE), found(before("a.csv", "x"), "", 0)]
)
def test_members_in_another_form_are_not_compared(earlier: AppliedList) -> None:
    today = found(now("a.csv", "x"), "less", 1)
    [change] = compared(
        SPEC.address,
        [today],
        [earlier],
        AppliedLists.of([applied(earlier)]),
        no_comparison,
        members("target"),
    )
    assert change.released == 0


def test_a_column_that_a_list_is_matched_with_may_not_be_malformed() -> None:
    spec = replace(SPEC, key=replace(SPEC.key, identifier_type=CUSTOMER))
    for malformed, words in ((90, ""), (91, "more than 10%"), (900, "about 100%")):
        today = found(now("a.csv", "x"), "out", empty=100, malformed=malformed)
        said = [one.problem for one in list_refusals(spec, [ListChange(None, today, 0)], NOON.date())]
        assert [one.startswith(f"{words} of the values of the source's Email column") for one in said] == (
            [True] if words else []
        )
        assert not problems(ListChange(None, today, 0)), "the audience's own guard counts these"


@pytest.mark.parametrize(
    ("was", "empty", "blocks"),
    [(0, 50, False), (0, 51, True), (600, 650, False), (600, 660, True), (600, 0, False)],
)
def test_a_column_that_a_list_is_matched_with_may_not_become_emptier(
    was: int, empty: int, blocks: bool
) -> None:
    earlier = found(before("a.csv", "x"), "out", empty=was)
    today = found(now("a.csv", "x"), "out", empty=empty)
    said = problems(ListChange(earlier, today, 0))
    assert bool(said) is blocks
    assert all("of the rows, maxShrink)" in one for one in said)


def test_where_there_are_no_rows_no_share_is_empty() -> None:
    full, nothing = found(before("a.csv", "x"), "out", rows=0), found(now("a.csv", "x"), "", 0, rows=0)
    assert not problems(ListChange(full, found(now("a.csv", "x"), "out", empty=1000), 0))
    assert not problems(ListChange(found(before("a.csv", "x"), "out"), nothing, 0))


# ---- lists of other addresses


def test_a_list_is_compared_with_its_newest_record_at_any_address() -> None:
    first, second, third = (Address("email", name) for name in ("first", "second", "third"))
    older = replace(before("a.csv", "older", 90), applied_at=NOON - timedelta(days=2))
    newest, other = before("a.csv", "newest", 200), before("b.csv", "b", 300)
    others = [applied(older, address=first), applied(other, newest, address=second), applied(address=third)]
    [change] = compared(
        SPEC.address, [now("a.csv", "n", 100)], (), AppliedLists.of(others), lambda old, _: 100
    )
    assert (change.before, change.missing) == (None, 0)
    assert change.elsewhere
    assert (change.elsewhere.address, change.elsewhere.list, change.elsewhere.missing) == (
        second,
        newest,
        100,
    )
    [said] = problems(change)
    assert said.startswith(
        "about 50% of the Email members of the exclusion list a.csv are missing since email/second "
    )


@pytest.mark.parametrize(("days", "blocks"), [(-1, True), (0, False), (1, False)])
def test_an_older_record_of_its_own_does_not_hide_a_newer_one(days: int, blocks: bool) -> None:
    own = replace(before("a.csv", "own", 100), applied_at=NOON + timedelta(days=days))
    other = applied(before("a.csv", "other", 200), address=Address("email", "other"))
    today = now("a.csv", "own", 100)
    [change] = known([today], [applied(own), other], lambda old, _: old.count - 100)
    assert (change.missing, bool(change.elsewhere)) == (0, blocks)
    assert bool(problems(change)) is blocks


def test_a_shrink_since_its_own_record_is_reported_once() -> None:
    own = replace(before("a.csv", "own", 200), applied_at=NOON - timedelta(days=1))
    other = applied(before("a.csv", "other", 200), address=Address("email", "other"))
    [change] = compared(
        SPEC.address,
        [now("a.csv", "n", 100)],
        [own],
        AppliedLists.of([applied(own), other]),
        lambda old, _: 100,
    )
    assert len(problems(change)) == 1


def test_lists_that_are_themselves_refused_are_not_trusted() -> None:
    cut = ListChange(before("a.csv", "x"), now("a.csv", "n", line=1), 300)
    empty = ListChange(None, now("b.csv", "", 0, line=2), 0)
    unusable = ListChange(None, now("c.csv", "n", 10, invalid=90, line=3), 0)
    whole = ListChange(before("d.csv", "x"), found(now("d.csv", "x", line=4), "out", empty=900), 0)
    gone = ListChange(before("e.csv", "x"), None, 0)
    places = untrusted(SPEC, [cut, empty, unusable, whole, gone], NOON.date())
    assert sorted(one.line for one in places) == [1, 2, 3]


def test_lists_are_refused_alone_where_the_source_can_not_be_read() -> None:
    """What they match there is not known."""
    cut = ListChange(before("a.csv", "x"), now("a.csv", "n", line=1), 300)
    empty = ListChange(None, now("b.csv", "", 0, line=2), 0)
    whole = ListChange(found(before("d.csv", "x"), "in"), found(now("d.csv", "x"), "in", empty=900), 0)
    assert len(problems(cut, empty, whole)) == 3
    said = [one.problem for one in refusals_of_lists(SPEC, [cut, empty, whole], NOON.date())]
    assert said == [
        "the exclusion list b.csv holds no usable identifier",
        problems(cut)[0],
    ]


# ---- what is said, and what is left alone


@pytest.mark.parametrize(
    ("held", "out", "says"),
    [
        (1000, 200, ""),
        (
            1000,
            201,
            "suppressed members are not removed: they are more than 20% of its members (limit 20%",
        ),
        (
            900,
            900,
            "suppressed members are not removed: they are about 100% of its members (limit 20%, maxShrink)",
        ),
        (505, 6, "suppressed members are not removed: without them there would be fewer than 500 members"),
        (499, 6, ""),
    ],
)
def test_more_suppressed_members_than_guards_allow_are_not_removed(held: int, out: int, says: str) -> None:
    guards = Guards(max_shrink=0.2, min_members=500)
    spec = replace(SPEC, audience=replace(SPEC.audience, guards=guards))
    departure = Departure("current", members("base", held - 5), members("maybe", 5), members("out", out))
    found = [one.finding.problem for one in too_many([Removal(spec, (departure,))], NOON.date())]
    assert "".join(found).startswith(says)
    assert bool(found) == bool(says)


def test_the_way_out_of_too_many_is_an_override() -> None:
    departure = Departure("current", members("base", 5), EMPTY_SNAPSHOT, members("out", 4))
    [found] = too_many([Removal(SPEC, (departure,))], NOON.date())
    assert 'address: "buyers", guards: {maxShrink: 100%}' in found.finding.remedy


def test_first_lists_without_matches_are_noted() -> None:
    """Each audience has a list with one non-customer."""
    addresses = [Address("email", f"a{number}") for number in range(6)]
    world = InMemoryEnvironment(
        {one: DesiredSegment(one.audience) for one in addresses},
        {one.audience: frozenset({"p0"}) for one in addresses},
    )
    notes = world.plan().notes
    assert len(notes) == 6
    assert notes[0] == (
        "a0: no row of the source has a member of the exclusion list a0/opt-outs.csv (PhoneNumber), so the "
        "list excludes nobody; unless this is intended, check its column, and that both write identifiers "
        "alike"
    )
    assert notes[5] == "1 more exclusion lists exclude nobody"
    world.run()
    world.people["a0"] = frozenset({"p0", "p1"})
    assert world.plan().notes == ()
