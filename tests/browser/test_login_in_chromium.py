"""Consent in a real browser: the printed URL, the consent page, and the output of the terminal."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from support.cli import REST, Project, surroundings

from reconciler.disk.private_dir import private_directory
from reconciler.emulator import Emulator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.promise("credentials"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"),
]

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ELSEWHERE = "https://hooks.acme.example/criteo"
CONSENTED = """\
kind: Credential
name: criteo
grant: authorizationCode
clientId: env:ID
clientSecret: env:SECRET
refreshToken: file:.reconciler/token
redirectUri: {redirect_uri}
pkce: true
---
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@dataclass
class Desk:
    """A project whose emulator is served on loopback, and a browser."""

    project: Project
    emulator: Emulator
    page: Page

    def consents_by(self, redirect_uri: str) -> None:
        file = self.project.root / "environments" / "sandbox" / "rest.yaml"
        others = REST.partition("---\n")[2]
        file.write_text(CONSENTED.format(redirect_uri=redirect_uri) + others)

    @property
    def secrets(self) -> dict[str, str]:
        issued = self.emulator.credentials
        return {"ID": issued.client_id, "SECRET": issued.client_secret}

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.project.command(*arguments),
            cwd=self.project.root,
            env=surroundings(**self.secrets),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def login(self) -> tuple[subprocess.Popen[str], str]:
        """`auth login`, waiting for a browser at a free port; and the address that it printed."""
        process = self.started("auth", "login", "sandbox", "criteo", "--timeout", "60s")
        assert process.stdout
        return process, process.stdout.readline().strip()

    def pasted(self, address: str, code: int) -> str:
        process = self.started("auth", "login", "sandbox", "criteo")
        said, _ = process.communicate(f"{address}\n", timeout=60)
        assert process.returncode == code, said
        return said

    def address(self) -> str:
        said = self.project.run("auth", "url", "sandbox", "criteo", "--quiet", **self.secrets).said
        return said.splitlines()[0]

    def presses(self, address: str, button: str) -> None:
        self.page.goto(address)
        self.page.get_by_role("button", name=button).click()
        self.page.wait_for_load_state()

    def is_sent_back(self, address: str, button: str) -> str:
        """Return where the browser ended, on a foreign site that shows nothing."""
        self.page.route("https://hooks.acme.example/**", lambda route: route.fulfill(status=204))
        self.page.goto(address)
        with self.page.expect_request("https://hooks.acme.example/**") as sent:
            self.page.get_by_role("button", name=button).click()
        return sent.value.url


@pytest.fixture
def desk(tmp_path: Path, browser: Browser) -> Iterator[Desk]:
    file = private_directory(tmp_path / ".reconciler" / "emulator") / "sandbox.sqlite"
    with Emulator.open(file) as emulator, emulator.serving() as url:
        project = Project.make(tmp_path, url)
        environment = tmp_path / "environments" / "sandbox" / "environment.yaml"
        consent = f'endpoint: "{url}", consentUrl: "{url}/request"'
        environment.write_text(environment.read_text().replace(f"endpoint: {url}", consent))
        project.people(*range(100))
        emulator.ensure_account("368477501993431040", ["3239117063738827231"])
        page = browser.new_page()
        yield Desk(project, emulator, page)
        page.close()


@pytest.fixture
def port() -> int:
    """Return a free port; another process may take it first, which is unlikely."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_from_the_printed_address_through_consent_to_a_plan(desk: Desk, port: int) -> None:
    desk.consents_by(f"http://127.0.0.1:{port}/back")
    process, address = desk.login()
    desk.presses(address, "Allow")
    assert desk.page.title() == "Connected"
    assert "You can close this window" in desk.page.inner_text("main")
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "connected: criteo in sandbox\n  reaches 1 account: 368477501993431040" in said
    assert "Plan: 2 to create" in desk.project.run("plan", "sandbox", **desk.secrets).said
    held = desk.project.run("auth", "status", "sandbox", **desk.secrets).said
    assert re.search(r"consent by auth login on \d{4}-\d\d-\d\d; refresh token good until .* 180 days", held)


def test_a_denial_is_said_in_the_browser_and_at_the_terminal(desk: Desk, port: int) -> None:
    desk.consents_by(f"http://127.0.0.1:{port}/back")
    process, address = desk.login()
    desk.presses(address, "Deny")
    assert desk.page.title() == "Not connected"
    assert "Consent was denied" in desk.page.inner_text("main")
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, "consent was denied" in said) == (4, True), said
    assert not (desk.project.root / ".reconciler" / "token").exists()


def test_another_state_is_refused(desk: Desk, port: int) -> None:
    desk.consents_by(f"http://127.0.0.1:{port}/back")
    process, address = desk.login()
    desk.presses(address.replace("&state=", "&state=X"), "Allow")
    assert desk.page.title() == "Not connected"
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, "not one that was given out here" in said) == (4, True), said
    assert not [call for call in desk.emulator.history() if call.operation == "token"]


def test_login_times_out_without_an_answer(desk: Desk, port: int) -> None:
    desk.consents_by(f"http://127.0.0.1:{port}/back")
    process = desk.started("auth", "login", "sandbox", "criteo", "--timeout", "1s")
    said, _ = process.communicate(timeout=30)
    said = " ".join(said.split())
    assert (process.returncode, "no consent arrived in time" in said) == (4, True), said


def test_an_address_that_was_handed_over_is_finished_by_pasting(desk: Desk) -> None:
    desk.consents_by(ELSEWHERE)
    redirected = desk.is_sent_back(desk.address(), "Allow")
    assert urlsplit(redirected).netloc == "hooks.acme.example"
    said = desk.pasted(redirected, code=0)
    assert "connected: criteo in sandbox" in said
    assert redirected not in said
    used = " ".join(desk.pasted(redirected, code=4).split())
    assert "this URL was used already; its consent is saved" in used
    assert "reconciler auth login sandbox criteo" in used
    desk.project.run("plan", "sandbox", **desk.secrets)
    (desk.project.root / ".reconciler" / "token").unlink()
    assert "it was used already, is too old" in desk.pasted(redirected, code=4)


def test_a_code_that_waited_too_long_is_refused(desk: Desk) -> None:
    desk.consents_by(ELSEWHERE)
    redirected = desk.is_sent_back(desk.address(), "Allow")
    desk.emulator.advance(desk.emulator.switches.code_seconds + 1)
    assert "it was used already, is too old" in desk.pasted(redirected, code=4)


def test_a_denial_can_be_pasted_too(desk: Desk) -> None:
    desk.consents_by(ELSEWHERE)
    redirected = desk.is_sent_back(desk.address(), "Deny")
    assert "consent was denied" in desk.pasted(redirected, code=4)
