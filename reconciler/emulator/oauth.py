"""The token endpoint: three grants, answered and refused in the shape of OAuth, not that of the API."""

from collections.abc import Callable, Mapping

from reconciler.emulator import accesstokens, refreshtokens
from reconciler.emulator import authorization_codes as codes
from reconciler.emulator.database import Session
from reconciler.emulator.responses import Answer

Form = Mapping[str, list[str]]


class TokenRefused(Exception):  # noqa: N818 - a documented answer, not a failure of the emulator
    """What was done before stays done: a stolen code ends its consent."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(error)
        self.answer = Answer(status, {"error": error, "error_description": description, "error_uri": None})


def token(session: Session, form: Form) -> Answer:
    try:
        return _granted(session, form)
    except TokenRefused as refused:
        return refused.answer


def grant_type(form: Form) -> str:
    """Return the grant type if it is a known one."""
    given = form.get("grant_type", [])
    return given[0] if len(given) == 1 and given[0] in GRANTS else ""


def _granted(session: Session, form: Form) -> Answer:
    grant = GRANTS.get(_given(form, "grant_type"))
    if grant is None:
        raise TokenRefused(400, "unsupported_grant_type", "The grant type is not supported")
    expected = [session.get("client_id"), session.get("client_secret")]
    if [_value(form, "client_id"), _value(form, "client_secret")] != expected:
        raise TokenRefused(401, "invalid_client", "The client id or secret is wrong")
    return grant(session, form)


def _client_credentials(session: Session, _form: Form) -> Answer:
    return _issued(session, accesstokens.OWN, refresh_token=None)


def _authorization_code(session: Session, form: Form) -> Answer:
    code, redirect_uri = _given(form, "code"), _given(form, "redirect_uri")
    consent = codes.redeem(session, code, redirect_uri, _value(form, "code_verifier"))
    if consent is None:
        raise TokenRefused(400, "invalid_grant", "The code, its redirect URI or its verifier is wrong")
    return _issued(session, consent, refreshtokens.issue(session, consent))


def _refresh_token(session: Session, form: Form) -> Answer:
    redeemed = refreshtokens.redeem(session, _given(form, "refresh_token"))
    if redeemed is None:
        raise TokenRefused(400, "invalid_grant", "The refresh token is no longer good")
    return _issued(session, *redeemed)


GRANTS: dict[str, Callable[[Session, Form], Answer]] = {
    "client_credentials": _client_credentials,
    "authorization_code": _authorization_code,
    "refresh_token": _refresh_token,
}


def _issued(session: Session, consent: int, refresh_token: str | None) -> Answer:
    body = {
        "access_token": accesstokens.issue(session, consent),
        "token_type": "Bearer",
        "refresh_token": refresh_token,
        "expires_in": session.switches.token_seconds,
    }
    return Answer(200, body, {"cache-control": "no-store"})


def _given(form: Form, name: str) -> str:
    value = _value(form, name)
    if not value:
        raise TokenRefused(400, "invalid_request", f"{name} is missing")
    return value


def _value(form: Form, name: str) -> str:
    """Empty means absent; what comes twice has no value (RFC 6749, 3.2)."""
    values = form.get(name, [])
    if len(values) > 1:
        raise TokenRefused(400, "invalid_request", f"{name} is given more than once")
    return values[0] if values else ""
