"""Which list is compared with which, and what of it blocks an address."""

from collections.abc import Sequence

import pytest

from reconciler.core.lists import ListChange, compared, list_refusals
from reconciler.core.members import EMPTY_SNAPSHOT, AppliedList, ReadList, SnapshotRef
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

pytestmark = pytest.mark.promise("lists")

EMAIL, PHONE = IdentifierType.EMAIL, IdentifierType.PHONE_NUMBER
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
    return AppliedList((file,), kind, members(name, count))


def now(
    file: str, name: str, count: int = 1000, kind: IdentifierType = EMAIL, invalid: int = 0, line: int = 1
) -> ReadList:
    place = SourceLocation("buyers.yaml", line, 5)
    return ReadList((file,), kind, members(name, count), count + invalid, invalid, 0.05, place)


def no_comparison(_before: SnapshotRef, _now: Sequence[SnapshotRef]) -> int:
    raise AssertionError("an unchanged list is not read")


def problems(*changes: ListChange) -> list[str]:
    return [finding.problem for finding in list_refusals(SPEC, changes)]


def test_an_unchanged_list_is_never_read() -> None:
    [change] = compared([before("a", "x")], [now("a", "x")], no_comparison)
    assert (change.missing, change.differs, problems(change)) == (0, False, [])


def test_an_empty_list_and_a_first_one_have_nothing_to_miss() -> None:
    for earlier in ([], [before("a", "", 0)]):
        [change] = compared(earlier, [now("a", "x")], no_comparison)
        assert change.differs
        assert not problems(change)


def test_lists_are_known_by_files_and_type_and_then_by_type_in_order() -> None:
    earlier = [before("a", "x"), before("b", "y"), before("c", "p", kind=PHONE), before("d", "z")]
    today = [now("new", "n"), now("b", "y"), now("other", "q", kind=PHONE)]
    changes = compared(earlier, today, lambda _old, others: 7)
    pairs = [(one.before and one.before.files[0], one.now and one.now.files[0]) for one in changes]
    assert pairs == [("a", "new"), ("b", "b"), ("c", "other"), ("d", None)]
    assert [one.list.files[0] for one in changes] == ["new", "b", "other", "d"]
    assert [one.missing for one in changes] == [7, 0, 7, 7]
    assert changes[-1].differs
    assert not problems(changes[-1])


def test_who_is_on_another_list_of_the_type_is_not_missing() -> None:
    asked = []

    def missing(old: SnapshotRef, others: Sequence[SnapshotRef]) -> int:
        asked.append((old.digest, [one.digest for one in others]))
        return 0

    today = [now("a", "n"), now("b", "m"), now("c", "p", kind=PHONE), now("e", "", 0)]
    compared([before("a", "x")], today, missing)
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
    assert all("where 5% is the limit (maxShrink)" in one for one in said)


def test_the_way_out_is_in_the_entry() -> None:
    [finding] = list_refusals(SPEC, [ListChange(before("a.csv", "x"), now("a.csv", "n"), 300)])
    assert finding.where == "email/buyers"
    assert "(buyers.yaml:1:5); if intended, set `maxShrink: 31%` in this entry" in finding.remedy
    few = ListChange(before("a.csv", "x", 10), now("a.csv", "n"), 9)
    [finding] = list_refusals(SPEC, [few])
    assert "set a larger maxShrink in this entry" in finding.remedy


def test_values_that_cannot_be_used_block_beyond_the_audience_s_limit() -> None:
    assert not problems(ListChange(None, now("a.csv", "n", 900, invalid=100), 0))
    [said] = problems(ListChange(None, now("a.csv", "n", 800, invalid=200), 0))
    assert said.startswith("20% of the values of the exclusion list a.csv can't be used as Email")
    assert "(maxInvalid)" in said


def test_a_list_of_which_nothing_can_be_used_blocks_once() -> None:
    columns = [now("a.csv", "", 0, invalid=60), now("a.csv", "", 0, PHONE)]
    [said] = problems(*(ListChange(None, one, 0) for one in columns))
    assert said == "the exclusion list a.csv holds no usable identifier"


def test_a_column_that_is_empty_beside_another_one_blocks_only_if_it_was_not() -> None:
    email, phone = now("a.csv", "n"), now("a.csv", "", 0, PHONE)
    assert not problems(ListChange(None, email, 0), ListChange(None, phone, 0))
    lost = ListChange(before("a.csv", "p", kind=PHONE), phone, 1000)
    [said] = problems(ListChange(None, email, 0), lost)
    assert "of the PhoneNumber members" in said
