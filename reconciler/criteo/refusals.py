"""Answers that are a definite no, as errors with a remedy; says what may be said, and no more."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Literal

from reconciler.core.errors import AuthenticationError, DeniedError, ReconcilerError, RejectedError
from reconciler.criteo.problems import Problem, problems, trace

DOCTOR = "run `reconciler doctor`: it tests the connection link by link"
SAME = "the same call is refused again: correct what Criteo names, or give the trace id to its support"
SMALLER = "lower api.batchSize in environment.yaml, and run again"
TOO_MANY = "too-many-identifiers"
"""The code of a batch that is too long: a guess, none is published."""
CONSENT = re.compile(r"insufficient-(account|advertiser)s?-permissions")
PERMISSION = re.compile(r"insufficient-(scope|permission)s?")
"""Codes of a 403, seen elsewhere or guessed: none is published for Retail Media."""
REMEDIES = {
    HTTPStatus.NOT_FOUND: "check accountId, api.endpoint and api.version, and that the segment still exists",
    HTTPStatus.METHOD_NOT_ALLOWED: "check api.endpoint and api.version",
    HTTPStatus.GONE: "this version of the API is no longer served: set api.version to a supported one",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: SMALLER,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "check that no proxy between here and Criteo rewrites requests",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "the proxy in HTTPS_PROXY wants a login: ask who runs it",
}


def rejection_error(what: str, status: int, body: object, *, private: bool) -> ReconcilerError:
    """`private`: the call carried identifiers, and the answer's own words may quote them."""
    reported = next(iter(problems(body)), Problem())
    problem = f"{what}: {_said(status, reported, private=private)}{_trace(body)}"
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationError(problem, remedy=f"check clientId and clientSecret, then {DOCTOR}")
    if status == HTTPStatus.FORBIDDEN and not reported.code.startswith("segment-"):
        remedy = (
            "the consent of this account is missing or revoked, or the application lacks"
            f" `Audiences: Manage`; or accountId in environment.yaml is another's; {DOCTOR}"
        )
        return DeniedError(problem, remedy=remedy, lacking=_lacking(problems(body)))
    return RejectedError(problem, remedy=_remedy(status, body), code=reported.code)


def denial_error(what: str, reported: Problem, body: object) -> RejectedError:
    """A 200 whose only content is an error."""
    return RejectedError(
        f"{what}: {_said(200, reported, private=True)}{_trace(body)}", remedy=SAME, code=reported.code
    )


def _said(status: int, reported: Problem, *, private: bool) -> str:
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
    if any(reported.code == TOO_MANY for reported in problems(body)):
        return SMALLER
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "check api.endpoint: the call is sent elsewhere, and redirections are not followed"
    if not isinstance(body, dict):
        return "the answer is not JSON: a proxy may stand between here and Criteo; check api.endpoint"
    return SAME


def _trace(body: object) -> str:
    found = trace(body)
    return f"; trace id {found}" if found else ""
