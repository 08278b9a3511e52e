"""Refresh tokens: stored as digests, valid for half a year, replaced at each use unless a switch is off."""

import secrets

from reconciler.emulator import consents
from reconciler.emulator.database import Session, digest

DAY = 86_400


def issue(session: Session, consent: int) -> str:
    token = secrets.token_urlsafe(48)
    until = session.now + session.switches.refresh_token_days * DAY
    session.db.execute("INSERT INTO refresh_tokens VALUES (?, ?, ?, 0)", (digest(token), consent, until))
    return token


def redeem(session: Session, token: str) -> tuple[int, str] | None:
    """The consent behind it and the token to use next; nothing if it is not good."""
    row = session.db.execute(
        "SELECT consent, expires_at, replaced FROM refresh_tokens WHERE digest = ?", (digest(token),)
    ).fetchone()
    if row is None:
        return None
    consent, expires_at, replaced = row
    if replaced:
        _suspect(session, consent)
        return None
    if expires_at <= session.now or not consents.lives(session, consent):
        return None
    if not session.switches.rotate_refresh_tokens:
        return consent, token
    session.db.execute("UPDATE refresh_tokens SET replaced = 1 WHERE digest = ?", (digest(token),))
    return consent, issue(session, consent)


def _suspect(session: Session, consent: int) -> None:
    """End the consent of a token that was used twice: one of its holders stole it (RFC 9700)."""
    if session.switches.reuse_revokes:
        consents.revoke(session, consent)
