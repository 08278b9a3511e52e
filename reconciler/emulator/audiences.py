"""Audiences built on segments: seeded by hand, since no stable call creates them."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from reconciler.emulator.clock import short
from reconciler.emulator.database import Session


@dataclass(frozen=True)
class Audience:
    id: str
    account_id: str
    retailer_id: str
    name: str
    segment_ids: tuple[str, ...]
    created_at: float


@dataclass(frozen=True)
class Filter:
    """AND-ed; an empty list filters nothing."""

    ids: Sequence[str] = ()
    retailer_ids: Sequence[str] = ()
    segment_ids: Sequence[str] = ()


def insert(session: Session, account_id: str, retailer_id: str, name: str, segment_ids: Sequence[str]) -> str:
    audience_id = str(session.next_id())
    session.db.execute(
        "INSERT INTO audiences (id, account_id, retailer_id, name, segment_ids, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            audience_id,
            account_id,
            retailer_id,
            name,
            orjson.dumps(list(segment_ids)).decode(),
            session.now,
        ),
    )
    return audience_id


def search(session: Session, account_id: str, wanted: Filter) -> list[Audience]:
    """In the order of creation."""
    rows = session.db.execute(
        "SELECT id, account_id, retailer_id, name, segment_ids, created_at FROM audiences"
        " WHERE account_id = ? ORDER BY number",
        (account_id,),
    )
    found = (
        Audience(key, account, retailer, name, tuple(orjson.loads(ids)), created_at)
        for key, account, retailer, name, ids, created_at in rows
    )
    return [
        audience
        for audience in found
        if (not wanted.ids or audience.id in wanted.ids)
        and (not wanted.retailer_ids or audience.retailer_id in wanted.retailer_ids)
        and (not wanted.segment_ids or set(audience.segment_ids) & set(wanted.segment_ids))
    ]


def built_on(session: Session, account_id: str, segment_ids: Sequence[str]) -> bool:
    return bool(search(session, account_id, Filter(segment_ids=segment_ids)))


def resource(audience: Audience) -> dict[str, object]:
    attributes: dict[str, object] = {
        "name": audience.name,
        "description": None,
        "accountId": audience.account_id,
        "retailerId": audience.retailer_id,
        "algebra": {"or": [{"audienceSegmentId": segment} for segment in audience.segment_ids]},
        "channels": ["Offsite"],
        "createdAt": short(audience.created_at),
        "createdById": None,
        "updatedAt": short(audience.created_at),
    }
    return {"id": audience.id, "type": "Audience", "attributes": attributes}
