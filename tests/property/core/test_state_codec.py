"""The codec reads what it writes, and refuses anything else without quoting it."""

import copy
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import strategies

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.endpoints import EndpointKind
from reconciler.core.errors import StorageError
from reconciler.core.members import AppliedList, Delta, ListMatches, SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, ListKind, Seat, SegmentKey
from reconciler.core.portable_definition import PartDigest
from reconciler.core.promotion.gate import PortablePart
from reconciler.core.promotion.lock import PromotionLock
from reconciler.core.reuse import ReadRecord, ReadRecords
from reconciler.core.series import PointKind, SeriesMonth, SeriesPoint, SeriesRun
from reconciler.core.state.codec import (
    FORMAT_VERSION,
    UnsupportedFormatError,
    decode_head,
    decode_promotion,
    decode_resource,
    decode_state,
    dump,
    dump_series,
    encode_head,
    encode_promotion,
    encode_records,
    encode_resource,
    encode_state,
    encode_verifications,
    parse,
    records_in,
    series_in,
    verifications_in,
)
from reconciler.core.state.model import StateHead, StateVersion
from reconciler.core.state.resource import (
    CreateIntent,
    InFlightBatch,
    ResourceState,
    RetiredSegment,
    SegmentState,
    Transfer,
    UnconfirmedUpdate,
)
from reconciler.core.verification import Verification, VerificationOutcome, Verifications

