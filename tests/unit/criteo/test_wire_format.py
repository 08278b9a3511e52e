"""The JSON of the audience endpoints, in every documented or observed form."""

from datetime import UTC, datetime

import orjson
import pytest

from reconciler.core.members import Identifiers
from reconciler.core.model import IdentifierType
from reconciler.core.remote import Acknowledgement, NewSegment, SegmentPatch, SharingStatus, Statistics
from reconciler.criteo import errors
from reconciler.criteo import wire_format as wire
from reconciler.criteo.wire_format import Asked, Denied, UncertainAnswer

pytestmark = pytest.mark.promise("client")

SEGMENT = {
    "id": "920472839472539402",
    "type": "AudienceSegment",
    "attributes": {
        "name": "Loyal shoppers",
        "description": "Bought twice",
        "type": "ContactList",
        "accountId": "625702934721171442",
        "retailerId": "12",
        "channels": ["Offsite"],
        "contactList": {"identifierType": "Email", "sharingStatus": "NotShared", "isReadOnly": True},
        "events": None,
        "createdAt": "2026-11-20T09:15:00Z",
        "createdById": None,
        "updatedAt": "2026-11-21T08:10:00.0000000+02:00",
    },
}


def test_a_time_outside_of_the_calendar_is_none() -> None:
    for reported in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "10000-01-01T00:00:00Z"):
        segment = wire.read_segment(
            {"id": "1", "attributes": {"createdAt": reported, "updatedAt": reported}}, "1"
        )
        assert segment is not None
        assert segment.created_at is None
        assert segment.updated_at is None


def test_a_segment_keeps_its_long_id_and_its_times_in_utc() -> None:
    segment = wire.read_segment(SEGMENT, "1")
    assert segment is not None
    assert segment.id == "920472839472539402"
    assert segment.account_id == "625702934721171442"
    assert segment.read_only
    assert segment.created_at == datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
    assert segment.updated_at == datetime(2026, 11, 21, 6, 10, tzinfo=UTC)
    assert segment.updated_at.tzinfo is UTC


@pytest.mark.parametrize("attributes", [None, {}, dict.fromkeys(SEGMENT["attributes"])])
def test_every_attribute_may_be_null(attributes: object) -> None:
    segment = wire.read_segment({"id": 920472839472539402, "attributes": attributes}, "1")
    assert segment is not None
    assert segment.id == "920472839472539402"
    assert (segment.name, segment.description, segment.retailer_id) == ("", "", "")
    assert segment.account_id == "1"
    assert segment.identifier_type is None
    assert segment.created_at is None


@pytest.mark.parametrize("kind", ["Unknown", "Fingerprint", None, 3])
def test_an_unknown_identifier_type_is_tolerated(kind: object) -> None:
    segment = wire.read_segment({"id": "1", "attributes": {"contactList": {"identifierType": kind}}}, "1")
    assert segment is not None
    assert segment.identifier_type is None


@pytest.mark.parametrize("item", [None, [], {}, {"id": None}, {"id": True}, "920"])
def test_what_has_no_id_is_no_segment(item: object) -> None:
    assert wire.read_segment(item, "1") is None


def test_a_page_counts_what_it_cannot_use() -> None:
    page = wire.read_page({"meta": {"totalItems": 7}, "data": [SEGMENT, {"id": None}]}, "1")
    assert (len(page.segments), page.received, page.total) == (1, 2, 7)
    assert wire.read_page({"data": None}, "1") == wire.Page((), 0, None)


def test_a_description_is_plain_in_a_create_and_wrapped_in_an_update() -> None:
    new = NewSegment("Loyal", "Bought twice", "12", IdentifierType.EMAIL)
    (created,) = orjson.loads(wire.create_body([new]))["data"]
    assert created["attributes"] == {
        "name": "Loyal",
        "description": "Bought twice",
        "retailerId": "12",
        "contactList": {"identifierType": "Email"},
    }
    patches = [
        SegmentPatch("1", "New"),
        SegmentPatch("2", description="Described"),
        SegmentPatch("3", "", ""),
    ]
    updated = [item["attributes"] for item in orjson.loads(wire.update_body(patches))["data"]]
    assert updated == [
        {"name": "New"},
        {"description": {"value": "Described"}},
        {"name": "", "description": {"value": None}},
    ]


