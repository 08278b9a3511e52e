"""Find the operation of a request and return its response; no socket and no web framework."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qs

import orjson

from reconciler.emulator import pipeline as paths
from reconciler.emulator.consentpage import Page, Parameters
from reconciler.emulator.operations import OPERATIONS, Operation
from reconciler.emulator.pipeline import RequestPipeline
from reconciler.emulator.request_checks import IncomingRequest
from reconciler.emulator.responses import Answer

FORM = "application/x-www-form-urlencoded"
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}


@dataclass(frozen=True)
class HttpRequest:
    """`path` is percent-decoded, `query` isn't; `media_type` has no parameters and is lower case."""

    method: str
    path: str
    query: str = ""
    media_type: str = ""
    authorization: str = field(default="", repr=False)
    body: bytes = field(default=b"", repr=False)

    def form(self) -> Parameters:
        return _parameters(self.body.decode(errors="replace")) if self.media_type == FORM else {}


@dataclass(frozen=True)
class HttpResponse:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


def respond(pipeline: RequestPipeline, request: HttpRequest) -> HttpResponse:
    """Return the response, without a body for HEAD.

    Raises:
        NoAnswer: a fault says that this request gets no response.
    """
    method = "GET" if request.method == "HEAD" else request.method
    response = _respond(pipeline, method, request)
    return response if request.method != "HEAD" else HttpResponse(response.status, response.headers)


def _respond(pipeline: RequestPipeline, method: str, request: HttpRequest) -> HttpResponse:
    """A form in the query is no decision of a person: GET reads the query, POST the body."""
    match method, request.path:
        case "GET", paths.CLOCK_PATH:
            return _json(pipeline.clock())
        case "POST", paths.TOKEN_PATH:
            return _json(pipeline.token(request.form()))
        case "GET", paths.CONSENT_PATH:
            return _page(pipeline.consent(method, _parameters(request.query)))
        case "POST", paths.CONSENT_PATH:
            return _page(pipeline.consent(method, request.form()))
        case _:
            return _json(_call(pipeline, method, request))


def _call(pipeline: RequestPipeline, method: str, request: HttpRequest) -> Answer:
    found = [(one, match) for one in OPERATIONS if (match := _pattern(one).fullmatch(request.path))]
    for operation, match in found:
        if operation.method == method:
            return pipeline.call(operation, _incoming(request, match.groupdict()))
    if found or request.path in (paths.TOKEN_PATH, paths.CONSENT_PATH, paths.CLOCK_PATH):
        return pipeline.stray(method, request.path, 405, "Method Not Allowed")
    return pipeline.stray(method, request.path, 404, "There is no such resource")


def _incoming(request: HttpRequest, ids: Mapping[str, str]) -> IncomingRequest:
    return IncomingRequest(
        path=request.path,
        version=ids["version"],
        account_id=ids.get("account_id", ""),
        segment_id=ids.get("segment_id", ""),
        authorization=request.authorization,
        media_type=request.media_type,
        query=_parameters(request.query),
        body=request.body,
    )


@cache
def _pattern(operation: Operation) -> re.Pattern[str]:
    """`/<version>/retail-media/accounts/<account_id>` with a named group for each placeholder."""
    return re.compile(re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", f"/<version>/retail-media{operation.path}"))


def _parameters(encoded: str) -> Parameters:
    return parse_qs(encoded, keep_blank_values=True)


def _json(answer: Answer) -> HttpResponse:
    if answer.body is None:
        return HttpResponse(answer.status, dict(answer.headers))
    return HttpResponse(answer.status, {**JSON, **answer.headers}, orjson.dumps(answer.body))


def _page(page: Page) -> HttpResponse:
    return HttpResponse(page.status, {**HTML, **page.headers}, _rendered(page).encode())


def _rendered(page: Page) -> str:
    """Templates escape every value. Jinja is imported only where there is a page to render."""
    if not page.template:
        return ""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("reconciler.emulator"), autoescape=True, undefined=StrictUndefined
    )
    return pages.get_template(page.template).render(page.values)
