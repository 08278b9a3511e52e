"""A record of a reading counts only for the same files, definition, engine, sample and day."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.members import (
    EMPTY_SNAPSHOT,
    NO_DELTA,
    AppliedList,
    AudienceRequest,
    DropReason,
    ListMatches,
    ReadList,
    SnapshotRef,
    TargetMembers,
)
from reconciler.core.model import (
    Address,
    Audience,
    Exclusion,
    Guards,
    Hashing,
    IdentifierType,
    Partition,
    PartitionType,
    SegmentKey,
    SegmentSpec,
    Source,
    SourceLocation,
)
from reconciler.core.remote import Segment
from reconciler.core.reuse import (
    MARGIN,
    FileIdentity,
    ObjectIdentity,
    ReadRecord,
    ReadRecords,
    SourceIdentities,
    is_reached,
    is_trusted,
    reading_key,
    record_of,
    recorded_targets,
    renewed,
)
from reconciler.core.state.resource import ResourceState, SegmentState, Transfer

pytestmark = pytest.mark.promise("members")

EMAIL, PHONE = IdentifierType.EMAIL, IdentifierType.PHONE_NUMBER
NOW, TODAY = datetime(2026, 11, 24, 12, tzinfo=UTC), date(2026, 11, 24)
SECRET = b"k" * 32
PLACE = SourceLocation("audiences/a.yaml", 9, 5)
LISTED = Exclusion(("out.csv",), ((EMAIL, "mail"),), PLACE, country="FR", max_shrink=0.1)
AUDIENCE = Audience(
    "a",
    "A",
    "",
    Source(("people-*.csv",), where="score > 1"),
    ((EMAIL, "email"), (PHONE, "phone")),
    exclusion_lists=(LISTED,),
    country="FR",
)
KIND = (EMAIL, Hashing.SHA256)
FILE = FileIdentity("/data/people-1.csv", 1, 2, 30, 400, 500)
SEEN = SourceIdentities("engine 1", None, 10**18, {"a": (FILE,)})
MEMBERS, OUT, FOUND = SnapshotRef("aa", 2), SnapshotRef("bb", 3), SnapshotRef("cc", 1)
MATCHES = ListMatches(*KIND, FOUND, SnapshotRef("dd", 1), 10, 2, 1)
TARGET = TargetMembers(
    members=MEMBERS,
    suppressed=OUT,
    rows=10,
    drops=((DropReason.EXCLUDED, 1), (DropReason.EMPTY, 7)),
    malformed=(("no_at", 1),),
    hashed=1,
    newest=NOW,
    lists=(ReadList(("out.csv",), EMAIL, OUT, 3, 1, 0.1, PLACE, MATCHES),),
)
KEY = SegmentKey("1", "7", *KIND)
SPEC = SegmentSpec(Address("email", "a"), "A", "", KEY, "criteo", AUDIENCE)
REACHED = ResourceState(
    SPEC.address,
    SegmentState(KEY, segment_id="42", confirmed=MEMBERS),
    lists=(AppliedList(("out.csv",), EMAIL, OUT, MATCHES, NOW),),
)
PRESENT = {"42": Segment("42", "A", "", "1", "7", EMAIL)}


def key(audience: Audience = AUDIENCE, seen: SourceIdentities = SEEN, today: date = TODAY) -> str:
    return reading_key(SECRET, AudienceRequest(audience, (KIND,)), today, seen)


def with_source(**parts: object) -> Audience:
    return replace(AUDIENCE, source=replace(AUDIENCE.source, **parts))


def with_list(**parts: object) -> Audience:
    return replace(AUDIENCE, exclusion_lists=(replace(LISTED, **parts),))


def with_file(**parts: object) -> SourceIdentities:
    return replace(SEEN, files={"a": (replace(FILE, **parts),)})


@pytest.mark.parametrize(
    "changed",
    [
        with_source(files=("people-1.csv",)),
        with_source(where="score > 2"),
        with_source(partitions=(Partition("dt", PartitionType.DATE),)),
        with_source(delta="people"),
        with_source(iceberg="people"),
        replace(AUDIENCE, columns=((EMAIL, "mail"), (PHONE, "phone"))),
        replace(AUDIENCE, country="DE"),
        replace(AUDIENCE, exclusion_lists=()),
        with_list(files=("other.csv",)),
        with_list(columns=((PHONE, "mail"),)),
        with_list(country="DE"),
        replace(AUDIENCE, guards=Guards(max_invalid=0.9)),
    ],
)
def test_a_definition_that_may_change_the_members_is_another_reading(changed: Audience) -> None:
    assert key(changed) != key()


@pytest.mark.parametrize(
    "changed",
    [
        replace(AUDIENCE, title="B", description="b", place=PLACE),
        replace(AUDIENCE, guards=replace(AUDIENCE.guards, max_shrink=0.9, min_members=7)),
        with_source(max_age=timedelta(days=1), place=PLACE, pinned=True),
        with_list(max_shrink=0.9, place=SourceLocation("b.yaml", 1, 1)),
    ],
)
def test_a_definition_that_changes_no_members_is_the_same_reading(changed: Audience) -> None:
    assert key(changed) == key()


def test_a_first_age_limit_of_an_iceberg_table_is_another_reading() -> None:
    """The age may be unknown, which was no problem before."""
    limited = [with_source(iceberg="people", max_age=timedelta(days=days)) for days in (1, 2)]
    assert key(limited[0]) != key(with_source(iceberg="people"))
    assert key(limited[0]) == key(limited[1])


def test_without_lists_no_guard_decides_about_members() -> None:
    alone = replace(AUDIENCE, exclusion_lists=())
    assert key(replace(alone, guards=Guards(max_invalid=0.9))) == key(alone)


@pytest.mark.parametrize(
    "seen",
    [
        replace(SEEN, engine="engine 2"),
        replace(SEEN, sample_rows=1_000),
        replace(SEEN, files={"a": (FILE, replace(FILE, path="/data/people-2.csv"))}),
        with_file(path="/data/people-2.csv"),
        with_file(device=9),
        with_file(inode=9),
        with_file(size=9),
        with_file(modified_ns=9),
        with_file(changed_ns=9),
    ],
)
def test_another_engine_sample_or_file_is_another_reading(seen: SourceIdentities) -> None:
    assert key(seen=seen) != key()


OBJECT = ObjectIdentity("s3://acme/people.csv", 30, "tag", "", 400, listed_ns=9 * MARGIN)


@pytest.mark.parametrize(
    "parts",
    [
        {"path": "s3://acme/other.csv"},
        {"size": 31},
        {"tag": "another"},
        {"version": "2"},
        {"written_ns": 401},
    ],
)
def test_another_object_is_another_reading(parts: dict[str, object]) -> None:
    one, other = (replace(SEEN, files={"a": (found,)}) for found in (OBJECT, replace(OBJECT, **parts)))
    assert key(seen=one) != key(seen=other)
    again = replace(SEEN, files={"a": (replace(OBJECT, listed_ns=0),)})
    assert key(seen=one) == key(seen=again)


@pytest.mark.parametrize(
    ("written", "since", "trusted"),
    [
        (8 * MARGIN, 10 * MARGIN, True),
        (8 * MARGIN + 1, 10 * MARGIN, False),
        (8 * MARGIN, 9 * MARGIN - 1, False),
    ],
)
def test_an_object_must_be_clearly_older_than_its_listing(written: int, since: int, trusted: bool) -> None:
    assert is_trusted((replace(OBJECT, written_ns=written),), since) is trusted


def test_another_state_has_another_key() -> None:
    request = AudienceRequest(AUDIENCE, (KIND,))
    assert reading_key(b"n" * 32, request, TODAY, SEEN) != key()


def test_other_kinds_of_segments_are_another_reading() -> None:
    request = AudienceRequest(AUDIENCE, (KIND, (EMAIL, Hashing.MD5)))
    assert reading_key(SECRET, request, TODAY, SEEN) != key()


def test_only_today_in_where_makes_a_reading_of_that_day() -> None:
    tomorrow = TODAY + timedelta(days=1)
    dated = with_source(where="last_order < :today")
    assert key(today=tomorrow) == key()
    assert key(dated, today=tomorrow) != key(dated)


def test_the_order_in_which_files_are_found_is_no_change() -> None:
    other = replace(FILE, path="/data/people-2.csv")
    one, two = (replace(SEEN, files={"a": found}) for found in ((FILE, other), (other, FILE, FILE)))
    assert key(seen=one) == key(seen=two)


@pytest.mark.parametrize(
    ("parts", "trusted"),
    [
        ({}, True),
        ({"modified_ns": 1_000 - MARGIN}, True),
        ({"modified_ns": 1_001 - MARGIN}, False),
        ({"changed_ns": 1_001 - MARGIN}, False),
        ({"modified_ns": 5_000}, False),
    ],
)
def test_a_file_must_be_clearly_older_than_its_reading(parts: dict[str, int], trusted: bool) -> None:
    old = replace(FILE, modified_ns=-2 * MARGIN, changed_ns=-2 * MARGIN)
    assert is_trusted((old, replace(old, **parts)), 1_000) is trusted


def test_a_record_brings_back_the_whole_target() -> None:
    request = AudienceRequest(AUDIENCE, (KIND,))
    record = record_of(request, "k", NOW, {KIND: TARGET})
    assert record is not None
    assert (record.audience, record.key, record.read_at) == ("a", "k", NOW)
    assert recorded_targets(record, request) == {KIND: TARGET}


def test_limits_and_places_of_lists_are_those_of_today() -> None:
    record = record_of(AudienceRequest(AUDIENCE, (KIND,)), "k", NOW, {KIND: TARGET})
    assert record is not None
    place = SourceLocation("audiences/a.yaml", 12, 5)
    today = with_list(max_shrink=0.5, place=place)
    [found] = recorded_targets(record, AudienceRequest(today, (KIND,)))[KIND].lists
    assert (found.max_shrink, found.place, found.members) == (0.5, place, OUT)


def test_a_reading_with_other_lists_than_declared_is_not_recorded() -> None:
    request = AudienceRequest(replace(AUDIENCE, exclusion_lists=()), (KIND,))
    assert record_of(request, "k", NOW, {KIND: TARGET}) is None


def test_a_record_of_other_kinds_or_lists_has_no_targets() -> None:
    request = AudienceRequest(AUDIENCE, (KIND,))
    record = record_of(request, "k", NOW, {KIND: TARGET})
    assert record is not None
    assert recorded_targets(record, replace(request, kinds=((EMAIL, Hashing.MD5),))) == {}
    assert recorded_targets(record, replace(request, audience=replace(AUDIENCE, exclusion_lists=()))) == {}


def reached(resource: ResourceState | None, **parts: object) -> bool:
    given = {"spec": SPEC, "resource": resource, "target": TARGET, "present": PRESENT, "now": NOW} | parts
    return is_reached(**given)  # type: ignore[arg-type] # a test names what differs


def test_a_settled_segment_with_the_target_is_reached() -> None:
    assert reached(REACHED)
    assert reached(with_segment(grace_until=NOW))


def with_segment(**parts: object) -> ResourceState:
    return replace(REACHED, current=replace(REACHED.current, **parts))


MOVING = Transfer(MEMBERS, EMPTY_SNAPSHOT, NO_DELTA)
OTHER_LIST = replace(REACHED.lists[0], members=SnapshotRef("ee", 3))
OTHER_MATCHES = replace(REACHED.lists[0], matches=replace(MATCHES, rows=11))


@pytest.mark.parametrize(
    "resource",
    [
        None,
        with_segment(confirmed=OUT),
        with_segment(uncertain=FOUND),
        with_segment(transfer=MOVING),
        with_segment(segment_id="7"),
        with_segment(segment_id=""),
        with_segment(key=replace(KEY, retailer_id="8")),
        with_segment(grace_until=NOW + timedelta(seconds=1)),
        replace(REACHED, replacement=SegmentState(KEY)),
        replace(REACHED, replace_requested=True),
        replace(REACHED, lists=()),
        replace(REACHED, lists=(OTHER_LIST,)),
        replace(REACHED, lists=(OTHER_MATCHES,)),
    ],
)
def test_a_segment_that_is_not_as_recorded_is_not_reached(resource: ResourceState | None) -> None:
    assert not reached(resource)


def test_a_segment_that_criteo_does_not_list_is_not_reached() -> None:
    assert not reached(REACHED, present={})


records = st.dictionaries(
    st.sampled_from("abcd"),
    st.integers(0, 3).map(str),
)


@given(records, records, st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd")))
def test_records_of_other_audiences_stay_and_undeclared_ones_go(
    before: dict[str, str], found: dict[str, str], declared: set[str], done: set[str]
) -> None:
    earlier = ReadRecords(tuple(ReadRecord(name, one, NOW, ()) for name, one in sorted(before.items())))
    new = {name: ReadRecord(name, one, NOW, ()) for name, one in found.items()}
    after = renewed(earlier, new, declared, sorted(done))
    expected = {name: one for name, one in before.items() if name in declared}
    expected |= {name: one for name, one in found.items() if name in done}
    assert {one.audience: one.key for one in after.records} == expected
    assert [one.audience for one in after.records] == sorted(expected)
