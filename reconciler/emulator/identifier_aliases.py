"""The forms of one e-mail as one member, as far as they are known; used only by a switch.

A member is held as the SHA-256 of its address. A digest is tied to an address once the address
itself has been seen in any call; a digest of an address never seen stays a member of its own.
"""

import hashlib

from reconciler.emulator.database import Session


def resolve(session: Session, identifiers: list[str]) -> list[str]:
    """Return the member of each identifier."""
    for identifier in identifiers:
        if "@" in identifier:
            _learn(session, identifier)
    return [_member(session, identifier) for identifier in identifiers]


def _forms(address: str) -> tuple[str, str, str]:
    """SHA-256, which is the member; MD5; SHA-256 of the MD5."""
    sha256 = hashlib.sha256(address.encode()).hexdigest()
    md5 = hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()
    return sha256, md5, hashlib.sha256(md5.encode()).hexdigest()


def _member(session: Session, identifier: str) -> str:
    if "@" in identifier:
        return _forms(identifier.lower())[0]
    row = session.db.execute("SELECT member FROM aliases WHERE form = ?", (identifier,)).fetchone()
    return row[0] if row else identifier


def _learn(session: Session, address: str) -> None:
    """From now on the other forms are this member, and so are those held already."""
    member, *others = _forms(address.lower())
    for form in others:
        session.db.execute("INSERT OR IGNORE INTO aliases VALUES (?, ?)", (form, member))
        for (segment,) in session.db.execute("SELECT number FROM segments").fetchall():
            _merge(session, segment, form, member)


def _merge(session: Session, segment: int, form: str, member: str) -> None:
    gone = session.db.execute(
        "DELETE FROM members WHERE segment = ? AND member = ?", (segment, form)
    ).rowcount
    if not gone:
        return
    new = session.db.execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (segment, member)).rowcount
    session.db.execute("UPDATE segments SET size = size + ? WHERE number = ?", (new - 1, segment))
