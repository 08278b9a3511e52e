"""The emulator as a WSGI application, for a server; every decision is the router's."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from reconciler.emulator.pipeline import RequestPipeline
from reconciler.emulator.router import HttpRequest, respond

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def application(pipeline: RequestPipeline) -> "WSGIApplication":
    """A request that gets no response raises `NoAnswer`: the server closes the connection.

    `Date` is the emulator's time, like all other times in its answers.
    """

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        answer = respond(pipeline, _read(Request(environ)))
        headers = {**answer.headers, "date": http_date(pipeline.now())}
        response = Response(answer.body, status=answer.status, headers=headers)
        if "content-type" not in answer.headers:
            del response.headers["content-type"]
        return response(environ, start_response)

    return serve


def _read(request: Request) -> HttpRequest:
    return HttpRequest(
        method=request.method,
        path=request.path,
        query=request.query_string.decode("ascii", errors="replace"),
        media_type=request.mimetype,
        authorization=request.headers.get("authorization", ""),
        body=request.get_data(cache=False),
    )
