"""`api.timeout` limits a request from the connection to the last byte, direct and through a proxy."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from support.fakes.criteo import at_once

from reconciler.core.errors import OutcomeUnknownError, RejectedError, RemoteError
from reconciler.core.members import Identifiers
from reconciler.core.model import IdentifierType
from reconciler.core.secret import Secret
from reconciler.criteo.connection import Connection, connect
from reconciler.criteo.grants import ClientCredentials, ClientKeys

pytestmark = pytest.mark.promise("client")

STRIKES_LAST = 2.0
"""Seconds; then the server hangs up, and a client without a deadline says so."""
TOKEN = b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"access_token": "t", "expires_in": 900}'
Behaviour = Callable[[socket.socket], None]


class Clock:
    """The true time; waiting takes none."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float, reason: str, shown: float = 0.0) -> None: ...

    def check(self) -> None: ...

    def critical_section(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


def received(connection: socket.socket) -> bytes:
    """A request up to the end of its headers."""
    content = b""
    while b"\r\n\r\n" not in content:
        piece = connection.recv(4096)
        if not piece:
            return content
        content += piece
    return content


def again_and_again(content: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        end = time.monotonic() + STRIKES_LAST
        while time.monotonic() < end:
            connection.sendall(content)
            time.sleep(0.05)

    return behave


def reads_slowly(connection: socket.socket) -> None:
    end = time.monotonic() + STRIKES_LAST
    while time.monotonic() < end:
        connection.recv(512)
        time.sleep(0.05)


@contextlib.contextmanager
def server(token: Behaviour | None, call: Behaviour) -> Iterator[str]:
    """A server that answers the token request, unless `token` is set, and any other request as configured."""

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := received(connection):
                if b"/oauth2/token" in request.partition(b"\r\n")[0]:
                    answer = token or (lambda one: one.sendall(TOKEN))
                    answer(connection)
                    if token is None:
                        continue
                else:
                    call(connection)
                break

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def connected(url: str) -> Connection:
    return connect(
        base_url=url,
        version="2026-07",
        token_url="",
        grant=ClientCredentials(ClientKeys(Secret("id"), Secret("secret"))),
        timeout=timedelta(seconds=0.4),
        clock=Clock(),
        chance=lambda: 0.0,
    )


SLOW = {
    "headers": lambda connection: (
        connection.sendall(b"HTTP/1.1 200 OK\r\n"),
        again_and_again(b"X-A: b\r\n")(connection),
    ),
    "100 Continue": again_and_again(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a status line": again_and_again(b"H"),
    "a body": lambda connection: (
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"),
        again_and_again(b" ")(connection),
    ),
    "chunks": lambda connection: (
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        again_and_again(b"1\r\n \r\n")(connection),
    ),
}


@pytest.mark.parametrize("way", ["straight", "proxy"])
@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW.keys())
def test_a_slow_response_times_out(slow: Behaviour, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(None, slow) as url:
        if way == "proxy":
            monkeypatch.setenv("HTTP_PROXY", url)
            monkeypatch.delenv("NO_PROXY", raising=False)
            monkeypatch.delenv("no_proxy", raising=False)
        there = "http://criteo.invalid" if way == "proxy" else url
        with connected(there) as connection, pytest.raises(OutcomeUnknownError, match="in time"):
            connection.writer().create("1", [], at_once)


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW.keys())
def test_a_slow_token_response_times_out_and_nothing_is_sent(slow: Behaviour) -> None:
    with (
        server(slow, slow) as url,
        connected(url) as connection,
        pytest.raises(RemoteError, match="the token endpoint can't be reached") as caught,
    ):
        connection.reader.probe("1")
    assert not isinstance(caught.value, OutcomeUnknownError)


def test_a_body_that_is_taken_in_drips_is_late_and_its_outcome_unknown() -> None:
    people = Identifiers([f"{number:064x}" for number in range(50_000)])
    with (
        server(None, reads_slowly) as url,
        connected(url) as connection,
        pytest.raises(OutcomeUnknownError, match="no answer came in time"),
    ):
        connection.writer().change_members("9", IdentifierType.EMAIL, "add", people, at_once)


def test_addresses_of_a_host_share_the_time_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address does not answer; the error comes only after all addresses were tried."""
    with server(None, again_and_again(b"x")) as url, socket.create_server(("127.0.0.1", 0)) as closed:
        port, dead = int(url.rpartition(":")[2]), "127.0.0.2"
        found = [(2, 1, 6, "", (one, port)) for one in (dead, "127.0.0.1")]
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
        closed.close()
        with (
            connected(f"http://criteo.invalid:{port}") as connection,
            pytest.raises(OutcomeUnknownError, match="answer came"),
        ):
            connection.writer().create("1", [], at_once)
    with connected("http://127.0.0.1:9") as connection, pytest.raises(RejectedError):
        connection.writer().create("1", [], at_once)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.invalid"])
def test_a_name_that_no_host_can_have_is_no_connection(host: str) -> None:
    with connected(f"http://{host}") as connection, pytest.raises(RemoteError):
        connection.writer().create("1", [], at_once)
