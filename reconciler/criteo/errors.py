"""Errors of the API client: entries of Criteo's responses, rejected calls, failed connections.

Only the type, the code and the title of an entry, and the kind of a foreign exception, appear in a message.
"""

import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from socket import gaierror
from typing import Literal, NamedTuple

import httpx

from reconciler.core.errors import (
    AuthenticationError,
    CallTooLargeError,
    DeniedError,
    ReconcilerError,
    RejectedError,
)
from reconciler.criteo.json_values import items, mapping, text

CODE = re.compile(r"[a-z]{1,20}(-[a-z0-9]{1,20}){0,9}")
TRACE = re.compile(r"[A-Za-z0-9.:<>|_-]{1,100}")
LONGEST_TITLE = 120
"""Characters."""
DOCTOR = "run `reconciler doctor`: it tests the connection check by check"
SAME = "the same call is refused again: correct what Criteo names, or give the trace id to its support"
LARGEST = "check that no proxy between here and Criteo limits the size of requests"
NETWORK = "check api.endpoint, the network, HTTPS_PROXY and SSL_CERT_FILE"
TOO_LARGE = frozenset({"too-many-identifiers", "exceeded-ids-cap", "request-too-large"})
"""The codes of a call that is too large: assumed, or of Criteo's other APIs. Retail Media publishes none."""
CONSENT = re.compile(r"insufficient-(account|advertiser)s?-permissions")
PERMISSION = re.compile(r"insufficient-(scope|permission)s?")
"""Codes of a 403, from Criteo's other APIs or assumed: Criteo publishes none for Retail Media."""
REMEDIES = {
    HTTPStatus.NOT_FOUND: "check accountId, api.endpoint and api.version, and that the segment still exists",
    HTTPStatus.METHOD_NOT_ALLOWED: "check api.endpoint and api.version",
    HTTPStatus.GONE: "this version of the API is no longer served: set api.version to a supported one",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: LARGEST,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "check that no proxy between here and Criteo rewrites requests",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "the proxy in HTTPS_PROXY wants a login: ask who runs it",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of `errors` or `warnings`. `text` is searched but never shown: it may quote the request."""

    type: str = ""
    code: str = ""
    title: str = ""
    text: str = ""

    @property
    def counts(self) -> bool:
        """Return whether the entry is about this call. A deprecation is about a future version."""
        return self.type != "deprecation"

    def __repr__(self) -> str:
        return f"Problem({self.type}, {self.code})"


def problems(body: object) -> tuple[Problem, ...]:
    """Return the entries of `errors`, then of `warnings`. A missing or null list counts as empty."""
    content = mapping(body)
    entries = [*items(content.get("errors")), *items(content.get("warnings"))]
    return tuple(_problem(mapping(entry)) for entry in entries if isinstance(entry, dict))


def error_entries(body: object) -> tuple[Problem, ...]:
    """Return the entries of `errors` only."""
    return problems({"errors": mapping(body).get("errors")})


def trace(body: object) -> str:
    """Return the first `traceId` or `traceIdentifier` of the body, or ""."""
    content = mapping(body)
    for entry in (*items(content.get("errors")), *items(content.get("warnings")), content):
        for key in ("traceId", "traceIdentifier"):
            value = mapping(entry).get(key)
            if isinstance(value, str) and TRACE.fullmatch(value):
                return value
    return ""


def _problem(entry: Mapping[str, object]) -> Problem:
    code, title = text(entry.get("code")), text(entry.get("title"))
    shown = "".join(char for char in title if char.isprintable())[:LONGEST_TITLE]
    return Problem(
        type=text(entry.get("type")),
        code=code if CODE.fullmatch(code) else "",
        title=shown,
        text=f"{title}\n{text(entry.get('detail'))}",
    )


def rejection_error(what: str, status: int, body: object, *, private: bool) -> ReconcilerError:
    """Return the error of a rejected call (status 3xx or 4xx), with its fix.

    `private`: the call carried identifiers, so the title of the entry is left out: it may quote them.
    """
    reported = next(iter(problems(body)), Problem())
    problem = f"{what}: {_status_text(status, reported, private=private)}{_trace(body)}"
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationError(problem, remedy=f"check clientId and clientSecret, then {DOCTOR}")
    if status == HTTPStatus.FORBIDDEN and not reported.code.startswith("segment-"):
        remedy = (
            "the consent of this account is missing or revoked, or the application lacks"
            f" `Audiences: Manage`; or accountId in environment.yaml is another's; {DOCTOR}"
        )
        return DeniedError(problem, remedy=remedy, lacking=_lacking(problems(body)))
    return _rejected(status, body)(problem, remedy=_remedy(status, body), code=reported.code)


def denial_error(what: str, reported: Problem, body: object) -> RejectedError:
    """Return the error of a response with status 200 that contains only an error."""
    problem = f"{what}: {_status_text(HTTPStatus.OK, reported, private=True)}{_trace(body)}"
    return _rejected(HTTPStatus.OK, body)(problem, remedy=_remedy(HTTPStatus.OK, body), code=reported.code)


def _rejected(status: int, body: object) -> type[RejectedError]:
    too_large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or _names_the_size(body)
    return CallTooLargeError if too_large else RejectedError


def _names_the_size(body: object) -> bool:
    return any(reported.code in TOO_LARGE for reported in problems(body))


def _status_text(status: int, reported: Problem, *, private: bool) -> str:
    words = "" if private else reported.title
    return " ".join(filter(None, ["Criteo answers", str(status), reported.code, words and f"({words})"]))


def _lacking(reported: Iterable[Problem]) -> Literal["consent", "permission", ""]:
    codes = [problem.code for problem in reported]
    if any(CONSENT.fullmatch(code) for code in codes):
        return "consent"
    return "permission" if any(PERMISSION.fullmatch(code) for code in codes) else ""


def _remedy(status: int, body: object) -> str:
    if status in REMEDIES:
        return REMEDIES[HTTPStatus(status)]
    if _names_the_size(body):
        return LARGEST
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "check api.endpoint: the call is sent elsewhere, and redirections are not followed"
    if not isinstance(body, dict):
        return "the answer is not JSON: a proxy may stand between here and Criteo; check api.endpoint"
    return SAME


def _trace(body: object) -> str:
    found = trace(body)
    return f"; trace id {found}" if found else ""


class ConnectionReason(NamedTuple):
    """What follows "can't be reached" in a message, and the fix."""

    words: str
    remedy: str


_REASONS: tuple[tuple[type[BaseException], ConnectionReason], ...] = (
    (
        ssl.SSLCertVerificationError,
        ConnectionReason(
            "its certificate is not trusted",
            "if a proxy opens connections, name its authority in SSL_CERT_FILE; if not, check api.endpoint, "
            "and the clock of this machine",
        ),
    ),
    (ssl.SSLError, ConnectionReason("no secure connection can be made", NETWORK)),
    (
        gaierror,
        ConnectionReason(
            "there is no host of that name", "check api.endpoint and the network's name servers"
        ),
    ),
    (ConnectionRefusedError, ConnectionReason("nothing listens there", NETWORK)),
    (
        httpx.ProxyError,
        ConnectionReason("the proxy refuses", "check HTTPS_PROXY and NO_PROXY, or ask who runs the proxy"),
    ),
)


def connection_error_reason(error: Exception) -> ConnectionReason:
    """Return the reason for a failed connection, from the types of the error and its causes."""
    causes = tuple(_causes(error))
    found = (reason for kind, reason in _REASONS if any(isinstance(one, kind) for one in causes))
    return next(found, ConnectionReason(type(error).__name__, NETWORK))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
