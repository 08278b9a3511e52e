"""A server in front of the emulator that causes the faults of networks and proxies."""

import contextlib
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET

import httpx

from reconciler.emulator import Emulator
from reconciler.emulator.in_process_transport import transport
from reconciler.emulator.pipeline import CLOCK_PATH

CERTIFICATES = Path(__file__).parents[1] / "faults" / "certificates"
AUTHORITY = CERTIFICATES / "authority.pem"
TOKEN, SEARCH, CREATE, UPDATE, MEMBERS = "token", "search", "create", "update", "members"
RETAILERS = "retailers"
ENDINGS = {
    "/token": TOKEN,
    "/retailers/search": RETAILERS,
    "/search": SEARCH,
    "/create": CREATE,
    "/add-remove": MEMBERS,
    "/contact-list": "statistics",
}


class Visit(BaseHTTPRequestHandler):
    """One connection. The server's faults decide the response to each call."""

    protocol_version = "HTTP/1.1"
    server: "FaultyProxy"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == CLOCK_PATH:  # a question to the emulator, and no call of the API
            self.pass_on(content)
            return
        operation = UPDATE if self.command == "PATCH" else self._operation()
        self.server.seen.append((operation, self.headers.get("Authorization") or ""))
        strike = self.server.strike(operation)
        with contextlib.suppress(OSError):
            if strike:
                strike(self, content)
            else:
                self.pass_on(content)

    do_PATCH = do_GET = do_POST  # noqa: N815 - the names that http.server looks for

    def do_CONNECT(self) -> None:
        """Respond to a request for a tunnel."""
        self.server.seen.append(("connect", self.headers.get("Authorization") or ""))
        strike = self.server.strike("connect")
        if strike:
            strike(self, b"")

    def _operation(self) -> str:
        path = self.path.partition("?")[0]
        return next((name for end, name in ENDINGS.items() if path.endswith(end)), "other")

    def carried_out(self, content: bytes) -> httpx.Response:
        """Return the emulator's response; the call takes effect."""
        headers = {
            name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers
        }
        return self.server.behind.request(self.command, self.path, content=content, headers=headers)

    def pass_on(self, content: bytes) -> None:
        response = self.carried_out(content)
        self.answer(response.status_code, response.content, **dict(response.headers))

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.begin(
            status, **{"Content-Type": "application/json"} | headers | {"Content-Length": str(len(content))}
        )
        self.wfile.write(content)

    def begin(self, status: int, **headers: str) -> None:
        self.send_response_only(status)
        for name, value in {name.title(): value for name, value in headers.items()}.items():
            self.send_header(name, value)
        self.end_headers()

    def hang_up(self, *, reset: bool = False) -> None:
        if reset:
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self.connection.shutdown(SHUT_RDWR)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Log nothing: calls are in `seen`."""


Strike = Callable[[Visit, bytes], None]


@dataclass
class Planned:
    """A fault for `times` calls of an operation, after `after` calls."""

    operation: str
    strike: Strike
    times: int = 1_000
    after: int = 0


@dataclass(init=False)
class FaultyProxy(ThreadingHTTPServer):
    """A loopback server; calls without a fault reach the emulator."""

    daemon_threads = True
    block_on_close = False
    behind: httpx.Client
    planned: list[Planned] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def __init__(self, emulator: Emulator, certificate: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.behind = httpx.Client(transport=transport(emulator.pipeline), base_url="http://emulator.invalid")
        self.planned, self.seen, self._lock = [], [], threading.Lock()
        self.scheme = "https" if certificate else "http"
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.present(certificate)
            self.socket = self._tls.wrap_socket(self.socket, server_side=True)

    def present(self, certificate: str) -> None:
        """Use these certificates from the next connection on."""
        self._tls.load_cert_chain(CERTIFICATES / f"{certificate}.pem", CERTIFICATES / "key.pem")

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    @contextlib.contextmanager
    def serving(self) -> Iterator["FaultyProxy"]:
        thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()
            self.behind.close()

    def strike(self, operation: str) -> Strike | None:
        with self._lock:
            for one in self.planned:
                if one.operation != operation or not one.times:
                    continue
                if one.after:
                    one.after -= 1
                    continue
                one.times -= 1
                return one.strike
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that close a connection."""