pytestmark = pytest.mark.promise("state")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARK = "someone@example.com"
unhurried = settings(deadline=None)  # a busy machine is no failure
KEY = SegmentKey("368477501993431040", "3239117063738827231", IdentifierType.EMAIL, Hashing.SHA256)
FULL = ResourceState(
    address=Address("offsite-email", "lapsed-90d"),
    current=SegmentState(
        key=KEY,
        segment_id="42",
        confirmed=SnapshotRef("ba5e", 100),
        uncertain=SnapshotRef("abcd", 1),
        transfer=Transfer(
            target=SnapshotRef("0123", 120),
            priority_removes=SnapshotRef("4567", 2),
            size=Delta(priority_removes=2, adds=30, removes=8),
            acknowledged=10,
            in_flight=InFlightBatch(end=20, dispatched_at=NOON),
            batch_size=12_500,
        ),
        rejected=3,
        completed_size=100,
        completed_at=NOON,
        grace_until=NOON,
        unconfirmed_updates=(UnconfirmedUpdate("Lapsed", None, NOON),),
        members_unknown_before=NOON,
        updated_at=NOON,
        former_lineage="1a2b",
    ),
    replacement=SegmentState(key=KEY, intent=CreateIntent("Lapsed (new)", NOON)),
    retired=(RetiredSegment(SegmentState(key=KEY, segment_id="7"), NOON),),
    definition="def1",
    parts=(("name", "Lapsed"),),
    forgotten_at=NOON,
    replace_requested=True,
    lists=(
        AppliedList(
            ("suppressed.csv",),
            IdentifierType.EMAIL,
            SnapshotRef("5ca1e", 9),
            ListMatches(
                IdentifierType.CUSTOMER_ID,
                Hashing.NONE,
                SnapshotRef("f00d", 4),
                SnapshotRef("0ff", 5),
                rows=100,
                empty=7,
                malformed=3,
                incomparable=True,
            ),
            NOON,
            ListKind.SUPPRESSION,
            "opt-outs",
        ),
    ),
    protected=True,
    moved_from=(Address("offsite-email", "lapsed"),),
    admin_approved=True,
)
TIME = "2026-03-01T12:00:00+00:00"
NOTHING = {"digest": "", "count": 0}
KEY_JSON = {
    "account_id": "368477501993431040",
    "retailer_id": "3239117063738827231",
    "identifier_type": "Email",
    "hashing": "sha256",
}
BARE = {
    "key": KEY_JSON,
    "segment_id": "",
    "intent": None,
    "confirmed": NOTHING,
    "uncertain": NOTHING,
    "transfer": None,
    "rejected": 0,
    "completed_size": None,
    "completed_at": None,
    "grace_until": None,
    "unconfirmed_updates": [],
    "members_unknown_before": None,
    "updated_at": None,
    "former_lineage": "",
}
MATCHES_JSON = {
    "identifier_type": "CustomerId",
    "hashing": "none",
    "found": {"digest": "f00d", "count": 4},
    "excluded": {"digest": "0ff", "count": 5},
    "rows": 100,
    "empty": 7,
    "malformed": 3,
    "incomparable": True,
}
LIST_JSON = {
    "files": ["suppressed.csv"],
    "identifier_type": "Email",
    "members": {"digest": "5ca1e", "count": 9},
    "matches": MATCHES_JSON,
    "applied_at": TIME,
    "kind": "suppression",
    "name": "opt-outs",
}
FULL_JSON = {
    "format_version": 7,
    "needs": "0.1.0",
    "address": {"destination": "offsite-email", "audience": "lapsed-90d"},
    "definition": "def1",
    "parts": [{"path": "name", "value": "Lapsed"}],
    "forgotten_at": TIME,
    "replace_requested": True,
    "current": {
        "key": KEY_JSON,
        "segment_id": "42",
        "intent": None,
        "confirmed": {"digest": "ba5e", "count": 100},
        "uncertain": {"digest": "abcd", "count": 1},
        "transfer": {
            "target": {"digest": "0123", "count": 120},
            "priority_removes": {"digest": "4567", "count": 2},
            "size": {"priority_removes": 2, "adds": 30, "removes": 8},
            "acknowledged": 10,
            "in_flight": {"end": 20, "dispatched_at": TIME},
            "batch_size": 12_500,
        },
        "rejected": 3,
        "completed_size": 100,
        "completed_at": TIME,
        "grace_until": TIME,
        "unconfirmed_updates": [{"name": "Lapsed", "description": None, "sent_at": TIME}],
        "members_unknown_before": TIME,
        "updated_at": TIME,
        "former_lineage": "1a2b",
    },
    "replacement": BARE | {"intent": {"name": "Lapsed (new)", "sent_at": TIME}},
    "retired": [{"retired_at": TIME, "segment": BARE | {"segment_id": "7"}}],
    "lists": [LIST_JSON],
    "protected": True,
    "moved_from": [{"destination": "offsite-email", "audience": "lapsed"}],
    "admin_approved": True,
}


@unhurried
@given(strategies.resources)
def test_a_resource_state_round_trips(resource: ResourceState) -> None:
    assert decode_resource(parse(dump(encode_resource(resource)))) == resource


@unhurried
@given(strategies.heads)
def test_a_head_round_trips(head: StateHead) -> None:
    assert decode_head(parse(dump(encode_head(head)))) == head


@unhurried
@given(strategies.saved_states)
def test_a_state_version_round_trips(state: StateVersion) -> None:
    assert decode_state(parse(dump(encode_state(state)))) == state


@unhurried
@given(strategies.read_records)
def test_records_of_readings_round_trip(records: ReadRecords) -> None:
    assert records_in(dump(encode_records(records))) == records


RECORDS = ReadRecords((ReadRecord("lapsed", "ab", NOON, ()),))


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"[]",
        dump(encode_records(RECORDS))[:-9],
        dump(encode_records(RECORDS)).replace(b"lapsed", b"lapsee"),
        dump(encode_records(RECORDS) | {"format_version": FORMAT_VERSION + 1}),
        dump(encode_records(RECORDS) | {"format_version": FORMAT_VERSION - 1}),
        dump(encode_records(RECORDS) | {"records": [{MARK: 1}]}),
    ],
)
def test_records_that_cannot_be_used_are_none_and_no_error(content: bytes | None) -> None:
    assert records_in(content) == ReadRecords()


