"""Every successful call: the values that the SDK reads from the response."""

from collections.abc import Callable
from typing import Any

from sdk.sdk_client import Answer, complete
from sdk.setup import ACCOUNT, EVENTS, NOON, OTHER_RETAILER, RETAILER, World, contact_list


def whole(answer: Answer, status: int = 200) -> Any:
    """All that is declared is there, and nothing went wrong."""
    assert answer.status == status
    complete(answer.body)
    assert (answer.body.errors, answer.body.warnings) == ([], [])
    assert int(answer.headers["x-ratelimit-limit"]) == 250
    return answer.body


def search_audience_segments(world: World) -> None:
    body = whole(world.search(limit=2, offset=1, audience_segment_types=["ContactList"]))
    assert (body.meta.total_items, body.meta.limit, body.meta.offset) == (2, 2, 1)
    (loyal,) = body.data
    assert (loyal.id, loyal.type) == (world.ids["Loyal"], "AudienceSegment")
    assert loyal.attributes.channels == ["Onsite"]


def bulk_create_audience_segments(world: World) -> None:
    body = whole(world.create(contact_list("Fresh", "PhoneNumber", description="New"), new_viewers()))
    fresh, viewers = (item.attributes for item in body.data)
    assert (fresh.name, fresh.description, fresh.type) == ("Fresh", "New", "ContactList")
    assert (fresh.account_id, fresh.retailer_id) == (ACCOUNT, RETAILER)
    assert fresh.channels == ["Offsite"]
    assert (fresh.created_at, fresh.updated_at, fresh.created_by_id) == (NOON, NOON, None)
    held = fresh.contact_list
    assert (held.identifier_type, held.sharing_status, held.is_read_only) == (
        "PhoneNumber",
        "NotShared",
        False,
    )
    assert fresh.events is None
    assert (viewers.type, viewers.contact_list, viewers.description) == ("Events", None, None)
    events = viewers.events
    assert (events.lookback_days, events.shopper_activity) == ("Last30Days", "View")
    assert (events.min_price, events.max_price) == (None, 99.5)
    assert (events.brand_ids, events.category_ids) == (["1"], [])


def new_viewers() -> dict[str, Any]:
    return {
        "name": "New viewers",
        "retailer_id": OTHER_RETAILER,
        "events": {**EVENTS, "brand_ids": ["1"]},
    }


def bulk_update_audience_segments(world: World) -> None:
    """Descriptions and prices are wrapped; attributes that are left out stay."""
    prices = {"min_price": {"value": 1.5}, "max_price": {"value": None}}
    body = whole(
        world.update(
            (world.ids["Lapsed"], {"name": "Renamed", "description": {"value": None}}),
            (world.ids["Loyal"], {"description": {"value": "Described"}}),
            (world.ids["Viewers"], {"events": prices}),
        )
    )
    lapsed, loyal, viewers = (item.attributes for item in body.data)
    assert [item.id for item in body.data] == [world.ids[name] for name in ("Lapsed", "Loyal", "Viewers")]
    assert (lapsed.name, lapsed.description) == ("Renamed", None)
    assert (loyal.name, loyal.description) == ("Loyal", "Described")
    assert (viewers.events.min_price, viewers.events.max_price) == (1.5, None)


def bulk_delete_audience_segments(world: World) -> None:
    body = whole(world.delete(world.ids["Loyal"], world.ids["Viewers"]))
    assert [item.id for item in body.data] == [world.ids["Loyal"], world.ids["Viewers"]]
    assert [(item.type, item.attributes) for item in body.data] == [("AudienceSegment", {})] * 2


def get_audience_segment_contact_list_statistics(world: World) -> None:
    world.emulator.advance(43_200)
    body = whole(world.statistics(world.ids["Lapsed"]))
    assert body.data.id == world.ids["Lapsed"]
    reported = body.data.attributes
    assert (reported.number_of_identifiers, reported.number_of_matches, reported.match_rate) == (
        3,
        2,
        66.6667,
    )


def add_remove_contact_list_by_audience_segment(world: World) -> None:
    segment = world.ids["Lapsed"]
    added = whole(world.change("add", segment, ["ann@example.com", "dee@example.com", "nobody"]))
    assert added.type == "AddRemoveContactlistResult"
    assert (added.data.operation, added.data.identifier_type) == ("add", "Email")
    assert (added.data.nb_valid_identifiers, added.data.nb_invalid_identifiers) == (2, 1)
    assert added.data.sample_invalid_identifiers == ["nobody"]
    assert added.data.request_date == NOON.replace(tzinfo=added.data.request_date.tzinfo)
    assert added.data.contact_list_id > 2**53
    people = {f"{name}@example.com" for name in ("ann", "bob", "cy", "dee")}
    assert world.emulator.members(segment) == people


def clear_contact_list_by_audience_segment(world: World) -> None:
    answer = world.clear(world.ids["Lapsed"])
    assert (answer.status, answer.body) == (204, None)
    assert world.emulator.members(world.ids["Lapsed"]) == frozenset()


def search_audiences(world: World) -> None:
    body = whole(world.audiences(retailer_ids=[RETAILER], audience_segment_ids=[world.ids["Lapsed"]]))
    assert (body.meta.total_items, body.meta.limit, body.meta.offset) == (1, 50, 0)
    (buyers,) = body.data
    assert (buyers.id, buyers.attributes.name) == (world.ids["Buyers"], "Buyers")
    assert (buyers.attributes.account_id, buyers.attributes.retailer_id) == (ACCOUNT, RETAILER)
    nodes = buyers.attributes.algebra._or
    assert [node.audience_segment_id for node in nodes] == [world.ids["Lapsed"], world.ids["Loyal"]]


def get_current_application(world: World) -> None:
    body = whole(world.sdk.call("get_current_application"))
    assert body.data.attributes.name == "emulated application"
    assert (body.data.attributes.application_id, body.data.attributes.organization_id) == (1, 1)


def get_accounts(world: World) -> None:
    body = whole(world.sdk.call("get_accounts"))
    (acme,) = body.data
    assert (acme.id, acme.attributes.name, acme.attributes.type) == (ACCOUNT, "Acme", "demand")
    paging = body.metadata
    assert (paging.total_items_across_all_pages, paging.total_pages) == (1, 1)
    assert (paging.current_page_index, paging.current_page_size) == (0, 25)
    assert (paging.next_page, paging.previous_page) == (None, None)


def search_account_retailers(world: World) -> None:
    body = whole(world.retailers(retailer_id_filter=[RETAILER]))
    assert (body.metadata.count, body.metadata.limit, body.metadata.offset) == (1, 10, 0)
    (retailer,) = body.data
    assert (retailer.id, retailer.attributes.name) == (RETAILER, f"Retailer {RETAILER}")
    assert retailer.attributes.campaign_availabilities == []


DRIVES: dict[str, Callable[[World], None]] = {
    drive.__name__: drive
    for drive in (
        search_audience_segments,
        bulk_create_audience_segments,
        bulk_update_audience_segments,
        bulk_delete_audience_segments,
        get_audience_segment_contact_list_statistics,
        add_remove_contact_list_by_audience_segment,
        clear_contact_list_by_audience_segment,
        search_audiences,
        get_current_application,
        get_accounts,
        search_account_retailers,
    )
}
