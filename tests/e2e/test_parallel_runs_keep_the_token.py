"""Parallel runs renew a rotating token without loss; a killed run costs at most one consent."""

import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.cli import REPOSITORY, REST, Project, surroundings
from support.consenting_user import allowed

from reconciler.disk.private_dir import private_directory
from reconciler.emulator import Emulator, Switches

pytestmark = pytest.mark.promise("credentials")

ACCOUNT = "368477501993431040"
KEY = "Zm9yIHRoZXNlIHRlc3RzIG9ubHksIDMyIGJ5dGVzISE="
PLACES = ["file:.reconciler/token", "state:criteo"]
BACK = "https://hooks.acme.example/criteo"
CONSENTED = """\
kind: Credential
name: criteo
grant: authorizationCode
clientId: env:ID
clientSecret: env:SECRET
refreshToken: {place}
redirectUri: {back}
---
"""
PROCESSES, EACH = 4, 50
KILLS = 15
STRICT = Switches(rotate_refresh_tokens=True, reuse_revokes=True, rate_limit_per_account=10**6)
"""A token that is used twice ends the whole consent, so that a single race is seen."""


@dataclass
class Fleet:
    """One project, and processes that renew its one token."""

    project: Project
    emulator: Emulator

    @property
    def environ(self) -> dict[str, str]:
        issued = self.emulator.credentials
        return surroundings(
            ID=issued.client_id,
            SECRET=issued.client_secret,
            RECONCILER_STATE_KEY=KEY,
            PYTHONPATH=str(REPOSITORY),
        )

    def consents(self) -> None:
        """Through the same commands and the same page as a person."""
        asked = self._command("auth", "url", "sandbox", "criteo", "--quiet")
        assert asked.returncode == 0, asked.stderr
        redirected = allowed(asked.stdout.strip())
        done = self._command("auth", "login", "sandbox", "criteo", given=redirected)
        assert "connected: criteo" in done.stdout, done.stdout + done.stderr

    def starts(self, times: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable,
                str(REPOSITORY / "tests" / "support" / "token_refresher.py"),
                str(self.project.root),
                str(times),
            ],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def renews_once(self) -> tuple[int, str]:
        process = self.starts(1)
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def issued(self) -> int:
        """Refresh tokens that the emulator gave out and did not refuse."""
        return sum(call.operation == "token" and call.status == 200 for call in self.emulator.history())

    def _command(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.project.command(*arguments),
            cwd=self.project.root,
            env=self.environ,
            input=f"{given}\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(params=PLACES, ids=lambda place: place.partition(":")[0])
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    file = private_directory(tmp_path / ".reconciler" / "emulator") / "sandbox.sqlite"
    with Emulator.open(file, switches=STRICT) as emulator, emulator.serving() as url:
        project = Project.make(tmp_path, url)
        folder = tmp_path / "environments" / "sandbox"
        environment = (folder / "environment.yaml").read_text()
        consent = f'endpoint: "{url}", consentUrl: "{url}/request"'
        (folder / "environment.yaml").write_text(environment.replace(f"endpoint: {url}", consent))
        others = REST.partition("---\n")[2]
        (folder / "rest.yaml").write_text(CONSENTED.format(place=request.param, back=BACK) + others)
        emulator.ensure_account(ACCOUNT, ["3239117063738827231"])
        fleet = Fleet(project, emulator)
        fleet.consents()
        yield fleet


def test_two_hundred_refreshes_by_four_processes(fleet: Fleet) -> None:
    """Reuse revokes the consent, so a token used twice or lost would fail all later runs."""
    before = fleet.issued()
    processes = [fleet.starts(EACH) for _ in range(PROCESSES)]
    for process in processes:
        said, _ = process.communicate(timeout=300)
        assert (process.returncode, said.count("renewed")) == (0, EACH), said
    assert fleet.issued() - before == PROCESSES * EACH
    assert fleet.renews_once()[0] == 0, "what is stored is not the newest"


def test_killed_at_random_it_works_or_says_that_consent_is_needed_again(fleet: Fleet) -> None:
    chance = random.Random(7)  # noqa: S311 - when to kill
    lost = 0
    for _ in range(KILLS):
        process = fleet.starts(10**6)
        assert process.stdout
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.wait()
        process.stdout.close()
        code, said = fleet.renews_once()
        if code:
            assert code == 4, said
            assert "Criteo no longer takes the refresh token" in said
            assert "a run was stopped before the token that came after this one was kept" in said
            assert "consent is needed again: `reconciler auth login sandbox criteo`" in said
            assert not re.search(r"Traceback|Error:", said)
            lost += 1
            fleet.consents()
    assert lost < KILLS, "no kill left the token as it was"
    assert fleet.renews_once()[0] == 0