@unhurried
@given(strategies.promotions)
def test_promotions_round_trip(lock: PromotionLock) -> None:
    assert decode_promotion(parse(dump(encode_promotion(lock)))) == lock


@given(strategies.verifications)
def test_verifications_round_trip(verifications: Verifications) -> None:
    assert verifications_in(dump(encode_verifications(verifications))) == verifications


PROVEN = Verification(
    address=Address("email", "lapsed"),
    outcome=VerificationOutcome.VERIFIED,
    at=NOON,
    computed_at=NOON,
    parts=tuple(PartDigest(part, "ab") for part in PortablePart),
    endpoint=EndpointKind.CRITEO,
    seat=Seat("1", "2"),
    sample_rows=None,
    segment_id="11",
    sent=10,
    rejected=1,
    arrived=9,
    matched=6,
)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        dump(encode_verifications(Verifications((PROVEN,))))[:-9],
        dump(encode_verifications(Verifications((PROVEN,)))).replace(b'"arrived": 9', b'"arrived": 8'),
        dump(encode_verifications(Verifications((PROVEN,))) | {"format_version": FORMAT_VERSION + 1}),
        dump(encode_verifications(Verifications((PROVEN, PROVEN)))),
        dump(encode_verifications(Verifications((replace(PROVEN, parts=PROVEN.parts[1:]),)))),
        dump(encode_verifications(Verifications((replace(PROVEN, parts=PROVEN.parts[:1] * 8),)))),
        dump(encode_verifications(Verifications((PROVEN,))) | {"verifications": [{MARK: 1}]}),
    ],
)
def test_verifications_that_cannot_be_used_are_none_and_no_error(content: bytes | None) -> None:
    assert verifications_in(content) == Verifications()


@unhurried
@given(strategies.series_months)
def test_series_round_trip(month: SeriesMonth) -> None:
    assert series_in(dump_series(month), month.month) == month


POINT = SeriesPoint(Address("email", "lapsed"), 10, 4, 0, 1, 9, 6, 0.625)
MONTH = SeriesMonth("2026-11", (SeriesRun("1a", PointKind.VERIFY, NOON, (POINT,)),))


def with_rate(rate: Any) -> SeriesMonth:
    return replace(MONTH, runs=(replace(MONTH.runs[0], points=(replace(POINT, match_rate=rate),)),))


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        dump_series(MONTH)[:-9],
        dump_series(MONTH).replace(b'"adds": 4', b'"adds": 5'),
        dump_series(replace(MONTH, month="2026-10")),
        *(dump_series(with_rate(rate)) for rate in (1.5, -0.1, float("nan"), True, "0.5")),
    ],
)
def test_series_that_cannot_be_used_are_none_and_no_error(content: bytes | None) -> None:
    assert series_in(content, "2026-11") == SeriesMonth("2026-11")


HEAD = StateHead(
    "a" * 32,
    3,
    "sandbox",
    (ApprovalRecord("sha256:ab", NOON, NOON, ("f00",)), ApprovalRecord("sha256:cd", NOON)),
)


@pytest.mark.parametrize(
    "wrong",
    [{"resources": [FULL_JSON, FULL_JSON]}, {"resources": {}}, {"head": {}}, {"saved_at": None}, {MARK: 1}],
)
def test_a_state_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    sound = encode_state(StateVersion(HEAD, (FULL,), NOON))
    with pytest.raises(StorageError, match="malformed") as caught:
        decode_state(sound | wrong)
    assert MARK not in str(caught.value)


def test_format_4_is_what_it_always_was() -> None:
    """If this fails, raise FORMAT_VERSION."""
    assert encode_resource(FULL) == FULL_JSON
    assert decode_resource(FULL_JSON) == FULL


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_an_earlier_format_is_refused_with_a_fix(version: int) -> None:
    for decode in (decode_resource, decode_head, decode_state):
        with pytest.raises(StorageError, match="an unreleased reconciler wrote it") as caught:
            decode({"format_version": version})
        assert "state rebuild" in caught.value.remedy


