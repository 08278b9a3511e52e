"""Access tokens: issued per grant, kept as digests, good for 900 seconds of the emulator's clock."""

import hashlib
import secrets
from collections.abc import Callable, Mapping

from reconciler.emulator.answers import Answer, Problem, Refused
from reconciler.emulator.database import Session

Form = Mapping[str, str]


def token(session: Session, form: Form) -> Answer:
    """Errors have the shape of OAuth, not that of the API."""
    grant = GRANTS.get(form.get("grant_type", ""))
    if grant is None:
        return _error(400, "unsupported_grant_type", "The grant type is not supported")
    expected = (session.get("client_id"), session.get("client_secret"))
    if (form.get("client_id"), form.get("client_secret")) != expected:
        return _error(401, "invalid_client", "The client id or secret is wrong")
    return grant(session, form)


def check(session: Session, authorization: str) -> None:
    """Refuses all but a living token."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise _unauthorized("missing", "The authorization token is missing")
    row = session.db.execute(
        "SELECT expires_at FROM tokens WHERE digest = ?", (_digest(value.strip()),)
    ).fetchone()
    if row is None:
        raise _unauthorized("invalid", "The authorization token is invalid")
    if row[0] <= session.now:
        raise _unauthorized("expired", "The authorization token has expired")


def _client_credentials(session: Session, _form: Form) -> Answer:
    return _issue(session, refresh_token=None)


GRANTS: dict[str, Callable[[Session, Form], Answer]] = {"client_credentials": _client_credentials}


def _issue(session: Session, refresh_token: str | None) -> Answer:
    """Several tokens may be alive at once."""
    access_token = secrets.token_urlsafe(48)
    seconds = session.switches.token_seconds
    session.db.execute("INSERT INTO tokens VALUES (?, ?)", (_digest(access_token), session.now + seconds))
    body = {
        "access_token": access_token,
        "token_type": "Bearer",
        "refresh_token": refresh_token,
        "expires_in": seconds,
    }
    return Answer(200, body)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _unauthorized(code: str, title: str) -> Refused:
    return Refused(401, Problem("authorization", f"authorization-token-{code}", title))


def _error(status: int, error: str, description: str) -> Answer:
    return Answer(status, {"error": error, "error_description": description, "error_uri": None})
