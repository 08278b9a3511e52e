"""No answer of Vault or AWS redirects a token, hangs forever or fills the memory."""

import contextlib
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.fakes.clock import FakeClock
from support.fakes.secret_backends import leading_to, places_of

from reconciler.connections import ConnectionFactory
from reconciler.core.credential import Application, CredentialRole
from reconciler.core.errors import AuthenticationError
from reconciler.core.model import Api, Environment
from reconciler.core.secret import Secret
from reconciler.credentials.backends.aws import AwsBackend
from reconciler.credentials.backends.base import WritableBackend
from reconciler.credentials.backends.vault import VaultBackend
from reconciler.credentials.secret_lock import utc_now
from reconciler.state.secret_store import LocalSecretStore

STRIKES_LAST = 2.0
"""Seconds; then the server hangs up, and a client without a deadline says so."""
MANY = 64
"""Pieces of 1 MiB, after which the server gives up: more than is ever read."""
SHORT, LONG = 0.3, 20.0
TOKEN = "hvs.a-token-of-the-test"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PIECE = b" " * 1024 * 1024
Behaviour = Callable[[socket.socket], None]


@dataclass
class Server:
    """A server that answers as the test asks. `received`: the headers of all requests."""

    url: str
    received: list[bytes] = field(default_factory=list)


def request(connection: socket.socket) -> bytes:
    content = b""
    while b"\r\n\r\n" not in content:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        content += piece
    return content