@pytest.mark.parametrize(
    ("kind", "encoded", "extra"),
    [
        (ResourceState, FULL_JSON, {"format_version", "needs"}),
        (Address, FULL_JSON["address"], set()),
        (SegmentState, BARE, set()),
        (SegmentKey, KEY_JSON, set()),
        (Transfer, FULL_JSON["current"]["transfer"], set()),
        (Delta, FULL_JSON["current"]["transfer"]["size"], set()),
        (InFlightBatch, FULL_JSON["current"]["transfer"]["in_flight"], set()),
        (CreateIntent, FULL_JSON["replacement"]["intent"], set()),
        (RetiredSegment, FULL_JSON["retired"][0], set()),
        (UnconfirmedUpdate, FULL_JSON["current"]["unconfirmed_updates"][0], set()),
        (SnapshotRef, NOTHING, set()),
        (AppliedList, LIST_JSON, set()),
        (ListMatches, MATCHES_JSON, set()),
    ],
)
def test_no_field_is_forgotten(kind: type, encoded: dict[str, object], extra: set[str]) -> None:
    assert encoded.keys() == {field.name for field in fields(kind)} | extra


@unhurried
@given(st.integers(min_value=FORMAT_VERSION + 1), st.dictionaries(st.text(), st.none()))
def test_a_newer_format_is_named_whatever_its_form(version: int, content: dict[str, None]) -> None:
    for decode in (decode_resource, decode_head, decode_state):
        with pytest.raises(StorageError, match="a newer reconciler wrote it") as caught:
            decode(content | {"format_version": version})
        assert f"format version {version}" in caught.value.problem
        assert caught.value.remedy == "run the version of reconciler that wrote it, or a newer one"
        with pytest.raises(StorageError, match="a newer reconciler wrote it") as caught:
            decode(content | {"format_version": version, "needs": "2.10"})
        assert caught.value.remedy == "run reconciler 2.10 or newer"


