"""Send one request once; return whether it succeeded, was rejected, or has an unknown outcome."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import orjson

from reconciler.core.errors import AuthenticationError, ReconcilerError
from reconciler.core.ports import Clock
from reconciler.criteo.answers import unreadable
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
    """What is sent. `what` begins every message about it, `template` is the path without its ids.

    `writes` are calls that change something; `repeatable` ones may be sent again if it is unknown
    whether they happened; `private` ones carry identifiers.
    """

    method: str
    path: str
    template: str
    what: str
    content: bytes | None = field(default=None, repr=False)
    query: tuple[tuple[str, str], ...] = ()
    writes: bool = False
    repeatable: bool = True
    private: bool = False


@dataclass(frozen=True, slots=True)
class Succeeded:
    """2xx with JSON."""

    body: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A definite no: the call did not happen."""

    status: int
    error: ReconcilerError
    body: object = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class RateLimited:
    """429: the call did not happen, and the gate knows when to come back."""


@dataclass(frozen=True, slots=True)
class TokenExpired:
    """401 that a new token helps against: the call did not happen."""

    error: ReconcilerError


@dataclass(frozen=True, slots=True)
class NotSent:
    """The call did not happen: no connection, or no token for it."""

    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The call may have happened. `late`: it may still happen for a while."""

    problem: str
    late: bool = True


Outcome = Succeeded | Rejected | RateLimited | TokenExpired | NotSent | OutcomeUnknown


class Transport:
    """Sends calls one at a time per thread, each in its turn, and tells what became of them."""

    def __init__(self, http: httpx.Client, auth: TokenAuth, gate: RateLimiter, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._auth = auth
        self._gate = gate

    def send(self, call: ApiCall, leaving: Callable[[], None]) -> Outcome:
        """`leaving` is called right before the request leaves: it has its turn by then, and its token.

        For one that changes something it is called again right before its last byte: a connection may take
        seconds, a body longer, and the process may have been stopped meanwhile.
        """
        content: bytes | Iterator[bytes] | None = call.content
        headers = {}
        if call.writes and call.content:
            content, headers = _held_back(call.content, leaving), {"Content-Length": str(len(call.content))}
        ticket = self._gate.acquire(lambda: 2 if self._auth.due() else 1)
        started, answered = self._clock.now(), False
        try:
            response = self._http.request(
                call.method,
                call.path,
                content=content,
                headers=headers,
                params=call.query,
                auth=self._auth,
                extensions={"leaving": leaving},
            )
            refused = response.status_code == httpx.codes.TOO_MANY_REQUESTS
            self._gate.record_response(ticket, response.headers, refused=refused)
            answered = True
        except TokenUnavailableError as error:
            return NotSent(str(error), STATUS_PAGE)
        except httpx.RequestError as error:
            return self._broken(call, error)
        finally:
            if not answered:
                self._gate.record_no_response(ticket)
        answer = _json(response.content)
        people = call.content if call.private and _speaks(response, answer) else None
        body = redact_echoes(answer, SensitiveRequest(self._auth.secrets(), people or b""))
        outcome = _read(call, response.status_code, body, self._clock.now() - started)
        if isinstance(outcome, Rejected | TokenExpired) and isinstance(outcome.error, AuthenticationError):
            self._auth.named(outcome.error)
        return outcome

    def _broken(self, call: ApiCall, error: httpx.RequestError) -> Outcome:
        """The text of the error is the library's: only its kind is repeated."""
        kind = type(error).__name__
        logger.debug("%s %s: %s", call.method, call.template, kind)
        unread = unreadable(error)
        why, remedy = connection_error_reason(error)
        if error.request.url == self._auth.token_url:
            if unread:
                return NotSent(f"the token endpoint answers, and {unread}", STATUS_PAGE)
            return NotSent(f"the token endpoint can't be reached ({why})", remedy)
        if isinstance(error, NEVER_SENT):
            return NotSent(f"Criteo can't be reached ({why})", remedy)
        if isinstance(error, httpx.TimeoutException):
            return OutcomeUnknown("no answer came in time")
        return OutcomeUnknown(unread or f"the connection broke before an answer came ({kind})")


def _held_back(content: bytes, leaving: Callable[[], None]) -> Iterator[bytes]:
    """A request that lacks its last byte is not carried out: until then `leaving` may stop it.

    The byte before it waits until the socket has room again, so that the last one need not.
    """
    yield content[:-2]
    yield content[-2:-1]
    leaving()
    yield content[-1:]


def _speaks(response: httpx.Response, answer: object) -> bool:
    """Something of it may be shown: of a plain acknowledgement only the counts are read."""
    return not response.is_success or bool(problems(answer)) or bool(trace(answer))


def _read(call: ApiCall, status: int, body: object, took: timedelta) -> Outcome:
    milliseconds = took.total_seconds() * 1000
    logger.debug(
        "%s %s %d %.0f ms trace %s", call.method, call.template, status, milliseconds, trace(body) or "-"
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
