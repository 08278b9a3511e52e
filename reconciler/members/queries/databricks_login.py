"""How requests to a workspace are authenticated: by a token, or as a service principal."""

import re
import time
from collections.abc import Generator

import httpx

from reconciler.core.secret import Secret
from reconciler.members.queries.databricks_errors import refused
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Account

TOKENS = "/oidc/v1/token"
EARLY = 120.0
"""Seconds before its end in which a token is not used any more."""
_TOKEN = re.compile(r"[\x21-\x7e]+")


class Bearer(httpx.Auth):
    """Sends a token."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        yield request


class ServicePrincipal(httpx.Auth):
    """Exchanges an OAuth secret for a token of an hour, and again before that token ends."""

    requires_response_body = True

    def __init__(self, url: str, account: Account) -> None:
        self._url = f"{url}{TOKENS}"
        self._login = httpx.BasicAuth(account.user.reveal(), account.password.reveal())
        self._bearer: Bearer | None = None
        self._end = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._bearer is None or time.monotonic() >= self._end:
            content = {"grant_type": "client_credentials", "scope": "all-apis"}
            asked = httpx.Request("POST", self._url, data=content, extensions=request.extensions)
            answer = yield next(self._login.auth_flow(asked))
            self._bearer, self._end = _granted(answer)
        yield from self._bearer.auth_flow(request)


def login(url: str, account: Account) -> httpx.Auth:
    """Return how requests to a workspace are authenticated. Raises QueryError."""
    if account.user.reveal():
        return ServicePrincipal(url, account)
    if not _TOKEN.fullmatch(account.token.reveal()):
        raise QueryError(QueryProblem.TOKEN)
    return Bearer(account.token)


def _granted(answer: httpx.Response) -> tuple[Bearer, float]:
    """Return a token, and when it is not used any more. Raises QueryError."""
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise refused(answer.status_code, None)
    if answer.status_code != httpx.codes.OK:
        raise QueryError(QueryProblem.PRINCIPAL, str(answer.status_code))
    try:
        content = answer.json()
        token, end = content["access_token"], time.monotonic() + int(content["expires_in"]) - EARLY
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise QueryError(QueryProblem.NOT_A_WORKSPACE) from None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise QueryError(QueryProblem.NOT_A_WORKSPACE)
    return Bearer(Secret(token)), end