def places(data: object) -> Iterator[tuple[dict[str, object], str]]:
    """Every key of every object, as (object, key)."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield data, key
            yield from places(value)
    if isinstance(data, list):
        for value in data:
            yield from places(value)


PLACES = range(len(list(places(FULL_JSON))))


@pytest.mark.parametrize("place", PLACES)
def test_a_missing_or_an_unknown_key_is_refused_at_any_depth(place: int) -> None:
    data = copy.deepcopy(FULL_JSON)
    where, key = list(places(data))[place]
    value = where.pop(key)
    with pytest.raises(StorageError, match="malformed"):
        decode_resource(data)
    where |= {key: value, MARK: value}
    with pytest.raises(StorageError, match="malformed") as caught:
        decode_resource(data)
    assert MARK not in str(caught.value)


WRONG = [[MARK], {MARK: MARK}, True, -1, 0.5]
WRONG_TEXTS = [MARK, "2026-03-01", "2026-03-01T12:00:00", "2026-03-01T12:00:00+02:00"]
FREE_TEXTS = {"destination", "audience", "definition", "name", "description", "digest"}
FREE_TEXTS |= {"account_id", "retailer_id", "segment_id", "needs", "former_lineage", "path", "value"}


@pytest.mark.parametrize("place", PLACES)
def test_a_wrong_value_is_refused_at_any_depth(place: int) -> None:
    data = copy.deepcopy(FULL_JSON)
    where, key = list(places(data))[place]
    wrong = WRONG if key in FREE_TEXTS else WRONG + WRONG_TEXTS
    special = {
        "replace_requested": [None, 1],
        "incomparable": [None, 1],
        "protected": [None, 1],
        "admin_approved": [None, 1],
        "files": [None, MARK, [1]],
    }
    for value in special.get(key, wrong):
        where[key] = value
        with pytest.raises(StorageError) as caught:
            decode_resource(data)
        assert MARK not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("current.key.hashing", MARK, "current.key.hashing should be one of "),
        ("current.confirmed.count", -1, "current.confirmed.count should be a whole number, zero or more"),
        ("retired.0.segment.updated_at", MARK, "retired[0].segment.updated_at should be a time in ISO 8601"),
        ("lists.0.files.0", [MARK], "lists[0].files[0] should be a string"),
        ("parts.0", {MARK: MARK}, "parts[0] should be an object with exactly the keys path, value"),
        ("needs", 1, "needs should be a string"),
        ("format_version", MARK, "format_version should be a whole number, zero or more"),
    ],
)
def test_an_error_names_the_field_by_its_path(path: str, value: object, message: str) -> None:
    data: Any = copy.deepcopy(FULL_JSON)
    *parents, last = path.split(".")
    where = data
    for key in parents:
        where = where[int(key) if isinstance(where, list) else key]
    where[int(last) if isinstance(where, list) else last] = value
    sound = encode_state(StateVersion(HEAD, (), NOON))
    for decode, content, root in (
        (decode_resource, data, ""),
        (decode_state, sound | {"resources": [data]}, "resources[0]."),
    ):
        with pytest.raises(StorageError) as caught:
            decode(content)
        assert caught.value.problem.startswith(f"malformed: {root}{message}")
        assert MARK not in str(caught.value)


def test_a_newer_resource_inside_a_state_is_named() -> None:
    sound = encode_state(StateVersion(HEAD, (FULL,), NOON))
    newer = FULL_JSON | {"format_version": FORMAT_VERSION + 1}
    with pytest.raises(UnsupportedFormatError):
        decode_state(sound | {"resources": [FULL_JSON, newer]})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(FULL_JSON)), inner),
)


@unhurried
@given(json_values)
def test_no_json_breaks_the_decoder(data: object) -> None:
    for decode in (decode_resource, decode_head, decode_state):
        with pytest.raises(StorageError):
            decode(data)


@unhurried
@given(strategies.resources, st.data())
def test_a_truncated_or_garbled_file_is_refused(resource: ResourceState, data: st.DataObject) -> None:
    content = dump(encode_resource(resource))
    end = data.draw(st.integers(0, len(content) - 3))
    for broken in (content[:end], content[:end] + b"\x00\xff" + content[end + 2 :]):
        with pytest.raises(StorageError) as caught:
            decode_resource(parse(broken))
        assert caught.value.__cause__ is None


@unhurried
@given(strategies.resources, st.data())
def test_a_changed_digit_or_letter_is_refused(resource: ResourceState, data: st.DataObject) -> None:
    content = dump(encode_resource(resource))
    place = data.draw(st.sampled_from([at for at, byte in enumerate(content) if chr(byte).isalnum()]))
    other = data.draw(st.sampled_from(sorted(set(b"0189abyz") - {content[place]})))
    with pytest.raises(StorageError):
        decode_resource(parse(content[:place] + bytes([other]) + content[place + 1 :]))


def test_a_document_without_its_checksum_is_refused() -> None:
    with pytest.raises(StorageError, match="has no checksum"):
        parse(json.dumps(FULL_JSON).encode())


@pytest.mark.parametrize("content", [b"[]", b'"x"', b"null"])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(StorageError, match="not a JSON object"):
        parse(content)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"9" * 5000, b"\xff\xfe\x00", b""])
def test_hostile_content_is_refused(content: bytes) -> None:
    with pytest.raises(StorageError):
        parse(content)


def test_times_of_another_zone_are_written_in_utc() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert parse(dump(encode_resource(replace(FULL, forgotten_at=there)))) == FULL_JSON


def test_a_time_without_zone_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="zone"):
        encode_resource(replace(FULL, forgotten_at=NOON.replace(tzinfo=None)))
