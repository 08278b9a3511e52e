"""Receivers get notifications. None of them changes a run or gets a secret, whatever it answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli import Project
from support.http_receiver import HttpReceiver, serving

pytestmark = pytest.mark.promise("private")

PATH = "/hook/unguessable-part-of-a-url"
WARNING = "Warning: channel was not notified: "
BLOCKED = "guards: {maxShrink: 20%, maxGrowth: 100%, minMembers: 1000, maxInvalid: 10%}"


class Receiver(HttpReceiver):
    """A channel, whose URL is a secret."""

    @property
    def url(self) -> str:
        return f"{super().url}{PATH}"

    @property
    def documents(self) -> list[dict]:
        return [json.loads(content) for _, content, _ in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(40))
    return made


def declare(project: Project, more: str = "", form: str = "json") -> None:
    file = project.root / "environments" / "sandbox" / "environment.yaml"
    file.write_text(f"{file.read_text()}notify: [{{name: channel, url: env:HOOK, form: {form}{more}}}]\n")


def block(project: Project) -> None:
    file = project.root / "environments" / "sandbox" / "environment.yaml"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(BLOCKED if line.startswith("guards:") else line for line in lines) + "\n")


def apply(project: Project, receiver: Receiver, *more: str, code: int = 0) -> str:
    return project.run("apply", "sandbox", "--yes", *more, code=code, HOOK=receiver.url).said


def test_a_run_that_succeeds_sends_nothing(project, receiver):
    declare(project)
    apply(project, receiver)
    apply(project, receiver)
    assert receiver.got == []


def test_blocked_addresses_are_sent_once_in_each_run(project, receiver):
    declare(project)
    block(project)
    apply(project, receiver, code=5)
    [got] = receiver.documents
    assert (got["kind"], got["command"], got["environment"]) == ("blocked", "apply", "sandbox")
    assert got["addresses"] == ["customer/buyers", "email/buyers"]
    assert got["summary"] == "sandbox: 2 addresses are blocked"
    assert receiver.got[0][0] == PATH


def test_a_plan_sends_nothing(project, receiver):
    declare(project)
    block(project)
    project.run("plan", "sandbox", code=5, HOOK=receiver.url)
    apply(project, receiver, "--emulate", code=5)
    assert receiver.got == []


def test_a_failure_before_the_first_call_is_sent(project, receiver):
    declare(project)
    project.run("apply", "sandbox", "--yes")
    (project.root / ".reconciler" / "state" / "sandbox" / "key").write_bytes(b"short")
    said = project.run("apply", "sandbox", "--yes", code=10, HOOK=receiver.url).said
    assert [one["kind"] for one in receiver.documents] == ["failed"], said


def test_drift_and_arrival_are_sent(project, receiver):
    declare(project, more=", kinds: [drift, usable]")
    apply(project, receiver)
    project.run("emulator", "advance", "sandbox", "24h")
    project.run("verify", "sandbox", HOOK=receiver.url)
    project.run("verify", "sandbox", HOOK=receiver.url)
    with project.emulator() as emulator:
        emulator.rename_by_hand(emulator.segments()[0].id, "By hand")
    project.run("drift", "sandbox", code=2, HOOK=receiver.url)
    assert [one["kind"] for one in receiver.documents] == ["usable", "drift"]
    assert receiver.documents[0]["addresses"] == ["customer/buyers", "email/buyers"]


@pytest.mark.parametrize("form", ["json", "slack", "teams"])
@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ("takes", ""),
        ("hangs", "the receiver did not answer within 2 s"),
        ("breaks", "the receiver answered 500"),
        ("redirects", "the receiver answered 307"),
        ("echoes", "the receiver answered 400"),
    ],
)
def test_no_receiver_changes_a_run_or_gets_a_secret(project, receiver, behaviour, problem, form):
    """A run beside a receiver that hangs ends while it still hangs."""
    declare(project, form=form)
    block(project)
    receiver.behaviour = behaviour
    said = apply(project, receiver, "-v", code=5)
    warned = [line for line in said.splitlines() if line.startswith(WARNING)]
    assert [WARNING + problem in line for line in warned] == ([True] if problem else [])
    assert "unguessable" not in said
    [(path, content, _)] = receiver.got
    assert path == PATH
    for secret in (b"person", b"@example.com", b"unguessable", project.root.name.encode()):
        assert secret not in content


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1:1/unguessable", "the receiver can't be reached (ConnectError)"),
        ("http://example.com/unguessable", "the URL is neither https nor http on this machine"),
        ("unguessable", "the URL is neither https nor http on this machine"),
        (None, "the environment variable HOOK"),
    ],
)
def test_a_url_that_is_wrong_is_a_warning(project, url, problem):
    declare(project)
    block(project)
    environ = {"HOOK": url} if url else {}
    said = project.run("apply", "sandbox", "--yes", "-v", code=5, **environ).said
    assert WARNING + problem in said
    assert "unguessable" not in said
