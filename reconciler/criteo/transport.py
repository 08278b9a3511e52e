"""One attempt of a request and its outcome: a response, a rejection, or unknown. Never repeats a request."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPMethod

import httpx
import orjson

from reconciler.core.audit.model import MOST_TRACE_IDS
from reconciler.core.errors import AuthenticationError, ReconcilerError
from reconciler.core.ports import Clock
from reconciler.criteo.answers import unreadable
from reconciler.criteo.call_recorder import CallRecorder
from reconciler.criteo.endpoints import Endpoint
from reconciler.criteo.errors import connection_error_reason, problems, rejection_error, trace
from reconciler.criteo.rate_limiter import RateLimiter
from reconciler.criteo.redaction import SensitiveRequest, redact_echoes
from reconciler.criteo.token_auth import TokenAuth
from reconciler.criteo.token_response import TokenUnavailableError

logger = logging.getLogger("reconciler.criteo")
NEW_TOKEN_HELPS = frozenset({"authorization-token-expired", "authorization-token-invalid", ""})
STATUS_PAGE = "see status.criteo.com, and run again"
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call. `what` begins every message about it. `endpoint` is the path without IDs.

    `writes`: the call changes something. `repeatable`: it may be repeated after an unknown outcome.
    `private`: it contains identifiers.
    """

    method: HTTPMethod
    path: str
    endpoint: Endpoint
    what: str
    content: bytes | None = field(default=None, repr=False)
    query: tuple[tuple[str, str], ...] = ()
    writes: bool = False
    repeatable: bool = True
    private: bool = False


@dataclass(frozen=True, slots=True)
class Succeeded:
    """A 2xx response with JSON."""

    body: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The call was rejected and had no effect."""

    status: int
    error: ReconcilerError
    body: object = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class RateLimited:
    """A 429: the call had no effect. The rate limiter knows when to repeat it."""


@dataclass(frozen=True, slots=True)
class TokenExpired:
    """A 401 that a new token fixes: the call had no effect."""

    error: ReconcilerError


@dataclass(frozen=True, slots=True)
class NotSent:
    """The call was not sent: no connection, or no token."""

    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The call may have taken effect. `late`: it may also take effect later."""

    problem: str
    late: bool = True


Outcome = Succeeded | Rejected | RateLimited | TokenExpired | NotSent | OutcomeUnknown


class Transport:
    """Sends calls, each once, after the wait for the rate limit.

    `trace_ids` are the newest of those that responses had.
    """

    def __init__(
        self, http: httpx.Client, auth: TokenAuth, gate: RateLimiter, clock: Clock, calls: CallRecorder
    ) -> None:
        self._http = http
        self._calls = calls
        self._clock = clock
        self._auth = auth
        self._gate = gate
        self.trace_ids: deque[str] = deque(maxlen=MOST_TRACE_IDS)

    def send(self, call: ApiCall, leaving: Callable[[], None]) -> Outcome:
        """Send the call and return its outcome. `leaving` is called right before the request is sent.

        By then, the wait for the rate limit is over and a token is available. If the call changes something,
        `leaving` is called again right before its last byte: connecting may take seconds, a body longer, and
        the process may have been suspended meanwhile.
        """
        content: bytes | Iterator[bytes] | None = call.content
        headers = {}
        if call.writes and call.content:
            content, headers = _held_back(call.content, leaving), {"Content-Length": str(len(call.content))}
        ticket = self._gate.acquire(lambda: 2 if self._auth.due() else 1)
        started, answered = [self._clock.now()], False

        def departing() -> None:
            started.append(self._clock.now())
            leaving()

        try:
            response = self._http.request(
                call.method,
                call.path,
                content=content,
                headers=headers,
                params=call.query,
                auth=self._auth,
                extensions={"leaving": departing},
            )
            refused = response.status_code == httpx.codes.TOO_MANY_REQUESTS
            self._gate.record_response(ticket, response.headers, refused=refused)
            answered = True
        except TokenUnavailableError as error:
            return NotSent(str(error), STATUS_PAGE)
        except httpx.RequestError as error:
            return self._broken(call, error, self._clock.now() - started[-1])
        finally:
            if not answered:
                self._gate.record_no_response(ticket)
        answer = _json(response.content)
        people = call.content if call.private and _speaks(response, answer) else None
        body = redact_echoes(answer, SensitiveRequest(self._auth.secrets(), people or b""))
        if found := trace(body):
            self.trace_ids.append(found)
        took = self._clock.now() - started[-1]
        self._calls.answered(call.method, call.endpoint, took, response.status_code, found)
        outcome = _read(call, response.status_code, body, took)
        if isinstance(outcome, Rejected | TokenExpired) and isinstance(outcome.error, AuthenticationError):
            self._auth.named(outcome.error)
        return outcome

    def _broken(self, call: ApiCall, error: httpx.RequestError, took: timedelta) -> Outcome:
        """Return the outcome of a failed request. The message names only the type of the error."""
        kind = type(error).__name__
        logger.debug("%s %s: %s", call.method, call.endpoint, kind)
        unread = unreadable(error)
        why, remedy = connection_error_reason(error)
        if error.request.url == self._auth.token_url:
            self._calls.broken(HTTPMethod.POST, Endpoint.TOKEN, took, error)
            if unread:
                return NotSent(f"the token endpoint answers, and {unread}", STATUS_PAGE)
            return NotSent(f"the token endpoint can't be reached ({why})", remedy)
        self._calls.broken(call.method, call.endpoint, took, error)
        if isinstance(error, NEVER_SENT):
            return NotSent(f"Criteo can't be reached ({why})", remedy)
        if isinstance(error, httpx.TimeoutException):
            return OutcomeUnknown("no answer came in time")
        return OutcomeUnknown(unread or f"the connection broke before an answer came ({kind})")


def _held_back(content: bytes, leaving: Callable[[], None]) -> Iterator[bytes]:
    """Yield the body so that its last byte is sent separately: without it, the server does not act.

    `leaving` may stop the request until then. The byte before the last waits for room in the socket, so that
    the last byte does not wait.
    """
    yield content[:-2]
    yield content[-2:-1]
    leaving()
    yield content[-1:]


def _speaks(response: httpx.Response, answer: object) -> bool:
    """Return whether any text of the response may be printed.

    Of a plain acknowledgement, only counts are read.
    """
    return not response.is_success or bool(problems(answer)) or bool(trace(answer))


def _read(call: ApiCall, status: int, body: object, took: timedelta) -> Outcome:
    milliseconds = took.total_seconds() * 1000
    logger.debug(
        "%s %s %d %.0f ms trace %s", call.method, call.endpoint, status, milliseconds, trace(body) or "-"
    )
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return RateLimited()
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
        code = next((f" {entry.code}" for entry in problems(body) if entry.code), "")
        found = trace(body)
        return OutcomeUnknown(f"Criteo answers {status}{code}" + (f"; trace id {found}" if found else ""))
    if httpx.codes.is_success(status):
        whole = isinstance(body, dict)
        return Succeeded(body) if whole else OutcomeUnknown(f"Criteo returned invalid JSON (status {status})")
    error = rejection_error(call.what, status, body, private=call.private)
    code = next((problem.code for problem in problems(body)), "")
    if status == httpx.codes.UNAUTHORIZED and code in NEW_TOKEN_HELPS:
        return TokenExpired(error)
    return Rejected(status, error, body)


def _json(content: bytes) -> object:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
