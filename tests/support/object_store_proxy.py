"""A loopback proxy in front of an object store, which fails on request.

It forwards what it is sent as it stands: what is signed stays signed, and nobody here checks signatures.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

EVERY = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})
WRITES = frozenset({"PUT", "POST", "DELETE"})
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>{}</Message></Error>'


@dataclass(frozen=True)
class Trouble:
    """The fault of matching requests; for `times` of them, or all.

    `answer`: respond with `status` without the store. `hang`: send nothing, then close the connection.
    `drop`: close it at once. `lose`: the store executes the request, and the response is lost. `slow`:
    respond this many seconds later.
    """

    kind: Literal["answer", "hang", "drop", "lose", "slow"]
    status: int = 503
    code: str = "ServiceUnavailable"
    seconds: float = 0.0
    methods: frozenset[str] = EVERY
    path: str = ""
    times: int | None = None

    def fits(self, method: str, path: str) -> bool:
        return method in self.methods and self.path in path


OUTAGE = Trouble("answer", 503)
BROKEN = Trouble("answer", 500, "InternalError")
GONE = Trouble("drop")
READ_ONLY = Trouble("answer", 403, "AccessDenied", methods=WRITES)
DENIED = Trouble("answer", 403, "InvalidAccessKeyId")
EXPIRED = Trouble("answer", 400, "ExpiredToken")
"""As S3 says it of a temporary login: 400, and the code."""


@dataclass(frozen=True)
class Received:
    """A request: whether it reached the store, and whether its response was sent."""

    at: float
    method: str
    path: str
    forwarded: bool
    answered: bool


class StoreProxy:
    """The connection of one machine to the store."""

    def __init__(self, server: str) -> None:
        self._server = urlsplit(server)
        self._gate = threading.Lock()
        self._troubles: list[Trouble] = []
        self._over = threading.Event()
        self.received: list[Received] = []
        self.url = ""

    @classmethod
    @contextmanager
    def before(cls, server: str) -> Iterator["StoreProxy"]:
        proxy = cls(server)
        listening = _Listening(("127.0.0.1", 0), _handler(proxy))
        proxy.url = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.heal()
            listening.shutdown()
            thread.join()
            listening.server_close()

    def make(self, *troubles: Trouble) -> None:
        """Set these faults in place of others; the first match counts."""
        self.heal()
        with self._gate:
            self._troubles, self._over = list(troubles), threading.Event()

    def heal(self) -> None:
        """Clear the faults; close hanging connections."""
        with self._gate:
            self._troubles = []
            self._over.set()

    @contextmanager
    def troubled(self, *troubles: Trouble) -> Iterator[None]:
        self.make(*troubles)
        try:
            yield
        finally:
            self.heal()

    @property
    def ahead(self) -> list[str]:
        """Return the paths of faults with fewer requests than their `times`."""
        return [one.path for one in self._troubles if one.times != 0]

    def meets(self, method: str, path: str) -> Trouble | None:
        with self._gate:
            for at, trouble in enumerate(self._troubles):
                if trouble.times != 0 and trouble.fits(method, path):
                    if trouble.times is not None:
                        self._troubles[at] = replace(trouble, times=trouble.times - 1)
                    return trouble
            return None

    def hang(self, seconds: float) -> None:
        if seconds:
            self._over.wait(seconds)

    def forward(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection(str(self._server.hostname), self._server.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that were killed or timed out."""


def _handler(proxy: StoreProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            method, path = self.command, self.path
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            trouble = proxy.meets(method, path) or Trouble("slow")
            forwarded = answered = False
            proxy.hang(trouble.seconds)
            if trouble.kind == "answer":
                answered = True
                self.tell(trouble.status, [], ERROR.format(trouble.code, "as the test wishes").encode())
            elif trouble.kind in {"slow", "lose"}:
                status, headers, content = proxy.forward(method, path, self.headers.items(), body)
                forwarded, answered = True, trouble.kind == "slow"
                if answered:
                    self.tell(status, headers, content)
            self.close_connection = self.close_connection or not answered
            proxy.received.append(Received(time.monotonic(), method, path, forwarded, answered))

        def tell(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            length = dict(headers).get("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the same
            """Log nothing."""

    return Handler
