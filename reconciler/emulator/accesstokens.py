"""Access tokens and what they reach; kept as digests, good for 900 seconds of the emulator's clock."""

import secrets
from dataclasses import dataclass

from reconciler.emulator import consents
from reconciler.emulator.database import Session, digest
from reconciler.emulator.responses import Problem, Refused

OWN = 0
"""In place of a consent's number: the application's own right, by client credentials."""
NO_CONSENT = Problem(
    "authorization",
    "insufficient-account-permissions",
    "The account does not exist or has not given consent",
)


@dataclass(frozen=True)
class Grant:
    """The rights of a token: its consent, its accounts, and its calls per minute."""

    consent: int
    reach: frozenset[str]
    limit: int


def issue(session: Session, consent: int) -> str:
    """Several may be alive at once."""
    token = secrets.token_urlsafe(48)
    until = session.now + session.switches.token_seconds
    session.db.execute("INSERT INTO tokens VALUES (?, ?, ?)", (digest(token), until, consent))
    return token


def check(session: Session, authorization: str) -> Grant:
    """Refuses all but a living token of a living consent."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise _unauthorized("missing", "The authorization token is missing")
    row = session.db.execute(
        "SELECT expires_at, consent FROM tokens WHERE digest = ?", (digest(value.strip()),)
    ).fetchone()
    if row is None:
        raise _unauthorized("invalid", "The authorization token is invalid")
    if row[0] <= session.now:
        raise _unauthorized("expired", "The authorization token has expired")
    return own(session) if row[1] == OWN else _consented(session, row[1])


def own(session: Session) -> Grant:
    """Every account, and the minute of the application."""
    return Grant(OWN, _existing(session), session.switches.rate_limit)


def _consented(session: Session, number: int) -> Grant:
    """The accounts ticked on the consent page, which pool their calls."""
    if not consents.lives(session, number):
        raise Refused(403, NO_CONSENT)
    ticked = consents.accounts(session, number)
    limit = len(ticked) * session.switches.rate_limit_per_account
    return Grant(number, ticked & _existing(session), limit)


def _existing(session: Session) -> frozenset[str]:
    return frozenset(key for (key,) in session.db.execute("SELECT id FROM accounts"))


def _unauthorized(code: str, title: str) -> Refused:
    return Refused(401, Problem("authorization", f"authorization-token-{code}", title))
