"""The emulator inside the client's own process: no socket, and silence becomes a time-out."""

from typing import TYPE_CHECKING

import httpx

from reconciler.emulator.responses import NoAnswer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class _InProcess(httpx.BaseTransport):
    def __init__(self, app: "WSGIApplication") -> None:
        self._inner = httpx.WSGITransport(app=app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._inner.handle_request(request)
        except NoAnswer:
            raise httpx.ReadTimeout("The read operation timed out", request=request) from None


def transport(app: "WSGIApplication") -> httpx.BaseTransport:
    return _InProcess(app)
