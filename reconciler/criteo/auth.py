"""OAuth: how a credential gets a token, and one cache of it for all that is sent with the credential."""

import re
import threading
from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import httpx
import orjson

from reconciler.core.errors import AuthenticationError
from reconciler.core.ports import Clock
from reconciler.core.secret import Secret

MARGIN = timedelta(seconds=60)
"""A token is renewed this long before it expires: no call leaves with one that dies on the way."""
KEPT = 8
"""Tokens that are remembered so that an answer which repeats one is noticed: two hours of them."""
SHORTEST_LIFE, LONGEST_LIFE = 300, 86_400
"""Seconds: for an answer that doesn't say, and for one that can't be meant."""
TOKEN = re.compile(r"[\x21-\x7e]+")
WRONG_GRANT = "the application is not allowed this grant: compare `grant` with its settings at Criteo"
REMEDIES = {
    "invalid_client": "check clientId and clientSecret: they are made in pairs, and a secret is shown once",
    "unauthorized_client": WRONG_GRANT,
    "unsupported_grant_type": WRONG_GRANT,
    "invalid_grant": "the consent or the refresh token is no longer good: ask for consent again",
}
KNOWN = frozenset({*REMEDIES, "invalid_request", "invalid_scope", "access_denied"})
"""Errors of OAuth that may be repeated: any other text may be one of the fields that were sent."""


class TokenUnavailableError(Exception):
    """The token endpoint is down or busy; asking again later may help. The text is ours."""


class Grant(Protocol):
    """One way to ask for a token."""

    def form(self) -> Mapping[str, str]:
        """The fields of the token request; they hold secrets."""
        ...

    def secrets(self) -> tuple[Secret, ...]:
        """Those of its fields that nobody may see."""
        ...


class ClientCredentials:
    """The application speaks for itself."""

    def __init__(self, client_id: Secret, client_secret: Secret) -> None:
        self._client_id = client_id
        self._client_secret = client_secret

    def form(self) -> Mapping[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self._client_id.reveal(),
            "client_secret": self._client_secret.reveal(),
        }

    def secrets(self) -> tuple[Secret, ...]:
        return self._client_id, self._client_secret


class TokenAuth(httpx.Auth):
    """Puts a living token on each request; threads share it, and only one of them renews it.

    A token that is answered 401 is forgotten: sending the call again fetches a new one.
    """

    requires_response_body = True

    def __init__(self, token_url: str, grant: Grant, clock: Clock) -> None:
        self.token_url = httpx.URL(token_url)
        self._grant = grant
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._issued: tuple[Secret, ...] = ()
        self._renew_at: datetime | None = None

    def due(self) -> bool:
        """The next call will fetch a token first."""
        return self._token is None or self._renew_at is None or self._clock.now() >= self._renew_at

    def secrets(self) -> tuple[Secret, ...]:
        """All that requests have carried, and that no answer may repeat where it is shown."""
        return (*self._grant.secrets(), *self._issued)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        with self._lock:
            token = None if self.due() else self._token
            if token is None:
                token = yield from self._renew()
        request.headers["Authorization"] = f"Bearer {token.reveal()}"
        request.extensions["leaving"]()
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._forget(token)

    def _renew(self) -> Generator[httpx.Request, httpx.Response, Secret]:
        asked_at = self._clock.now()
        headers = {"Accept": "application/json"}
        response = yield httpx.Request("POST", self.token_url, data=self._grant.form(), headers=headers)
        self._token, seconds = read_token(response.status_code, response.content)
        self._issued = (*self._issued[1 - KEPT :], self._token)
        self._renew_at = asked_at + timedelta(seconds=seconds) - MARGIN
        return self._token

    def _forget(self, token: Secret) -> None:
        with self._lock:
            if self._token is token:
                self._token = None


def read_token(status: int, content: bytes) -> tuple[Secret, float]:
    """The token and its life in seconds. Errors have the shape of OAuth, not that of the API."""
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise TokenUnavailableError(f"the token endpoint answers {status}")
    body = _object(content)
    token = body.get("access_token")
    if status != httpx.codes.OK or not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise _refused(status, body.get("error"))
    seconds = body.get("expires_in")
    life = seconds if isinstance(seconds, (int, float)) and seconds > 0 else SHORTEST_LIFE
    return Secret(token), min(life, LONGEST_LIFE)


def _refused(status: int, error: object) -> AuthenticationError:
    code = error if isinstance(error, str) and error in KNOWN else ""
    told = f"{status} {code}".strip() if code or status != httpx.codes.OK else "200 without one"
    remedy = REMEDIES.get(code, "check tokenUrl, clientId and clientSecret, then run `reconciler doctor`")
    return AuthenticationError(f"Criteo gave no token (the token endpoint answers {told})", remedy=remedy)


def _object(content: bytes) -> Mapping[str, object]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
