"""The identifiers of each segment. Does not check whether an identifier is valid."""

from collections.abc import Callable

import orjson

from reconciler.emulator import identifier_aliases as aliases
from reconciler.emulator.database import Session
from reconciler.emulator.segments import Segment


def add(session: Session, segment: Segment, identifiers: list[str]) -> None:
    """Adding a member twice holds it once. One statement over one JSON array is the fastest.

    As text: SQLite takes bytes for its own binary form of JSON where they happen to look like it.
    """
    rows = orjson.dumps(_resolved(session, segment, identifiers)).decode()
    added = session.db.execute(
        "INSERT OR IGNORE INTO members SELECT ?, value FROM json_each(?)", (segment.number, rows)
    ).rowcount
    _grow(session, segment, added)


def remove(session: Session, segment: Segment, identifiers: list[str]) -> None:
    """Removing an absent member does nothing."""
    rows = [(segment.number, member) for member in _resolved(session, segment, identifiers)]
    removed = session.db.executemany("DELETE FROM members WHERE segment = ? AND member = ?", rows).rowcount
    _grow(session, segment, -removed)


CHANGES: dict[str, Callable[[Session, Segment, list[str]], None]] = {"add": add, "remove": remove}


def clear(session: Session, segment: Segment) -> None:
    session.db.execute("DELETE FROM members WHERE segment = ?", (segment.number,))
    session.db.execute("UPDATE segments SET size = 0 WHERE number = ?", (segment.number,))


def read(session: Session, segment: Segment) -> frozenset[str]:
    rows = session.db.execute("SELECT member FROM members WHERE segment = ?", (segment.number,))
    return frozenset(row[0] for row in rows)


def _resolved(session: Session, segment: Segment, identifiers: list[str]) -> list[str]:
    if session.switches.forms_equivalent and segment.identifier_type == "Email":
        return aliases.resolve(session, identifiers)
    return identifiers


def _grow(session: Session, segment: Segment, by: int) -> None:
    session.db.execute("UPDATE segments SET size = size + ? WHERE number = ?", (by, segment.number))
