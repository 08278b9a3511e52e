"""`emulator advance` moves the time of every command that uses the emulator, in this process or served."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from support.cli import Project
from support.emulator import HOST, Client

from reconciler.emulator.in_process_transport import transport
from reconciler.emulator.pipeline import CLOCK_PATH

pytestmark = pytest.mark.promise("read-right")

HOME = "environments/sandbox/environment.yaml"


def words(text: str) -> str:
    return " ".join(text.split())


@contextlib.contextmanager
def served(project: Project) -> Iterator[dict[str, str]]:
    """Yield the credentials of the sandbox's emulator, which is served where the manifests say."""
    project.run("emulator", "reset", "sandbox")
    with project.emulator() as emulator, emulator.serving() as url:
        at(project, url)
        issued = emulator.credentials
        yield {"ID": issued.client_id, "SECRET": issued.client_secret}


def at(project: Project, endpoint: str) -> None:
    file = project.root / HOME
    file.write_text(file.read_text().replace("endpoint: emulator", f'endpoint: "{endpoint}"'))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(40))
    return made


def is_in_real_time(said: str) -> bool:
    made_at = datetime.fromisoformat(json.loads(said)["made_at"])
    return abs(made_at - datetime.now(UTC)) < timedelta(hours=12)


def clear_by_hand(project: Project) -> None:
    """As someone could at Criteo, through the API."""
    with (
        project.emulator() as emulator,
        httpx.Client(base_url=HOST, transport=transport(emulator.pipeline)) as http,
    ):
        [segment] = [one for one in emulator.segments() if "(email)" in one.name]
        client = Client(emulator, http)
        client.authorize()
        assert client.clear(segment.id).status_code == 204


def members_drift(project: Project, **secrets: str) -> None:
    """From an apply to members that are lost by hand, and back, without waiting."""
    project.run("apply", "sandbox", "--yes", **secrets)
    assert "to be computed" in project.run("status", "sandbox", **secrets).said
    project.run("verify", "sandbox", code=11, **secrets)
    project.run("emulator", "advance", "sandbox", "1d")
    assert "live since" in project.run("status", "sandbox", **secrets).said
    project.run("verify", "sandbox", **secrets)
    project.run("drift", "sandbox", **secrets)
    clear_by_hand(project)
    project.run("drift", "sandbox", **secrets)
    project.run("emulator", "advance", "sandbox", "1d")
    said = words(project.run("drift", "sandbox", code=2, **secrets).said)
    assert "Criteo acknowledged 40 identifiers and counts 0" in said
    project.run("verify", "sandbox", code=5, **secrets)
    planned = project.run("plan", "sandbox", "--statistics", **secrets).said
    assert "1 to refill" in words(planned)
    tomorrow = datetime.now(UTC) + timedelta(days=2)
    assert f"made {tomorrow:%Y-%m-%d}" in planned


def test_members_drift_by_hand_in_process(project: Project) -> None:
    members_drift(project)


def test_members_drift_by_hand_with_a_served_emulator(project: Project) -> None:
    with served(project) as secrets:
        members_drift(project, **secrets)
        doctor = project.run("doctor", "sandbox", "--json", **secrets).said
    document = json.loads(doctor[doctor.index("{") :])  # after the head of the audit log
    [clock] = [one for one in document["checks"] if one["check"] == "clock"]
    assert clock["status"] == "ok", "the emulator states its own time"


def test_the_clock_is_no_call_of_the_api(project: Project) -> None:
    with served(project) as secrets:
        project.run("status", "sandbox", **secrets)
        assert project.history() == ()


def test_without_the_server_a_command_uses_the_real_clock_and_fails_where_it_needs_criteo(
    project: Project,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at(project, f"http://127.0.0.1:{free.getsockname()[1]}")
    assert is_in_real_time(project.run("status", "sandbox", "--json").said)
    project.run("plan", "sandbox", code=9, ID="id", SECRET="secret")


class Answering(BaseHTTPRequestHandler):
    """Answers every request with `body` and notes its path."""

    body: ClassVar[bytes] = b""
    status: ClassVar[int] = 200
    paths: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.paths.append(self.path)
        with contextlib.suppress(OSError):
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(self.body)))
            if self.status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def server(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    paths: list[str] = []
    kind: Any = type("Answer", (Answering,), {"body": body, "status": status, "paths": paths})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}", paths
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b'{"ahead_seconds": 86400}'),
        (302, b'{"ahead_seconds": 86400}'),
        (200, b""),
        (200, b"[86400]"),
        (200, b"\xff\xfe"),
        (200, b"[" * 900),
        (200, b'{"ahead_seconds": true}'),
        (200, b'{"ahead_seconds": -86400}'),
        (200, b'{"ahead_seconds": 1e400}'),
        (200, b'{"ahead_seconds": NaN}'),
        (200, b'{"ahead_seconds": "86400"}'),
        (200, b'{"ahead_seconds": 1000000000000000}'),
        (200, b'{"ahead_seconds": 86400, "more": "' + b"x" * 2_000 + b'"}'),
    ],
)
def test_an_answer_that_is_not_a_clock_changes_nothing(project: Project, status: int, body: bytes) -> None:
    with server(status, body) as (url, paths):
        at(project, url)
        assert is_in_real_time(project.run("status", "sandbox", "--json").said)
    assert paths == [CLOCK_PATH], "asked once, and redirections are not followed"


def test_no_proxy_is_asked_for_the_clock(project: Project) -> None:
    with server(200, b'{"ahead_seconds": 86400}') as (proxy, asked):
        with served(project) as secrets:
            proxies = {"HTTP_PROXY": proxy, "http_proxy": proxy}
            said = project.run("status", "sandbox", "--json", **proxies, **secrets).said
        assert is_in_real_time(said)
    assert asked == []
