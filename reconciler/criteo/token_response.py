"""The response of a token endpoint: a token, an OAuth error, or neither."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import orjson

from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret

SHORTEST_LIFE, LONGEST_LIFE = 300, 86_400
"""Seconds: the lifetime of a token if the response states none, and the longest accepted lifetime."""
TOKEN = re.compile(r"[\x21-\x7e]+")
WRONG_GRANT = "the application is not allowed this grant: compare `grant` with its settings at Criteo"
REMEDIES = {
    "invalid_client": "check clientId and clientSecret: they are made in pairs, and a secret is shown once",
    "unauthorized_client": WRONG_GRANT,
    "unsupported_grant_type": WRONG_GRANT,
    "invalid_grant": "the consent or the refresh token is no longer good: ask for consent again",
}
KNOWN = frozenset({*REMEDIES, "invalid_request", "invalid_scope", "access_denied"})
"""OAuth errors that may be printed. Any other text may be a field of the request."""


class TokenUnavailableError(Exception):
    """The token endpoint is down or busy; a later request may succeed. The text is ours."""


class TokenRefusedError(AuthenticationError):
    """The token endpoint refused. `code` is the OAuth error (RFC 6749, 5.2), or "" for an unknown one."""

    def __init__(self, problem: str, *, remedy: str, code: str) -> None:
        super().__init__(problem, remedy=remedy)
        self.code = code


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """An access token, its lifetime in seconds, and its refresh token."""

    access_token: Secret
    seconds: float
    refresh_token: Secret | None


def read_token(status: int, content: bytes) -> TokenResponse:
    """Return the token of a response. Errors: TokenRefusedError, TokenUnavailableError."""
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise TokenUnavailableError(f"the token endpoint answers {status}")
    body = _object(content)
    token = body.get("access_token")
    if status != httpx.codes.OK or not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise _refused(status, body.get("error"))
    seconds = body.get("expires_in")
    life = seconds if isinstance(seconds, (int, float)) and seconds > 0 else SHORTEST_LIFE
    return TokenResponse(Secret(token), min(life, LONGEST_LIFE), _refresh_token(body))


def _refresh_token(body: Mapping[str, object]) -> Secret | None:
    """Return the refresh token; None with the `clientCredentials` grant."""
    token = body.get("refresh_token")
    if token is None or token == "":
        return None
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise TokenUnavailableError("the token endpoint returned an invalid refresh token")
    return Secret(token)


def _refused(status: int, error: object) -> TokenRefusedError:
    code = error if isinstance(error, str) and error in KNOWN else ""
    answer = f"{status} {code}".strip() if code or status != httpx.codes.OK else "200 without one"
    remedy = REMEDIES.get(code, "check tokenUrl, clientId and clientSecret, then run `reconciler doctor`")
    problem = f"Criteo gave no token (the token endpoint answers {answer})"
    return TokenRefusedError(problem, remedy=remedy, code=code)


def _object(content: bytes) -> Mapping[str, object]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
