"""Every item of a bulk request gets a segment or an error, wherever Criteo reports it."""

from itertools import permutations

import pytest

from reconciler.core.model import IdentifierType
from reconciler.core.remote import ItemFailure, NewSegment, Segment, SegmentPatch, Unconfirmed
from reconciler.criteo import bulk

pytestmark = pytest.mark.promise("client")

TAKEN = {"type": "validation", "code": "name-must-be-unique", "title": "Segment name must be unique"}
EMPTY = {"type": "validation", "code": "name-must-not-be-empty", "title": "Segment name must not be empty"}
AGED = {"type": "deprecation", "code": "deprecated-field"}


def new(*names: str) -> list[NewSegment]:
    return [NewSegment(name, "", "12", IdentifierType.EMAIL) for name in names]


def back(*names: str, **other: object) -> list[dict[str, object]]:
    asked = {"retailerId": "12", "contactList": {"identifierType": "Email"}}
    return [{"id": f"9{at}", "attributes": {"name": name, **asked, **other}} for at, name in enumerate(names)]


def outcomes(answer: object) -> list[str]:
    return [item.name if isinstance(item, Segment) else f"! {item.code}" for item in answer.items]  # type: ignore[attr-defined]


@pytest.mark.parametrize("order", list(permutations(["A ", "b", "C"])))
def test_created_segments_are_matched_by_name_in_whatever_order(order: tuple[str, ...]) -> None:
    answer = bulk.created(new("a", "B", "c"), {"data": back(*order)}, "1")
    assert outcomes(answer) == ["A ", "b", "C"]


@pytest.mark.parametrize("place", ["warnings", "errors"])
@pytest.mark.parametrize("absent", [{}, {"errors": None}, {"errors": [], "warnings": []}])
def test_a_failure_is_read_from_either_array(place: str, absent: dict[str, object]) -> None:
    body = {"data": back("B"), **absent, place: [AGED, TAKEN]}
    answer = bulk.created(new("A", "B"), body, "1")
    assert answer.items[0] == ItemFailure("Segment name must be unique", "name-must-be-unique")
    assert outcomes(answer) == ["! name-must-be-unique", "B"]
    assert not answer.earlier_unconfirmed


def test_an_item_without_answer_or_reason_fails_without_a_code() -> None:
    answer = bulk.created(new("A", "B"), {"data": back("B"), "warnings": [AGED]}, "1")
    assert answer.items[0] == Unconfirmed("it is missing from Criteo's response", "")
    assert outcomes(bulk.created(new("A", "B"), {"data": None}, "1")) == ["! ", "! "]


def test_a_reason_goes_to_the_item_it_quotes() -> None:
    """And of two names, one inside the other, to the longer."""
    body = {
        "data": [],
        "warnings": [{**TAKEN, "detail": "Another Segment exists with the name: Lapsed (onsite)"}, EMPTY],
    }
    answer = bulk.created(new("Lapsed", "Lapsed (onsite)"), body, "1")
    assert outcomes(answer) == ["! name-must-not-be-empty", "! name-must-be-unique"]


def test_ambiguous_reasons_are_all_reported_without_a_code() -> None:
    answer = bulk.created(new("A1", "B1"), {"data": [], "errors": [TAKEN, EMPTY]}, "1")
    assert outcomes(answer) == ["! ", "! "]
    assert "name-must-be-unique, name-must-not-be-empty" in str(answer.items[0])


def test_a_reason_claimed_by_one_item_says_nothing_about_another() -> None:
    quoted = {**TAKEN, "detail": "Another Segment exists with the name: Taken"}
    answer = bulk.created(new("Taken", "Silent"), {"data": [], "warnings": [quoted]}, "1")
    assert outcomes(answer) == ["! name-must-be-unique", "! "]


def test_source_is_never_looked_at() -> None:
    pointed = [{**TAKEN, "source": {"/data/1/attributes/name": "B"}}]
    answer = bulk.created(new("A", "B"), {"data": back("B"), "errors": pointed}, "1")
    assert outcomes(answer) == ["! name-must-be-unique", "B"]