def says(status: int, content: bytes | str = b"", **headers: str) -> Strike:
    """Respond with this; the call takes no effect."""
    body = content.encode() if isinstance(content, str) else content
    return lambda visit, _: visit.answer(status, body, **headers)


def problem(status: int, code: str, kind: str = "validation") -> Strike:
    """Return a rejection in Criteo's form, which quotes a member in its detail."""
    entry = f'{{"type": "{kind}", "code": "{code}", "title": "No", "detail": "someone@private.example"}}'
    return says(status, f'{{"errors": [{entry}]}}')


def does(then: Strike) -> Strike:
    """Let the call take effect, then do this to its response."""

    def strike(visit: Visit, content: bytes) -> None:
        visit.carried_out(content)
        then(visit, content)

    return strike


def hangs_up(visit: Visit, _: bytes) -> None:
    visit.hang_up()


def resets(visit: Visit, _: bytes) -> None:
    visit.hang_up(reset=True)


def cut_off(visit: Visit, content: bytes) -> None:
    """Announce a longer response than is sent."""
    whole = visit.carried_out(content).content
    visit.begin(200, **{"Content-Length": str(len(whole))})
    visit.wfile.write(whole[: len(whole) // 2])
    visit.hang_up()


def cut_in_a_chunk(visit: Visit, _: bytes) -> None:
    visit.begin(200, **{"Transfer-Encoding": "chunked"})
    visit.wfile.write(b'40\r\n{"data":')
    visit.hang_up()


def garbled(visit: Visit, _: bytes) -> None:
    """Send a response that claims to be gzip and is not."""
    visit.answer(200, b"\x1f\x8b\x08 no gzip at all", **{"Content-Encoding": "gzip"})


def silence(seconds: float) -> Strike:
    """Send nothing for longer than a client waits; then close the connection."""

    def strike(visit: Visit, _: bytes) -> None:
        time.sleep(seconds)
        visit.hang_up()

    return strike


def drips(seconds: float) -> Strike:
    """Send single bytes for this long: each in time for a client that measures from the last byte."""

    def strike(visit: Visit, _: bytes) -> None:
        visit.begin(200, **{"Content-Length": "100000"})
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            visit.wfile.write(b" ")
            time.sleep(0.1)
        visit.hang_up()

    return strike


def repeats(content: bytes, seconds: float) -> Strike:
    """Repeat the same bytes for this long: each in time for a client that measures from the last byte."""

    def strike(visit: Visit, _: bytes) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            visit.wfile.write(content)
            time.sleep(0.1)
        visit.hang_up()

    return strike


def drips_headers(seconds: float) -> Strike:
    def strike(visit: Visit, content: bytes) -> None:
        visit.wfile.write(b"HTTP/1.1 200 OK\r\n")
        repeats(b"X-A: b\r\n", seconds)(visit, content)

    return strike


def continues(seconds: float) -> Strike:
    return repeats(b"HTTP/1.1 100 Continue\r\n\r\n", seconds)


GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def inflates(megabytes: int) -> Strike:
    """Send a small response that decompresses to a large one."""
    return lambda visit, _: visit.answer(200, packed(megabytes), **{"Content-Encoding": "gzip"})


def packed(megabytes: int) -> bytes:
    """Return zeros as gzip, from one repeated block. Its checksum is wrong: nobody reads to the end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)
    return GZIP_HEADER + block * megabytes + packer.flush() + bytes(8)


def pages_for_ever(visit: Visit, content: bytes) -> None:
    """Send full pages of new segments, each of which announces another page."""
    offset = int(visit.path.rpartition("offset=")[2])
    data = ",".join(f'{{"id": "{offset + number + 1}"}}' for number in range(500))
    visit.answer(200, f'{{"data": [{data}]}}'.encode())


def raw(content: bytes) -> Strike:
    """Send bytes that need not be HTTP."""

    def strike(visit: Visit, _: bytes) -> None:
        visit.wfile.write(content)
        visit.hang_up()

    return strike
