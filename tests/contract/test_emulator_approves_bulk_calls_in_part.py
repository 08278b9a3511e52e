"""Items of a bulk call are independent: valid items are done, invalid items reported (as switched)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.emulator import ACCOUNT, OTHER_RETAILER, RETAILER, World, contact_list, mounted

pytestmark = pytest.mark.promise("emulator-is-criteo")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        yield world


def names(world: World) -> list[str]:
    return [segment.name for segment in world.emulator.segments()]


def codes(problems: list[dict[str, str]]) -> list[str]:
    return [problem["code"] for problem in problems]


@pytest.mark.parametrize(("place", "other"), [("warnings", "errors"), ("errors", "warnings")])
def test_failures_stand_beside_what_was_done(world: World, place: str, other: str) -> None:
    """200, in either array."""
    world.switch(failures=place)
    answer = world.client.create(contact_list("A"), contact_list("a "), contact_list("B"))
    body = answer.json()
    assert answer.status_code == 200
    assert [item["attributes"]["name"] for item in body["data"]] == ["A", "B"]
    assert codes(body[place]) == ["name-must-be-unique"]
    assert body[other] == []
    assert names(world) == ["A", "B"]


def test_failures_may_refuse_the_whole_call(world: World) -> None:
    """400, and nothing is done."""
    world.switch(failures="http-400")
    answer = world.client.create(contact_list("A"), contact_list("A"), contact_list(" "))
    assert answer.status_code == 400
    assert codes(answer.json()["errors"]) == ["name-must-be-unique", "name-must-not-be-empty"]
    assert names(world) == []
    assert world.client.create(contact_list("A")).status_code == 200


@pytest.mark.parametrize("taken", ["Lapsed", "  LAPSED\t", "lapsed"])
def test_a_name_is_unique_in_its_account(world: World, taken: str) -> None:
    """Across retailers, trimmed and case-folded; on rename too."""
    first, second = world.client.segment("Lapsed"), world.client.segment("Other")
    other = contact_list(taken) | {"retailerId": OTHER_RETAILER}
    assert codes(world.client.create(other).json()["warnings"]) == ["name-must-be-unique"]
    renamed = world.client.update((second, {"name": taken}), (first, {"name": taken})).json()
    assert codes(renamed["warnings"]) == ["name-must-be-unique"]
    assert [item["id"] for item in renamed["data"]] == [first]


def test_the_scope_of_names_is_a_switch(world: World) -> None:
    """Names are unique per retailer, and never freed."""
    world.switch(name_scope="retailer", names_reusable=False)
    world.client.segment("Lapsed")
    other = contact_list("Lapsed") | {"retailerId": OTHER_RETAILER}
    gone = world.client.create(other).json()["data"][0]["id"]
    world.client.delete(gone)
    assert codes(world.client.create(other).json()["warnings"]) == ["name-must-be-unique"]
    world.switch(names_reusable=True)
    assert world.client.create(other).json()["warnings"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": " "}, "name-must-not-be-empty"),
        ({"name": None}, "name-must-not-be-empty"),
        ({"name": "x" * 257}, "name-too-long"),
        ({"description": "x" * 501}, "description-too-long"),
        ({"retailerId": "404"}, "retailer-not-found"),
        ({"contactList": None}, "segment-kind-must-be-one"),
        ({"events": {}}, "segment-kind-must-be-one"),
        ({"contactList": {}}, "identifier-type-is-required"),
    ],
)
def test_what_an_item_must_be(world: World, change: dict[str, object], code: str) -> None:
    """One code per rule; the item beside it is created."""
    body = world.client.create(contact_list("Wrong") | change, contact_list("Right")).json()
    assert codes(body["warnings"]) == [code]
    assert names(world) == ["Right"]


def test_the_longest_name_and_description_are_taken(world: World) -> None:
    """256 and 500 characters."""
    given = contact_list("é" * 256, description="x" * 500)
    assert world.client.create(given).json()["warnings"] == []


def test_the_description_is_wrapped_on_update(world: World) -> None:
    """Absent leaves it alone, a value sets it, null clears it."""
    segment = world.client.create(contact_list("A", description="old")).json()["data"][0]["id"]

    def updated(attributes: dict[str, object]) -> object:
        answer = world.client.update((segment, attributes)).json()
        return answer["data"][0]["attributes"]["description"]

    assert updated({"name": "B"}) == "old"
    assert updated({"description": {"value": "new"}}) == "new"
    assert updated({"description": {}}) is None
    assert names(world) == ["B"]
    for change, code in (
        ({"description": {"value": "x" * 501}}, "description-too-long"),
        ({"events": {"minPrice": {"value": 1}}}, "segment-is-not-events"),
    ):
        assert codes(world.client.update((segment, change)).json()["warnings"]) == [code]


def test_missing_segments_fail_alone(world: World) -> None:
    """Also those of another account."""
    world.emulator.ensure_account("7", [RETAILER])
    segment = world.client.segment()
    assert codes(world.client.update(("1", {"name": "X"})).json()["warnings"]) == ["segment-not-found"]
    body = {"data": [{"id": segment}]}
    url = world.client.root + "/accounts/7/audience-segments/delete"
    assert codes(world.client.http.post(url, json=body).json()["warnings"]) == ["segment-not-found"]
    answer = world.client.delete("1", segment).json()
    assert [item["id"] for item in answer["data"]] == [segment]
    assert names(world) == []


def test_a_read_only_segment_is_left_alone(world: World) -> None:
    """No rename, no deletion, no members."""
    segment = world.client.segment()
    world.emulator.set_read_only(segment, True)
    for answer in (world.client.update((segment, {"name": "X"})), world.client.delete(segment)):
        assert codes(answer.json()["warnings"]) == ["segment-is-read-only"]
    assert world.client.add(segment, ["jo@example.com"]).status_code == 403
    assert world.client.clear(segment).status_code == 403
    found = world.client.search().json()["data"][0]
    assert found["attributes"]["contactList"]["isReadOnly"] is True


def test_deleting_a_used_segment_is_a_switch(world: World) -> None:
    """Allowed unless said otherwise."""
    segment = world.client.segment()
    world.emulator.seed_audience(ACCOUNT, RETAILER, "Buyers", [segment])
    world.switch(delete_in_use="refused")
    assert codes(world.client.delete(segment).json()["warnings"]) == ["segment-in-use"]
    world.switch(delete_in_use="allowed")
    assert world.client.delete(segment).json()["warnings"] == []


def test_a_bulk_call_holds_fifty_items(world: World) -> None:
    """One more refuses the call."""
    items = [contact_list(f"Segment {number}") for number in range(51)]
    assert codes(world.client.create(*items).json()["errors"]) == ["exceeded-ids-cap"]
    assert len(world.client.create(*items[:50]).json()["data"]) == 50
