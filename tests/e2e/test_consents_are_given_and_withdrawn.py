"""The consent page of the emulator: URL printed, page opened, consent given, and revoked by a command."""

import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.cli import Project, surroundings
from support.consenting_user import ConsentingUser
from support.emulator import Client


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(1)
    return made


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """What is printed once it listens."""
    command = project.command("emulator", "serve", "sandbox", "--port", "0")
    with subprocess.Popen(
        command, cwd=project.root, env=surroundings(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield "".join(process.stdout.readline() for _ in range(4))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def test_a_consent_is_given_at_the_printed_address_and_withdrawn(project: Project) -> None:
    """The printed line fits into a manifest; what was withdrawn is answered 403 by the running server."""
    with serving(project) as said, project.emulator() as emulator:
        printed = re.search(
            r"^  (api: \{endpoint: (http://\S+), consentUrl: (http://\S+)\})$", said, re.MULTILINE
        )
        assert printed, said
        line, url, consent_url = printed.groups()
        assert consent_url == f"{url}/request"
        with httpx.Client(base_url=url) as http:
            person = ConsentingUser(Client(emulator, http))
            tokens = person.consents()
            person.authorizes_with(tokens)
            assert person.client.search().status_code == 200
            assert "consents withdrawn: 1" in project.run("emulator", "revoke", "sandbox").said
            assert person.client.search().status_code == 403
            assert person.refreshes(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    manifest = project.root / "environments" / "sandbox" / "environment.yaml"
    manifest.write_text(re.sub(r"^api: .*$", line, manifest.read_text(), flags=re.MULTILINE))
    project.run("validate", "sandbox")


def test_nothing_to_withdraw_is_no_error(project: Project) -> None:
    assert "consents withdrawn: 0" in project.run("emulator", "revoke", "sandbox").said


@pytest.mark.parametrize("command", ["revoke", "reset", "serve"])
def test_a_file_of_another_version_is_named(project: Project, command: str) -> None:
    """With what to do, and exit code 10: it is no bug."""
    project.run("emulator", "reset", "sandbox")
    with sqlite3.connect(project.root / ".reconciler" / "emulator" / "sandbox.sqlite") as db:
        db.execute("PRAGMA user_version = 1")
    db.close()
    said = project.run("emulator", command, "sandbox", code=10).said
    assert "made by another version" in said
    assert "delete .reconciler/emulator/sandbox.sqlite" in said
