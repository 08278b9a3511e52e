"""Authorization codes: short-lived, good once, kept as digests with what must be presented with them."""

import secrets

from reconciler.emulator import consents, pkce
from reconciler.emulator.database import Session, digest


def issue(session: Session, consent: int, redirect_uri: str, challenge: str) -> str:
    """The challenge as `pkce.kept` has it; empty if none was given."""
    code = secrets.token_urlsafe(32)
    until = session.now + session.switches.code_seconds
    session.db.execute(
        "INSERT INTO codes VALUES (?, ?, ?, ?, ?, 0)",
        (digest(code), consent, digest(redirect_uri), challenge, until),
    )
    return code


def redeem(session: Session, code: str, redirect_uri: str, verifier: str) -> int | None:
    """Return the consent of a code; None if the code is not valid or the request differs.

    A code that is used twice was stolen: its consent ends (RFC 6749, 4.1.2).
    """
    row = session.db.execute(
        "SELECT consent, redirect, challenge, expires_at, used FROM codes WHERE digest = ?", (digest(code),)
    ).fetchone()
    if row is None:
        return None
    consent, redirect, challenge, expires_at, used = row
    if used:
        consents.revoke(session, consent)
        return None
    if expires_at <= session.now or not consents.lives(session, consent):
        return None
    if redirect != digest(redirect_uri) or not pkce.answers(verifier, challenge):
        return None
    session.db.execute("UPDATE codes SET used = 1 WHERE digest = ?", (digest(code),))
    return int(consent)
