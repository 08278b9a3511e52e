"""The consents that users at Criteo gave and withdrew. Contains no code and no token."""

from collections.abc import Iterable

from reconciler.emulator.database import Session


def give(session: Session, account_ids: Iterable[str]) -> int:
    """Beside those given before, also for the same accounts."""
    given = session.db.execute("INSERT INTO consents (revoked) VALUES (0)")
    number = int(given.lastrowid or 0)
    session.db.executemany("INSERT INTO consented VALUES (?, ?)", [(number, key) for key in account_ids])
    return number


def lives(session: Session, number: int) -> bool:
    row = session.db.execute("SELECT revoked FROM consents WHERE number = ?", (number,)).fetchone()
    return row is not None and not row[0]


def accounts(session: Session, number: int) -> frozenset[str]:
    """All it was given for, also those withdrawn since."""
    rows = session.db.execute("SELECT account_id FROM consented WHERE consent = ?", (number,))
    return frozenset(key for (key,) in rows)


def revoke(session: Session, number: int) -> None:
    """Its code, its tokens and its refresh tokens are worth nothing from now on."""
    session.db.execute("UPDATE consents SET revoked = 1 WHERE number = ?", (number,))


def revoke_all(session: Session) -> int:
    """Returns how many were alive."""
    return session.db.execute("UPDATE consents SET revoked = 1 WHERE NOT revoked").rowcount
