"""Builds a connection: one client, token, limit and clock behind a reader and a writer."""

import random
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

import httpx

from reconciler.core.errors import ConfigurationError, RemoteError
from reconciler.core.ports import Clock
from reconciler.core.secret import Secret
from reconciler.core.telemetry import SILENT, Telemetry
from reconciler.criteo.answers import KEPT, LARGEST, unreadable
from reconciler.criteo.call_recorder import CallRecorder
from reconciler.criteo.client import CriteoReader, CriteoWriter
from reconciler.criteo.endpoints import Endpoint
from reconciler.criteo.errors import connection_error_reason
from reconciler.criteo.grants import AuthorizationCode, Grant
from reconciler.criteo.inspector import CriteoInspector
from reconciler.criteo.rate_limiter import RateLimiter
from reconciler.criteo.retries import RetryingSession
from reconciler.criteo.token_auth import AGENT, TokenAuth, token_request
from reconciler.criteo.token_response import TokenUnavailableError, read_token
from reconciler.criteo.transport import NEVER_SENT, Transport
from reconciler.web.deadline import Routes
from reconciler.web.size_limits import Bounded

LONGEST_CONNECT = 10.0
LONGEST_TOKEN = 20.0
"""Seconds: other runs may be waiting for the same token."""
NOT_USED = "the code was not sent, and is good for a short time: once that is fixed, paste the same address"
USED_UP = (
    "what was kept before is unchanged, and the code may be used up; if Criteo says that access was granted "
    "already, revoke it at consent.criteo.com, then ask for consent again"
)
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Content-Type": "application/json",
    "User-Agent": AGENT,
}


class Connection:
    """The connection of one credential. Close it, or use it in a `with`."""

    def __init__(
        self, http: httpx.Client, exchange: Transport, session: RetryingSession, gate: RateLimiter
    ) -> None:
        self._http = http
        self._exchange = exchange
        self._session = session
        self._gate = gate
        self.reader = CriteoReader(session)
        self.inspector = CriteoInspector(session, self.reader)

    @property
    def trace_ids(self) -> tuple[str, ...]:
        """Return the trace IDs of responses, which Criteo's support asks for."""
        return tuple(self._exchange.trace_ids)

    def writer(self) -> CriteoWriter:
        """Return the writer. Only commands that change segments use it; `plan` does not.

        From now on, the connection leaves calls to commands that only read.
        """
        self._gate.leave_reserve()
        return CriteoWriter(self._session)

    @property
    def refusals(self) -> int:
        """Return how many calls got a 429."""
        return self._gate.refusals

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def connect(
    *,
    base_url: str,
    version: str,
    token_url: str,
    grant: Grant,
    timeout: timedelta,
    clock: Clock,
    share: float = 1.0,
    transport: httpx.BaseTransport | None = None,
    chance: Callable[[], float] = random.random,
    spent: tuple[Secret, ...] = (),
    telemetry: Telemetry = SILENT,
) -> Connection:
    """Return a connection. Sends nothing yet. With an empty `token_url`, tokens come from `base_url`.

    `share`: of the calls that Criteo allows. `spent`: secrets that Criteo received before and may repeat.
    Without a transport, proxies and certificates come from the environment variables.
    """
    base_url = base_url.rstrip("/")
    seconds = timeout.total_seconds()
    calls = CallRecorder(telemetry, base_url)
    url, longest = token_url or f"{base_url}{Endpoint.TOKEN}", min(seconds, LONGEST_TOKEN)
    auth = TokenAuth(url, grant, clock, _timeout(longest), calls, spent)
    http = _client(base_url, seconds, transport)
    gate = RateLimiter(clock, grant.calls_a_minute, share, calls)
    exchange = Transport(http, auth, gate, clock, calls)
    session = RetryingSession(exchange, gate, clock, version, chance)
    return Connection(http, exchange, session, gate)


def redeem(
    *,
    base_url: str,
    token_url: str,
    grant: AuthorizationCode,
    timeout: timedelta,
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Exchange a code for a stored consent. The request is sent once, because a code is valid for one use."""
    seconds = min(timeout.total_seconds(), LONGEST_TOKEN)
    url = httpx.URL(token_url or f"{base_url.rstrip('/')}{Endpoint.TOKEN}")
    with _client(base_url, seconds, transport) as http, grant.token_request() as question:
        request = token_request(url, question.form, _timeout(seconds))
        try:
            response = http.send(request)
            granted = read_token(response.status_code, response.content)
        except (httpx.RequestError, TokenUnavailableError) as error:
            unsent = isinstance(error, NEVER_SENT)
            remedy = f"{NOT_USED}: {grant.again}" if unsent else f"{USED_UP}: {grant.again}"
            raise RemoteError(_unanswered(error), remedy=remedy) from None
        question.store_consent(granted)


def _unanswered(error: httpx.RequestError | TokenUnavailableError) -> str:
    if isinstance(error, TokenUnavailableError):
        return str(error)
    if unread := unreadable(error):
        return f"the token endpoint answers, and {unread}: a refresh token that came with it is lost"
    return f"the token endpoint gave no answer ({connection_error_reason(error)[0]})"


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(seconds, LONGEST_CONNECT))


def _client(base_url: str, seconds: float, transport: httpx.BaseTransport | None) -> httpx.Client:
    """Return the HTTP client. Reads the variables for proxies and certificates, which may be wrong."""
    try:
        return httpx.Client(
            base_url=base_url,
            headers=HEADERS,
            timeout=_timeout(seconds),
            transport=Bounded(transport or Routes(), LARGEST, KEPT),
        )
    except OSError:  # of which ssl.SSLError is one
        raise ConfigurationError(
            "SSL_CERT_FILE or SSL_CERT_DIR names no certificates that can be read",
            remedy="name a file in PEM format, or unset it: then the authorities that come along are used",
        ) from None
    except (ValueError, httpx.InvalidURL):
        raise ConfigurationError(
            "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not the address of a proxy",
            remedy="write http://HOST:PORT, or unset it",
        ) from None