def test_an_empty_search_filters_nothing() -> None:
    assert orjson.loads(wire.search_body())["data"]["attributes"] == {}
    assert orjson.loads(wire.search_body(["7"]))["data"]["attributes"] == {"audienceSegmentIds": ["7"]}


def test_members_are_sent_with_type_and_operation() -> None:
    body = orjson.loads(wire.members_body(IdentifierType.EMAIL, "add", Identifiers(["a", "b"])))
    assert body["data"] == {
        "type": "AddRemoveContactlist",
        "attributes": {"operation": "add", "identifierType": "Email", "identifiers": ["a", "b"]},
    }


def acknowledged(valid: object, invalid: object, sent: int, **more: object) -> object:
    raw = b'{"contactListId": 568708742535471104, "sampleInvalidIdentifiers": ["InvalidIdentifier"]}'
    data = orjson.loads(raw) | {"nbValidIdentifiers": valid, "nbInvalidIdentifiers": invalid}
    answer = {"type": "AddRemoveContactlistResult", "data": data, **more}
    return wire.read_acknowledgement(answer, asked(sent))


def asked(sent: int) -> Asked:
    return Asked("add", IdentifierType.EMAIL, sent)


@pytest.mark.parametrize(
    ("reported", "fits"),
    [
        ({}, True),
        ({"operation": None, "identifierType": None}, True),
        ({"operation": "Add", "identifierType": "Email"}, True),
        ({"operation": "remove"}, False),
        ({"identifierType": "CustomerId"}, False),
        ({"identifierType": "Unknown"}, False),
    ],
)
def test_an_answer_about_other_members_acknowledges_nothing(
    reported: dict[str, object], *, fits: bool
) -> None:
    data = {"nbValidIdentifiers": 10, "nbInvalidIdentifiers": 0, **reported}
    found = wire.read_acknowledgement({"data": data}, asked(10))
    assert isinstance(found, Acknowledgement) if fits else isinstance(found, UncertainAnswer) and found.late


def test_a_segment_of_another_type_may_be_reported_with_zero_counts() -> None:
    data = {"nbValidIdentifiers": 0, "nbInvalidIdentifiers": 10, "identifierType": "CustomerId"}
    assert wire.read_acknowledgement({"data": data}, asked(10)) == Acknowledgement(0, 10)


@pytest.mark.parametrize(
    ("valid", "invalid", "expected"),
    [(7, 3, (7, 3)), (None, 3, (7, 3)), (7, None, (7, 3)), (None, None, (10, 0))],
)
def test_counts_may_be_missing(valid: int | None, invalid: int | None, expected: tuple[int, int]) -> None:
    assert acknowledged(valid, invalid, 10, errors=None) == Acknowledgement(*expected)


@pytest.mark.parametrize(("valid", "invalid"), [(7, 2), (11, 0), (None, 11), (12, None)])
def test_inconsistent_counts_are_an_unknown_outcome(valid: int | None, invalid: int | None) -> None:
    found = acknowledged(valid, invalid, 10)
    assert isinstance(found, UncertainAnswer)
    assert not found.late


def test_an_error_beside_data_is_an_unknown_outcome() -> None:
    broken = [{"type": "availability", "code": "internal-error"}]
    assert acknowledged(10, 0, 10, errors=broken) == UncertainAnswer(
        "it was answered with internal-error", late=True
    )
    aged = [{"type": "deprecation", "code": "deprecated-field"}]
    assert acknowledged(10, 0, 10, errors=aged, warnings=aged) == Acknowledgement(10, 0)


