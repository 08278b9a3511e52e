"""Puts a token on each request: one cache of it for all that is sent with a credential."""

import logging
import threading
from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from http import HTTPMethod

import httpx

from reconciler import __version__
from reconciler.core.ports import Clock
from reconciler.core.secret import Secret
from reconciler.criteo.call_recorder import CallRecorder
from reconciler.criteo.endpoints import Endpoint
from reconciler.criteo.grants import Error, Grant
from reconciler.criteo.token_response import read_token

logger = logging.getLogger("reconciler.criteo")
AGENT = f"criteo-reconciler/{__version__}"
MARGIN, SHARE = timedelta(seconds=60), 4
"""A token is renewed this long before it expires, so that no call leaves with one that expires on the
way; but not before three quarters of its life: a short-lived one is good for more than one call."""
KEPT = 8
"""Tokens that are remembered so that an answer which repeats one is noticed: two hours of them."""


def token_request(url: httpx.URL, form: Mapping[str, str], timeout: httpx.Timeout) -> httpx.Request:
    """As RFC 6749 wants it; with a time-out of its own, which the client's doesn't reach."""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": AGENT}
    return httpx.Request("POST", url, data=form, headers=headers, extensions={"timeout": timeout.as_dict()})


class TokenAuth(httpx.Auth):
    """Puts a living token on each request; threads share it, and only one of them renews it.

    A token that is answered 401 is forgotten: sending the call again fetches a new one.
    """

    requires_response_body = True

    def __init__(
        self,
        token_url: str,
        grant: Grant,
        clock: Clock,
        timeout: httpx.Timeout,
        calls: CallRecorder,
        spent: tuple[Secret, ...] = (),
    ) -> None:
        """`timeout` is for token requests: the timeout of the client does not apply in an auth flow.

        `spent` are other secrets that Criteo received and may repeat.
        """
        self.token_url = httpx.URL(token_url)
        self._timeout = timeout
        self._calls = calls
        self._spent = spent
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
        return (*self._grant.secrets(), *self._issued, *self._spent)

    def named(self, error: Error) -> Error:
        """Add the credential of the token to the fix of the error."""
        return self._grant.named(error)

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
        """The answer is kept by its grant before its token is used."""
        with self._grant.token_request() as question:
            asked_at = self._clock.now()
            response = yield token_request(self.token_url, question.form, self._timeout)
            took = self._clock.now() - asked_at
            self._calls.answered(HTTPMethod.POST, Endpoint.TOKEN, took, response.status_code)
            logger.debug("POST %s %d", Endpoint.TOKEN, response.status_code)
            granted = read_token(response.status_code, response.content)
            came = (granted.access_token, granted.refresh_token)
            self._issued = (*self._issued, *(one for one in came if one))[-2 * KEPT :]
            question.store_consent(granted)
        self._token = granted.access_token
        life = timedelta(seconds=granted.seconds)
        self._renew_at = asked_at + life - min(MARGIN, life / SHARE)
        return self._token

    def _forget(self, token: Secret) -> None:
        with self._lock:
            if self._token is token:
                self._token = None
