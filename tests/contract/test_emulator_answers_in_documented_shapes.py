"""Every response has the keys and the JSON types of the published contract, nullable keys included."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.emulator import ACCOUNT, RETAILER, World, contact_list, mounted

pytestmark = pytest.mark.promise("emulator-is-criteo")

PROBLEM = {
    "traceId": "str",
    "type": "str",
    "code": "str",
    "instance": "str",
    "title": "str",
    "detail": "str",
    "source": "null",
}
SEGMENT = {
    "id": "str",
    "type": "str",
    "attributes": {
        "name": "str",
        "description": "null",
        "type": "str",
        "accountId": "str",
        "retailerId": "str",
        "channels": ["str"],
        "contactList": {"identifierType": "str", "sharingStatus": "str", "isReadOnly": "bool"},
        "events": "null",
        "createdAt": "str",
        "createdById": "null",
        "updatedAt": "str",
    },
}
BULK = {"data": [SEGMENT], "warnings": [], "errors": []}
PAGE = {"totalItems": "int", "limit": "int", "offset": "int"}


def shape(value: Any) -> Any:
    """Return types in place of values; the first item represents a list."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "null" if value is None else type(value).__name__


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with mounted(tmp_path) as world:
        yield world


def test_a_token(world: World) -> None:
    """The refresh token is there and null for client credentials."""
    answer = world.client.token().json()
    assert shape(answer) == {
        "access_token": "str",
        "token_type": "str",
        "refresh_token": "null",
        "expires_in": "int",
    }
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)


def test_the_application(world: World) -> None:
    """Every attribute may be null; the data has no id."""
    assert shape(world.client.me().json()) == {
        "data": {
            "type": "str",
            "attributes": {
                "applicationId": "int",
                "organizationId": "int",
                "name": "str",
                "description": "null",
                "criteoService": "null",
            },
        },
        "warnings": [],
        "errors": [],
    }


def test_the_accounts(world: World) -> None:
    """Pages by index, under `metadata`."""
    world.emulator.ensure_account("1", ["2"])
    answer = world.client.accounts(pageSize=1).json()
    assert shape(answer["data"]) == [
        {
            "id": "str",
            "type": "str",
            "attributes": {
                "name": "str",
                "type": "str",
                "subtype": "str",
                "countries": ["str"],
                "currency": "str",
                "timeZone": "str",
                "parentAccountLabel": "str",
                "companyName": "null",
                "onBehalfCompanyName": "null",
            },
        }
    ]
    assert answer["data"][0]["attributes"]["type"] == "demand"
    assert shape(answer["metadata"]) == {
        "totalItemsAcrossAllPages": "int",
        "currentPageIndex": "int",
        "currentPageSize": "int",
        "totalPages": "int",
        "nextPage": "str",
        "previousPage": "null",
    }
    assert [row["id"] for row in world.client.accounts(limitToId="1").json()["data"]] == ["1"]


def test_the_retailers(world: World) -> None:
    """Pages by offset, under `metadata`, at most ten and five by default."""
    answer = world.client.retailers().json()
    assert shape(answer) == {
        "metadata": {"count": "int", "limit": "int", "offset": "int"},
        "data": [
            {
                "id": "str",
                "type": "str",
                "attributes": {"name": "str", "campaignAvailabilities": []},
            }
        ],
        "warnings": [],
        "errors": [],
    }
    assert answer["metadata"] == {"count": 2, "limit": 5, "offset": 0}
    assert world.client.retailers(limit=11).status_code == 400


def test_segments_created_found_changed_and_deleted(world: World) -> None:
    """Full segments but for delete, and `meta` on search only."""
    created = world.client.create(contact_list("Lapsed")).json()
    assert shape(created) == BULK
    segment = created["data"][0]
    assert segment["type"] == "AudienceSegment"
    assert segment["attributes"]["createdAt"] == "2026-11-24T10:00:00Z"
    found = world.client.search(audienceSegmentIds=[segment["id"]]).json()
    assert found == {
        "meta": {"totalItems": 1, "limit": 50, "offset": 0},
        "data": [segment],
        "warnings": [],
        "errors": [],
    }
    assert shape(world.client.update((segment["id"], {"name": "Gone"})).json()) == BULK
    assert world.client.delete(segment["id"]).json() == {
        "data": [{"id": segment["id"], "type": "AudienceSegment", "attributes": {}}],
        "warnings": [],
        "errors": [],
    }


def test_an_empty_search(world: World) -> None:
    """Empty lists, not missing ones."""
    assert world.client.search().json() == {
        "meta": {"totalItems": 0, "limit": 50, "offset": 0},
        "data": [],
        "warnings": [],
        "errors": [],
    }


def test_ids_have_eighteen_digits_and_the_contact_list_has_another(world: World) -> None:
    """The list's id is a JSON number no double can hold, and no path accepts it."""
    segment = world.client.segment()
    answer = world.client.add(segment, ["jo@example.com"])
    number = answer.json()["data"]["contactListId"]
    assert len(segment) == 18
    assert number > 2**53
    assert b'"contactListId":%d,' % number in answer.content
    assert str(number) != segment
    assert world.client.add(str(number), ["jo@example.com"]).status_code == 404


def test_add_remove_is_flat(world: World) -> None:
    """`data` has no attributes, the type is on top, the date has seven digits."""
    answer = world.client.add(world.client.segment(), ["jo@example.com", "nobody"]).json()
    assert shape(answer) == {
        "type": "str",
        "data": {
            "contactListId": "int",
            "operation": "str",
            "requestDate": "str",
            "identifierType": "str",
            "nbValidIdentifiers": "int",
            "nbInvalidIdentifiers": "int",
            "sampleInvalidIdentifiers": ["str"],
        },
        "errors": [],
        "warnings": [],
    }
    assert answer["type"] == "AddRemoveContactlistResult"
    assert answer["data"]["requestDate"] == "2026-11-24T10:00:00.0000000+00:00"


