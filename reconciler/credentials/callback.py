"""A loopback address that a browser is sent back to. Answers with the pages it is given; logs nothing."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from reconciler.core.errors import ConfigurationError

TICK = 0.25
"""Seconds between two looks at whether to go on waiting."""
SLOWEST = 5.0
"""Seconds a browser may take to say what it wants."""
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser shows. `last`: no other redirection is waited for."""

    html: str
    last: bool


def is_loopback(redirect_uri: str) -> bool:
    """Whether it is on this machine: the schema lets plain HTTP lead nowhere else."""
    return redirect_uri.startswith("http://")


class Callback:
    """Listens from its creation on; use it in a `with`."""

    def __init__(self, redirect_uri: str) -> None:
        parts = urlsplit(redirect_uri)
        self._path = parts.path or "/"
        host = parts.hostname or ""
        try:
            self._server = _Server(("127.0.0.1" if host == "localhost" else host, parts.port or 80), _Handler)
        except OSError as error:
            raise ConfigurationError(
                f"can't listen at {redirect_uri}: {os.strerror(error.errno or 0)}",
                remedy="end what listens there, or paste the address instead: --paste",
            ) from None

    def wait(self, take: Callable[[str], Page], go_on: Callable[[], None]) -> None:
        """Until a page is the last one. `take` gets what the browser asked for, one at a time.

        `go_on` is called a few times a second and ends the waiting by raising.
        """
        self._server.begin(self._path, take)
        while not self._server.done.is_set():
            go_on()
            self._server.handle_request()

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
    """A thread each: browsers open connections that they then say nothing on."""

    timeout = TICK
    daemon_threads = True
    block_on_close = False

    def begin(self, path: str, take: Callable[[str], Page]) -> None:
        self.path, self.take = path, take
        self.one_at_a_time, self.done = threading.Lock(), threading.Event()

    def handle_error(self, *_: object) -> None:
        """A browser that went away; a traceback would show what it asked for."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SLOWEST

    def do_GET(self) -> None:
        server = self.server
        with server.one_at_a_time:
            if urlsplit(self.path).path != server.path or server.done.is_set():
                self._answer(HTTPStatus.NOT_FOUND, "")
                return
            page = server.take(self.path)
            self._answer(HTTPStatus.OK, page.html)
            if page.last:
                server.done.set()

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
