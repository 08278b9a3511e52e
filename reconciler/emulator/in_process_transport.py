"""The emulator inside the client's own process: no socket, and a request without response times out."""

import httpx

from reconciler.emulator.pipeline import RequestPipeline
from reconciler.emulator.responses import NoAnswer
from reconciler.emulator.router import HttpRequest, respond


class _InProcess(httpx.BaseTransport):
    def __init__(self, pipeline: RequestPipeline) -> None:
        self._pipeline = pipeline

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = respond(self._pipeline, _read(request))
        except NoAnswer:
            raise httpx.ReadTimeout("The read operation timed out", request=request) from None
        headers = {**response.headers, "content-length": str(len(response.body))}
        return httpx.Response(response.status, headers=headers, stream=httpx.ByteStream(response.body))


def _read(request: httpx.Request) -> HttpRequest:
    return HttpRequest(
        method=request.method,
        path=request.url.path,
        query=request.url.query.decode("ascii"),
        media_type=request.headers.get("content-type", "").partition(";")[0].strip().lower(),
        authorization=request.headers.get("authorization", ""),
        body=request.read(),
    )


def transport(pipeline: RequestPipeline) -> httpx.BaseTransport:
    return _InProcess(pipeline)
