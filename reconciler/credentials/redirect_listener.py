"""A loopback address that a browser is sent back to. Decides nothing and logs nothing."""

import os
import queue
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from reconciler.core.errors import ConfigurationError

TICK = 0.25
"""Seconds between two checks for the end of the wait."""
SLOWEST = 5.0
"""Seconds for a browser to send its request, and to receive its page."""
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


def is_loopback(redirect_uri: str) -> bool:
    """Return whether the URL is on this machine. The schema allows plain HTTP only there."""
    return redirect_uri.startswith("http://")


class BrowserRedirect:
    """A browser that came back, and waits for its page."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._page: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._shown = threading.Event()

    def show(self, html: str) -> None:
        """Returns when the browser has it, or has gone."""
        self._page.put(html)
        self._shown.wait(SLOWEST)

    def page(self) -> str:
        return self._page.get()

    def left(self) -> None:
        self._shown.set()


class RedirectListener:
    """Listens from its creation on; use it in a `with`."""

    def __init__(self, redirect_uri: str) -> None:
        try:
            parts = urlsplit(redirect_uri)
            host, port = parts.hostname or "", parts.port or 80
            server = _Ipv6Server if ":" in host else _Server
            self._server = server(("127.0.0.1" if host == "localhost" else host, port), _Handler)
        except (OSError, ValueError) as error:
            why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "it has no such port"
            raise ConfigurationError(
                f"can't listen at {redirect_uri}: {why}",
                remedy="end what listens there, or paste the address instead: --paste",
            ) from None
        self._server.expect(parts.netloc, parts.path or "/")

    def wait(self, is_answer: Callable[[str], bool], go_on: Callable[[], None]) -> BrowserRedirect:
        """Return the first request that is an answer; every other request is rejected.

        `go_on` is called a few times a second and ends the waiting by raising.
        """
        self._server.is_answer = is_answer
        while True:
            go_on()
            self._server.handle_request()
            try:
                return self._server.arrivals.get_nowait()
            except queue.Empty:
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """One thread for each connection: browsers open connections that they do not use."""

    timeout = TICK
    daemon_threads = True
    block_on_close = False

    def expect(self, netloc: str, path: str) -> None:
        self.netloc, self.path = netloc, path
        self.is_answer: Callable[[str], bool] = lambda _address: False
        self.arrivals: queue.SimpleQueue[BrowserRedirect] = queue.SimpleQueue()

    def handle_error(self, *_: object) -> None:
        """Ignore a closed connection. A traceback would show the request."""


class _Ipv6Server(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SLOWEST

    def do_GET(self) -> None:
        """Another host's name means that another site's page led here."""
        server = self.server
        if self.headers.get("Host", "") != server.netloc or urlsplit(self.path).path != server.path:
            self._answer(HTTPStatus.NOT_FOUND, "")
        elif not server.is_answer(self.path):
            self._answer(HTTPStatus.BAD_REQUEST, "")
        else:
            self._arrive(BrowserRedirect(self.path))

    def _arrive(self, arrival: BrowserRedirect) -> None:
        self.server.arrivals.put(arrival)
        page = arrival.page()
        try:
            self._answer(HTTPStatus.OK, page)
        finally:
            arrival.left()

    def _answer(self, status: HTTPStatus, html: str) -> None:
        body = html.encode()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def version_string(self) -> str:
        return "reconciler"

    def log_message(self, *_: object) -> None:
        """The address of a redirection holds the code."""