def test_an_error_without_data_is_a_no() -> None:
    body = {"data": None, "errors": [{"type": "validation", "code": "too-many"}]}
    found = wire.read_acknowledgement(body, asked(10))
    assert isinstance(found, Denied)
    assert found.problem.code == "too-many"
    assert isinstance(wire.read_acknowledgement({"data": None}, asked(10)), UncertainAnswer)


@pytest.mark.parametrize(
    ("identifiers", "matches", "rate", "expected"),
    [
        (1000, 600, 60.0, 0.6),
        (1000, 600, 0.6, 0.6),
        (1000, 6, 0.6, 0.006),
        (1000, 1000, 1, 1.0),
        (1000, 10, 1, 0.01),
        (None, None, 60, 0.6),
        (None, None, 0.6, None),
        (1000, 0, 0, 0.0),
        (1000, 600, None, None),
        (1000, 600, 250, None),
        (None, None, "60", None),
    ],
)
def test_a_match_rate_is_read_in_either_scale(
    identifiers: int | None, matches: int | None, rate: object, expected: float | None
) -> None:
    attributes = {"numberOfIdentifiers": identifiers, "numberOfMatches": matches, "matchRate": rate}
    found = wire.read_statistics({"data": {"attributes": attributes}})
    assert found.match_rate == pytest.approx(expected)


def test_statistics_may_be_missing() -> None:
    assert wire.read_statistics({"data": None}) == Statistics(None, None, None)


@pytest.mark.parametrize(
    "empty", [{}, {"errors": None, "warnings": None}, {"errors": [], "warnings": []}, None]
)
def test_missing_null_and_empty_problems_are_alike(empty: object) -> None:
    assert errors.problems(empty) == ()


@pytest.mark.parametrize("key", ["traceId", "traceIdentifier"])
@pytest.mark.parametrize("place", ["errors", "warnings"])
def test_a_trace_id_has_two_names_and_two_places(key: str, place: str) -> None:
    trace = "667ac683ac797284.667ac683ac797284<:667ac683ac797284"
    assert errors.trace({place: [{"code": "x"}, {key: trace}]}) == trace


def test_what_a_problem_quotes_is_not_repeated() -> None:
    """Codes and trace ids that don't look like any are dropped; the free text never shows."""
    mail = "jane@example.com"
    entry = {
        "code": mail,
        "traceId": f"{mail} ",
        "detail": mail,
        "title": "Wrong\x1b[31m",
        "source": {"a": mail},
    }
    (problem,) = errors.problems({"errors": [entry]})
    assert (problem.code, problem.title) == ("", "Wrong[31m")
    assert errors.trace({"errors": [entry]}) == ""
    assert mail not in repr(problem)


def test_an_error_in_place_of_a_list_is_no_empty_account() -> None:
    assert not wire.is_page({"data": None, "errors": [{"type": "availability", "code": "internal-error"}]})
    assert wire.is_page({"data": None, "meta": {"totalItems": 0}})


def test_an_audience_names_the_segments_of_its_whole_algebra() -> None:
    algebra = {
        "and": [
            {"audienceSegmentId": "1"},
            {"or": [{"audienceSegmentId": "2"}, {"not": {"audienceSegmentId": "3"}}]},
        ]
    }
    content = [{"id": "9", "attributes": {"name": "Spring", "algebra": algebra}}, {"id": "10"}]
    found, total = wire.read_audiences({"data": content, "meta": {"totalItems": 2}})
    assert total == 2
    assert [(one.name, sorted(one.segment_ids)) for one in found] == [("Spring", ["1", "2", "3"]), ("", [])]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, SharingStatus.NOT_SHARED),
        ("NotShared", SharingStatus.NOT_SHARED),
        ("SharedWithAll", SharingStatus.SHARED_WITH_ALL),
        ("SharedWithSome", SharingStatus.UNKNOWN),
    ],
)
def test_a_sharing_status_may_be_missing_or_new(status: str | None, expected: SharingStatus) -> None:
    item = {"id": "9", "attributes": {"contactList": {"sharingStatus": status}}}
    segment = wire.read_segment(item, "1")
    assert segment
    assert segment.sharing is expected
