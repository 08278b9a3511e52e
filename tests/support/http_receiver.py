"""A receiver of requests on this machine, which records them and answers as it is set."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, TypeVar

Behaviour = Literal["takes", "hangs", "breaks", "is busy", "redirects", "echoes"]


class HttpReceiver(ThreadingHTTPServer):
    """Records each POST request, then does what `behaviour` says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.behaviour: Behaviour = "takes"
        self.got: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


Receiver = TypeVar("Receiver", bound=HttpReceiver)


@contextmanager
def serving(receiver: Receiver) -> Iterator[Receiver]:
    with receiver:
        threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True).start()
        yield receiver
        receiver.over.set()
        receiver.shutdown()


class _Visit(BaseHTTPRequestHandler):
    server: HttpReceiver

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, content, dict(self.headers)))
        match self.server.behaviour:
            case "hangs":
                self.server.over.wait(60)
            case "breaks":
                self._answer(500, b"")
            case "is busy":
                self._answer(503, b"")
            case "redirects":
                self._answer(307, b"", ("Location", "/elsewhere"))
            case "echoes":
                self._answer(400, self.path.encode() + content)
            case "takes":
                self._answer(200, b"")

    def _answer(self, status: int, content: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