def test_a_name_that_came_back_changed_confirms_nothing() -> None:
    answer = bulk.created(new("A", "B  B"), {"data": back("A", "B B")}, "1")
    assert outcomes(answer) == ["A", "! "]
    assert isinstance(answer.items[1], Unconfirmed)


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"accountId": "2"}, "account"),
        ({"retailerId": "13"}, "retailer"),
        ({"retailerId": None}, "retailer"),
        ({"contactList": {"identifierType": "CustomerId"}}, "identifier type"),
        ({"contactList": None}, "identifier type"),
        ({"description": "Owned by marketing, do not touch"}, "description"),
        ({"description": "[reconciler 0123456789-ffff]"}, "description"),
        ({"retailerId": "13", "accountId": "2"}, "account and another retailer"),
    ],
)
def test_a_created_segment_must_match_the_request(other: dict[str, object], field: str) -> None:
    [item] = bulk.created([TAGGED], {"data": back("A", **other)}, "1").items
    assert item == Unconfirmed(f"Criteo answered with a segment of another {field}")


TAGGED = NewSegment("A", "Bought twice [reconciler 0123456789-1a2b]", "12", IdentifierType.EMAIL)


@pytest.mark.parametrize("returned", ["", None, TAGGED.description, "Bought [reconciler 0123456789-1a2b]"])
def test_a_description_that_is_left_out_or_trimmed_is_no_other_segment(returned: str | None) -> None:
    [item] = bulk.created([TAGGED], {"data": back("A", description=returned)}, "1").items
    assert isinstance(item, Segment)


def test_one_segment_for_two_items_confirms_neither() -> None:
    body = {"data": [one | {"id": "90"} for one in back("A", "B", "C")[:2]] + back("A", "B", "C")[2:]}
    assert outcomes(bulk.created(new("A", "B", "C"), body, "1")) == ["! ", "! ", "C"]


def test_two_segments_for_one_item_confirm_nothing() -> None:
    assert outcomes(bulk.created(new("A"), {"data": back("A", "a")}, "1")) == ["! "]


@pytest.mark.parametrize("other", [{"name": "Other"}, {"accountId": "2"}])
def test_an_updated_segment_must_match_the_request(other: dict[str, str]) -> None:
    body = {"data": [{"id": "90", "attributes": {"name": "A", **other}}]}
    [item] = bulk.updated([SegmentPatch("90", "A", "Described")], body, "1").items
    assert isinstance(item, Unconfirmed)


@pytest.mark.parametrize("names", [("A", "B"), ("B", "A")])
def test_an_update_that_is_answered_with_two_names_is_not_confirmed(names: tuple[str, str]) -> None:
    body = {"data": [one | {"id": "90"} for one in back(*names)]}
    [item] = bulk.updated([SegmentPatch("90", "A")], body, "1").items
    assert isinstance(item, Unconfirmed)


def test_an_update_that_is_answered_with_another_id_is_not_confirmed() -> None:
    [item] = bulk.updated([SegmentPatch("77", "A")], {"data": back("A")}, "1").items
    assert isinstance(item, Unconfirmed)


def test_trouble_of_criteos_own_leaves_a_create_open() -> None:
    trouble = {"type": "availability", "code": "internal-error"}
    answer = bulk.created(new("A", "B"), {"data": back("B"), "errors": [trouble]}, "1")
    assert answer.earlier_unconfirmed
    assert outcomes(answer) == ["! internal-error", "B"]


def test_updated_segments_are_matched_by_id() -> None:
    sent = [SegmentPatch("91", "X"), SegmentPatch("92", "Y"), SegmentPatch("90", "A")]
    body = {"data": back("A", "X"), "warnings": [{"code": "segment-not-found", "title": None}]}
    answer = bulk.updated(sent, body, "1")
    assert outcomes(answer) == ["X", "! segment-not-found", "A"]
    assert answer.items[1] == ItemFailure("segment-not-found", "segment-not-found")
