"""Audience segments as rows and as JSON. Makes no checks and contains no members."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import orjson

from reconciler.emulator.clock import short
from reconciler.emulator.database import Session

CHANNELS = {
    "CustomerId": ["Onsite"],
    "Email": ["Offsite"],
    "IdentityLink": ["Offsite"],
    "PhoneNumber": ["Offsite"],
    "UserIdentifier": ["Offsite"],
}
BOTH_CHANNELS = ["Onsite", "Offsite"]


@dataclass(frozen=True)
class Segment:
    """`size` is the members held now; `computed_*` is what the last computation saw, or null."""

    number: int
    id: str
    contact_list_id: int
    account_id: str
    retailer_id: str
    name: str
    description: str | None
    identifier_type: str | None
    events: str | None
    sharing_status: str
    read_only: int
    created_at: float
    updated_at: float
    size: int
    computed_size: int | None
    computed_matches: int | None


COLUMNS = ", ".join(field.name for field in fields(Segment))


@dataclass(frozen=True)
class Draft:
    """A segment about to exist: a contact list if it has an identifier type, else events."""

    account_id: str
    retailer_id: str
    name: str
    description: str | None
    identifier_type: str | None
    events: str | None


def key(name: str) -> str:
    """What two names are compared by."""
    return name.strip().casefold()


def resource(segment: Segment) -> dict[str, object]:
    contact_list = None
    if segment.identifier_type is not None:
        contact_list = {
            "identifierType": segment.identifier_type,
            "sharingStatus": segment.sharing_status,
            "isReadOnly": bool(segment.read_only),
        }
    attributes: dict[str, object] = {
        "name": segment.name,
        "description": segment.description,
        "type": "ContactList" if contact_list else "Events",
        "accountId": segment.account_id,
        "retailerId": segment.retailer_id,
        "channels": CHANNELS.get(segment.identifier_type or "", BOTH_CHANNELS),
        "contactList": contact_list,
        "events": orjson.loads(segment.events) if segment.events else None,
        "createdAt": short(segment.created_at),
        "createdById": None,  # a service created it: client credentials have no user
        "updatedAt": short(segment.updated_at),
    }
    return {"id": segment.id, "type": "AudienceSegment", "attributes": attributes}


def find(session: Session, segment_id: str) -> Segment | None:
    row = session.db.execute(f"SELECT {COLUMNS} FROM segments WHERE id = ?", (segment_id,)).fetchone()
    return Segment(*row) if row else None


def every(session: Session) -> tuple[Segment, ...]:
    rows = session.db.execute(f"SELECT {COLUMNS} FROM segments ORDER BY number")
    return tuple(Segment(*row) for row in rows)


@dataclass(frozen=True)
class Filter:
    """AND-ed; an empty list filters nothing."""

    ids: Sequence[str] = ()
    retailer_ids: Sequence[str] = ()
    types: Sequence[str] = ()


def search(session: Session, account_id: str, wanted: Filter) -> list[Segment]:
    """In the order of creation."""
    rows = session.db.execute(
        f"SELECT {COLUMNS} FROM segments WHERE account_id = ? ORDER BY number", (account_id,)
    )
    found = (Segment(*row) for row in rows)
    return [
        segment
        for segment in found
        if (not wanted.ids or segment.id in wanted.ids)
        and (not wanted.retailer_ids or segment.retailer_id in wanted.retailer_ids)
        and (not wanted.types or _kind(segment) in wanted.types)
    ]


def _kind(segment: Segment) -> str:
    return "Events" if segment.identifier_type is None else "ContactList"


def taken(session: Session, account_id: str, retailer_id: str, name: str, but: str = "") -> bool:
    """Return whether another segment in the scope of uniqueness has the name, or once had it."""
    anywhere = session.switches.name_scope == "account"
    where = "account_id = ? AND name_key = ? AND (? OR retailer_id = ?)"
    given = (account_id, key(name), anywhere, retailer_id)
    living = f"SELECT 1 FROM segments WHERE {where} AND id != ?"
    if session.db.execute(living, (*given, but)).fetchone():
        return True
    if session.switches.names_reusable:
        return False
    used = f"SELECT 1 FROM used_names WHERE {where}"
    return session.db.execute(used, given).fetchone() is not None


def insert(session: Session, draft: Draft) -> str:
    segment_id = str(session.next_id())
    session.db.execute(
        "INSERT INTO segments (id, contact_list_id, account_id, retailer_id, name, name_key,"
        " description, identifier_type, events, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            segment_id,
            session.next_id(),
            draft.account_id,
            draft.retailer_id,
            draft.name,
            key(draft.name),
            _kept(session, draft.description),
            draft.identifier_type,
            draft.events,
            session.now,
            session.now,
        ),
    )
    return segment_id


def _kept(session: Session, description: str | None) -> str | None:
    return description if session.switches.descriptions == "kept" else None


def update(session: Session, segment_id: str, name: str, description: str | None, events: str | None) -> None:
    session.db.execute(
        "UPDATE segments SET name = ?, name_key = ?, description = ?, events = ?, updated_at = ?"
        " WHERE id = ?",
        (name, key(name), _kept(session, description), events, session.now, segment_id),
    )


def delete(session: Session, segment: Segment) -> None:
    """Members go with it; its name is remembered in case names are not reusable."""
    session.db.execute("DELETE FROM members WHERE segment = ?", (segment.number,))
    session.db.execute("DELETE FROM segments WHERE number = ?", (segment.number,))
    session.db.execute(
        "INSERT OR IGNORE INTO used_names VALUES (?, ?, ?)",
        (segment.account_id, segment.retailer_id, key(segment.name)),
    )


def set_read_only(session: Session, segment: Segment, read_only: bool) -> None:
    session.db.execute("UPDATE segments SET read_only = ? WHERE number = ?", (read_only, segment.number))


def set_sharing(session: Session, segment: Segment, status: str) -> None:
    session.db.execute("UPDATE segments SET sharing_status = ? WHERE number = ?", (status, segment.number))
