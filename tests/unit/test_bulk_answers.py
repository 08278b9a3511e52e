"""Bulk answers: every item sent gets a segment or a reason, wherever Criteo put it."""

from itertools import permutations

import pytest

from reconciler.core.model import IdentifierType
from reconciler.core.remote import ItemFailure, NewSegment, Segment, SegmentPatch
from reconciler.criteo import bulk

pytestmark = pytest.mark.promise("client")

TAKEN = {"type": "validation", "code": "name-must-be-unique", "title": "Segment name must be unique"}
EMPTY = {"type": "validation", "code": "name-must-not-be-empty", "title": "Segment name must not be empty"}
AGED = {"type": "deprecation", "code": "deprecated-field"}


def new(*names: str) -> list[NewSegment]:
    return [NewSegment(name, "", "12", IdentifierType.EMAIL) for name in names]


def back(*names: str) -> list[dict[str, object]]:
    return [{"id": f"9{at}", "attributes": {"name": name}} for at, name in enumerate(names)]


def told(answer: object) -> list[str]:
    return [item.name if isinstance(item, Segment) else f"! {item.code}" for item in answer.items]  # type: ignore[attr-defined]


@pytest.mark.parametrize("order", list(permutations(["A ", "b", "C"])))
def test_created_segments_are_matched_by_name_in_whatever_order(order: tuple[str, ...]) -> None:
    answer = bulk.created(new("a", "B", "c"), {"data": back(*order)}, "1")
    assert told(answer) == ["A ", "b", "C"]


@pytest.mark.parametrize("place", ["warnings", "errors"])
@pytest.mark.parametrize("absent", [{}, {"errors": None}, {"errors": [], "warnings": []}])
def test_a_failure_is_read_from_either_array(place: str, absent: dict[str, object]) -> None:
    body = {"data": back("B"), **absent, place: [AGED, TAKEN]}
    answer = bulk.created(new("A", "B"), body, "1")
    assert answer.items[0] == ItemFailure("Segment name must be unique", "name-must-be-unique")
    assert told(answer) == ["! name-must-be-unique", "B"]
    assert not answer.uncertain


def test_an_item_without_answer_or_reason_fails_without_a_code() -> None:
    answer = bulk.created(new("A", "B"), {"data": back("B"), "warnings": [AGED]}, "1")
    assert answer.items[0] == ItemFailure("Criteo said nothing about it", "")
    assert told(bulk.created(new("A", "B"), {"data": None}, "1")) == ["! ", "! "]


def test_a_reason_goes_to_the_item_it_quotes() -> None:
    """And of two names, one inside the other, to the longer."""
    body = {
        "data": [],
        "warnings": [{**TAKEN, "detail": "Another Segment exists with the name: Lapsed (onsite)"}, EMPTY],
    }
    answer = bulk.created(new("Lapsed", "Lapsed (onsite)"), body, "1")
    assert told(answer) == ["! name-must-not-be-empty", "! name-must-be-unique"]


def test_reasons_that_nobody_can_tell_apart_are_all_told_without_a_code() -> None:
    answer = bulk.created(new("A1", "B1"), {"data": [], "errors": [TAKEN, EMPTY]}, "1")
    assert told(answer) == ["! ", "! "]
    assert "name-must-be-unique, name-must-not-be-empty" in str(answer.items[0])


def test_a_reason_claimed_by_one_item_says_nothing_about_another() -> None:
    quoted = {**TAKEN, "detail": "Another Segment exists with the name: Taken"}
    answer = bulk.created(new("Taken", "Silent"), {"data": [], "warnings": [quoted]}, "1")
    assert told(answer) == ["! name-must-be-unique", "! "]


def test_source_is_never_looked_at() -> None:
    pointed = [{**TAKEN, "source": {"/data/1/attributes/name": "B"}}]
    answer = bulk.created(new("A", "B"), {"data": back("B"), "errors": pointed}, "1")
    assert told(answer) == ["! name-must-be-unique", "B"]


def test_a_name_that_came_back_changed_belongs_to_the_only_item_left() -> None:
    answer = bulk.created(new("A", "B  B"), {"data": back("A", "B B")}, "1")
    assert told(answer) == ["A", "B B"]


def test_trouble_of_criteos_own_leaves_a_create_open() -> None:
    trouble = {"type": "availability", "code": "internal-error"}
    answer = bulk.created(new("A", "B"), {"data": back("B"), "errors": [trouble]}, "1")
    assert answer.uncertain
    assert told(answer) == ["! internal-error", "B"]


def test_updated_segments_are_matched_by_id() -> None:
    sent = [SegmentPatch("91", "X"), SegmentPatch("92", "Y"), SegmentPatch("90", "A")]
    body = {"data": back("A", "X"), "warnings": [{"code": "segment-not-found", "title": None}]}
    answer = bulk.updated(sent, body, "1")
    assert told(answer) == ["X", "! segment-not-found", "A"]
    assert answer.items[1] == ItemFailure("segment-not-found", "segment-not-found")