@contextlib.contextmanager
def server(behave: Behaviour) -> Iterator[Server]:
    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if came := request(connection):
                there.received.append(came)
                behave(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = Server(f"http://127.0.0.1:{listening.getsockname()[1]}")
        threading.Thread(target=accept, daemon=True).start()
        yield there
        listening.shutdown(socket.SHUT_RDWR)


def vault(url: str, seconds: float) -> WritableBackend:
    return VaultBackend({"VAULT_ADDR": url, "VAULT_TOKEN": TOKEN}, utc_now, seconds)


def aws(url: str, seconds: float) -> WritableBackend:
    return AwsBackend(leading_to(url), utc_now, seconds)


Make = Callable[[str, float], WritableBackend]
STORES = pytest.mark.parametrize("make", [vault, aws])
NAMES = {vault: "secret/criteo", aws: "criteo"}
REFERENCES = {vault: "vault:secret/criteo", aws: "aws-sm:criteo"}
GOOD = {
    vault: b'{"data": {"data": {"value": "a-secret"}, "metadata": {"version": 1}}}',
    aws: b'{"ARN": "arn", "VersionStages": ["AWSCURRENT"], "SecretString": "a-secret"}',
}


def refused(make: Make, url: str, seconds: float = LONG) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        make(url, seconds).fetch(NAMES[make])
    assert REFERENCES[make] in caught.value.problem
    assert caught.value.remedy
    assert caught.value.exit_code == 4
    return caught.value


def begun(content: bytes, again: bytes) -> Behaviour:
    """Send bytes, each in time for a client that measures from the last byte."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(content)
        end = time.monotonic() + STRIKES_LAST
        while time.monotonic() < end:
            connection.sendall(again)
            time.sleep(0.05)

    return behave


def says(status: int, content: bytes, headers: bytes = b"") -> Behaviour:
    head = b"HTTP/1.1 %d Status\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
    return lambda connection: connection.sendall(head % (status, len(content), headers) + content)


def packed(content: bytes, times: int = 1) -> Behaviour:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    small = b"".join(packer.compress(content) for _ in range(times)) + packer.flush()
    return says(200, small, b"Content-Encoding: gzip\r\n")


def endless(head: bytes, piece: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(MANY):
            connection.sendall(piece)

    return behave


SLOW = {
    "headers": begun(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "100 Continue": begun(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a status line": begun(b"HTTP/1.1 200 ", b"O"),
    "a body": begun(OK + b"Content-Length: 9999\r\n\r\n", b" "),
    "chunks": begun(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@STORES
@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW.keys())
def test_a_slow_response_times_out(make: Make, slow: Behaviour) -> None:
    with server(slow) as there:
        error = refused(make, there.url, SHORT)
        assert "did not answer in full within 10 seconds" in error.problem
        assert len(there.received) == 1


@STORES
def test_an_answer_in_drips_is_late_through_a_proxy(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(SLOW["headers"]) as proxy:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert "did not answer in full" in refused(make, "http://store.invalid", SHORT).problem
        assert b" http://store.invalid/" in proxy.received[0]


@STORES
def test_a_write_without_an_answer_is_sent_once(make: Make) -> None:
    """A second write could overwrite the write of another run."""
    reads = [says(200, GOOD[make])] if make is vault else []
    answers = iter([*reads, SLOW["headers"]])
    with server(lambda connection: next(answers)(connection)) as there:
        with pytest.raises(AuthenticationError, match="did not answer in full"):
            make(there.url, SHORT).store(NAMES[make], Secret("new"))
        assert len(there.received) == len(reads) + 1


LARGE = {
    "a body": endless(OK + b"\r\n", PIECE),
    "chunks": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + PIECE + b"\r\n"),
    "gzip": packed(PIECE, MANY),
}


@STORES
@pytest.mark.parametrize("large", LARGE.values(), ids=LARGE.keys())
def test_an_answer_that_is_too_large_is_not_read_to_its_end(make: Make, large: Behaviour) -> None:
    with server(large) as there:
        assert "answered with more than 1 MiB" in refused(make, there.url).problem


@STORES
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_token_anywhere(make: Make, status: int) -> None:
    with server(says(200, GOOD[make])) as other:
        place = f"Location: {other.url.replace('127.0.0.1', 'localhost')}/v1/secret\r\n".encode()
        with server(says(status, b"", place)) as there:
            error = refused(make, there.url)
            assert "redirect, which is not followed" in error.problem
            assert ("VAULT_ADDR" if make is vault else "AWS_ENDPOINT_URL") in error.remedy
            assert len(there.received) == 1
        assert not other.received


@STORES
@pytest.mark.parametrize("behave", [says, packed], ids=["plain", "gzip"])
def test_an_answer_within_the_limits_is_read(make: Make, behave: Callable[..., Behaviour]) -> None:
    large = GOOD[make].replace(b"a-secret", b"s" * 65_536)
    answer = behave(large) if behave is packed else behave(200, large)
    with server(answer) as there:
        assert make(there.url, LONG).fetch(NAMES[make]).reveal() == "s" * 65_536


@STORES
def test_gzip_that_is_none_is_said(make: Make) -> None:
    with server(says(200, b"no gzip", b"Content-Encoding: gzip\r\n")) as there:
        assert "can't be unpacked" in refused(make, there.url).problem


ODD = (
    b"",
    b"[]",
    b"5",
    b"null",
    b'"x"',
    b"{}",
    b"[" * 200_000,
    b"9" * 5_000,
    b'{"data": {"data": [1], "metadata": {"version": 1}}}',
    b'{"errors": [5]}',
    b'{"ARN": 5, "SecretString": 5, "VersionStages": 5}',
    b'{"ARN": "x", "CreatedDate": 1e999, "SecretString": "s"}',
    b'{"ARN": "x", "VersionIdsToStages": {"a": 5}}',
    b'{"__type": 5}',
)


@STORES
@pytest.mark.parametrize("status", [200, 400, 404])
@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_an_answer_of_another_form_is_refused_by_name(make: Make, content: bytes, status: int) -> None:
    with server(says(status, content)) as there:
        refused(make, there.url)


@STORES
def test_a_lock_is_refused_where_an_answer_has_another_form(make: Make) -> None:
    for content in ODD:
        with (
            server(says(200, content)) as there,
            pytest.raises(AuthenticationError, match=REFERENCES[make]),
            make(there.url, LONG).lock(NAMES[make]),
        ):
            pytest.fail("nothing may run under a lock that nobody keeps")


@pytest.mark.parametrize(
    ("behave", "problem"),
    [(SLOW["headers"], "in full"), (LARGE["a body"], "1 MiB"), (says(307, b""), "redirect")],
)
def test_logins_of_aws_are_bounded_too(
    behave: Behaviour, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job exchanges its identity for a role at another service of AWS."""
    (tmp_path / "token").write_text("an-identity")
    with server(behave) as there:
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/test")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", there.url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        environ = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
        with pytest.raises(AuthenticationError, match=problem):
            AwsBackend(environ, utc_now, SHORT if "full" in problem else LONG).fetch("criteo")
        assert len(there.received) == 1


def test_a_broken_connection_is_tried_once_more_at_aws() -> None:
    answers = iter([lambda connection: connection.close(), says(200, GOOD[aws])])
    with server(lambda connection: next(answers)(connection)) as there:
        assert aws(there.url, LONG).fetch("criteo").reveal() == "a-secret"
        assert len(there.received) == 2
    with server(lambda connection: connection.close()) as there:
        assert "broke the connection" in refused(aws, there.url).problem
        assert len(there.received) == 2


@STORES
def test_the_credential_is_named_with_both_its_references(make: Make, tmp_path: Path) -> None:
    with server(LARGE["gzip"]) as there:
        environ = {"VAULT_ADDR": there.url, "VAULT_TOKEN": TOKEN, **leading_to(there.url), "SECRET": "s"}
        places = places_of(environ, tmp_path, LocalSecretStore(tmp_path, utc_now), "")
        application = Application("clientCredentials", REFERENCES[make], "env:SECRET")
        access = ConnectionFactory(Environment("sandbox", Api("emulator"), "", "", ()), places, FakeClock())
        with pytest.raises(AuthenticationError, match="more than 1 MiB") as caught:
            access.keys(CredentialRole("criteo", application, plan_application=False))
    said = f"credential criteo reads clientId from {REFERENCES[make]}, clientSecret from env:SECRET"
    assert caught.value.remedy.endswith(said)