def test_clear_has_no_content(world: World) -> None:
    """204, no body and no media type."""
    answer = world.client.clear(world.client.segment())
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers


def test_statistics_and_audiences(world: World) -> None:
    """Statistics are numbers once computed; audiences carry their algebra."""
    segment = world.client.segment()
    world.client.add(segment, ["jo@example.com"])
    world.advance(12 * 3600)
    assert shape(world.client.statistics(segment).json()) == {
        "data": {
            "id": "str",
            "type": "str",
            "attributes": {
                "numberOfIdentifiers": "int",
                "numberOfMatches": "int",
                "matchRate": "float",
            },
        },
        "warnings": [],
        "errors": [],
    }
    audience = world.emulator.seed_audience(ACCOUNT, RETAILER, "Buyers", [segment])
    answer = world.client.audiences(audienceSegmentIds=[segment], audienceIds=None).json()
    assert shape(answer["meta"]) == PAGE
    assert answer["data"][0]["id"] == audience
    assert answer["data"][0]["attributes"]["algebra"] == {"or": [{"audienceSegmentId": segment}]}
    assert world.client.audiences(audienceSegmentIds=["1"]).json()["data"] == []


def test_problems(world: World) -> None:
    """One shape for failed items and for refused calls; its source is never given."""
    refused = world.client.statistics("1")
    assert (refused.status_code, shape(refused.json())) == (404, {"errors": [PROBLEM]})
    assert shape(world.client.delete("1").json()) == {
        "data": [],
        "warnings": [PROBLEM],
        "errors": [],
    }
    world.switch(trace_key="traceIdentifier")
    problem = world.client.statistics("1").json()["errors"][0]
    assert set(problem) == set(PROBLEM) - {"traceId"} | {"traceIdentifier"}


def test_event_segments_are_taken_as_the_contract_says(world: World) -> None:
    """Both channels, no contact list; prices are wrapped on update."""
    events = {"lookbackDays": "Last30Days", "shopperActivity": "View", "maxPrice": 99.5}
    given = {"name": "Viewers", "retailerId": RETAILER, "events": events}
    segment = world.client.create(given).json()["data"][0]
    assert segment["attributes"]["type"] == "Events"
    assert segment["attributes"]["contactList"] is None
    assert segment["attributes"]["channels"] == ["Onsite", "Offsite"]
    change = {"events": {"minPrice": {"value": 10}, "maxPrice": {"value": None}}}
    changed = world.client.update((segment["id"], change)).json()["data"][0]
    assert changed["attributes"]["events"] == {
        "lookbackDays": "Last30Days",
        "shopperActivity": "View",
        "brandIds": [],
        "categoryIds": [],
        "minPrice": 10.0,
        "maxPrice": None,
    }
    assert world.client.add(segment["id"], ["jo@example.com"]).status_code == 400
    assert world.client.search(audienceSegmentTypes=["ContactList"]).json()["data"] == []
    assert world.client.statistics(segment["id"]).status_code == 400
    for wrong in ({"maxPrice": {"value": "cheap"}}, {"lookbackDays": "Last1Day"}):
        assert world.client.update((segment["id"], {"events": wrong})).status_code == 400
    brands = world.client.update((segment["id"], {"events": {"brandIds": ["1"]}})).json()
    assert brands["data"][0]["attributes"]["events"]["brandIds"] == ["1"]
    bare = {"name": "No days", "retailerId": RETAILER, "events": {"shopperActivity": "View"}}
    assert world.client.create(bare).status_code == 400


def test_a_search_is_paged_and_filtered(world: World) -> None:
    """At most 500 a page, the total before paging, filters AND-ed."""
    made = [world.client.segment(f"Segment {number}") for number in range(3)]
    page = world.client.search(limit=2, offset=1).json()
    assert [item["id"] for item in page["data"]] == made[1:]
    assert page["meta"] == {"totalItems": 3, "limit": 2, "offset": 1}
    assert world.client.search(limit=0).json()["data"] == []
    assert world.client.search(retailerIds=["12"], audienceSegmentIds=made).json()["data"] == []
    assert world.client.search(limit=501).status_code == 400
    assert world.client.account("/audience-segments/search", {}, limit="many").status_code == 400


def test_bodies_of_another_shape_are_refused(world: World) -> None:
    """A deserialization error refuses the whole call, also with valid items."""
    segment = world.client.segment("Kept")
    for body in ({"data": {}}, {"data": ["x"]}, [], {"data": [{"attributes": {"name": 1}}]}):
        assert world.client.account("/audience-segments/create", body).status_code == 400
    plain = world.client.update((segment, {"name": "New"}), (segment, {"description": "not wrapped"}))
    assert plain.status_code == 400
    assert plain.json()["errors"][0]["code"] == "malformed-request"
    assert world.emulator.segments()[0].name == "Kept"
    assert world.client.add(segment, [1, 2]).status_code == 400
    assert world.client.change("Add", segment, ["jo@example.com"]).status_code == 400
    assert world.client.change("", segment, ["jo@example.com"]).status_code == 400
    assert world.client.update(("", {"name": "New"})).status_code == 400


def test_numbers_survive_as_json(world: World) -> None:
    """The rate is a float even when it is whole."""
    segment = world.client.segment()
    world.advance(12 * 3600)
    raw = orjson.loads(world.client.statistics(segment).content)
    assert isinstance(raw["data"]["attributes"]["matchRate"], float)
