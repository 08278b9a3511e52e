"""Every run that holds the lock leaves two entries, also if it fails or is killed; `audit` checks them."""

import json
import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import forked_command, schemas
from support.cli import Project, surroundings
from support.forked_command import Setup

from reconciler.emulator import Switches

pytestmark = pytest.mark.promise("audit")

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "mona",
    "GITHUB_TRIGGERING_ACTOR": "octo",
    "GITHUB_RUN_ID": "17",
    "GITHUB_SERVER_URL": "https://github.example.com",
    "GITHUB_REPOSITORY": "acme/audiences",
}
GITLAB = {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "tanuki", "CI_JOB_URL": "https://gitlab.example.com/1"}
HEAD = re.compile(r"audit log: (\d+) entries, head (\d+:sha256:[0-9a-f]{64})")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(100))
    return made


def logged(project: Project, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The log as JSON, checked against its schema."""
    done = project.streams("audit", "sandbox", "--json", *arguments)
    assert done.code == code, done.err
    return schemas.output(done.out)


def runs(project: Project) -> list[dict[str, Any]]:
    document = logged(project, "--verify")
    assert document["flaws"] == []
    return list(document["runs"])


def folder(project: Project) -> Path:
    return project.root / ".reconciler" / "state" / "sandbox" / "audit"


def printed(said: str) -> str:
    found = HEAD.search(" ".join(said.split()))
    assert found, said
    assert found[2].startswith(f"{found[1]}:")
    return found[2]


def test_an_apply_states_who_what_and_how_many(project: Project) -> None:
    project.run("apply", "sandbox", "--yes", **GITHUB)
    project.people(*range(5, 100))
    project.run("apply", "sandbox", "--yes", "--actor", "mona")
    first, second = runs(project)
    assert first["begin"]["actor"] == {"name": "octo", "source": "github"}
    assert first["begin"]["machine"] == "https://github.example.com/acme/audiences/actions/runs/17"
    assert first["begin"]["command"] == "apply"
    assert (first["begin"]["lineage"], first["begin"]["serial"]) == (None, 0)
    assert (first["end"]["exit_code"], first["end"]["serial"], first["end"]["added"]) == (0, 1, 200)
    assert re.fullmatch("sha256:[0-9a-f]{64}", first["end"]["plan"])
    assert [
        (one["address"], one["kind"], one["outcome"], one["added"]) for one in first["end"]["changes"]
    ] == [
        ("customer/buyers", "create", "applied", 100),
        ("email/buyers", "create", "applied", 100),
    ]
    assert second["begin"]["actor"] == {"name": "mona", "source": "option"}
    assert [one["removed"] for one in second["end"]["changes"]] == [{"less_than": 10}] * 2
    assert second["end"]["removed"] == 10


def test_the_actor_comes_from_ci_or_from_the_machine(project: Project) -> None:
    project.run("apply", "sandbox", "--yes", **GITLAB)
    project.run("apply", "sandbox", "--yes", **(GITHUB | {"GITHUB_TRIGGERING_ACTOR": ""}))
    project.run("apply", "sandbox", "--yes", **(GITLAB | {"GITLAB_USER_LOGIN": "no login@example.com"}))
    project.run("apply", "sandbox", "--yes", LOGNAME="lisa")
    found = [(one["begin"]["actor"]["name"], one["begin"]["actor"]["source"]) for one in runs(project)]
    assert found == [("tanuki", "gitlab"), ("mona", "github"), ("unknown", "gitlab"), ("lisa", "machine")]


def test_an_actor_that_contradicts_ci_or_is_no_login_is_refused(project: Project) -> None:
    said = project.run("apply", "sandbox", "--yes", "--actor", "mona", code=64, **GITHUB).said
    assert "leave out --actor" in said
    said = project.run("apply", "sandbox", "--yes", "--actor", "lisa@example.com", code=64).said
    assert "is no login" in said
    assert "lisa" not in said
    assert not folder(project).exists()


def test_the_commit_is_the_one_that_is_checked_out(project: Project) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run([*git, "init", "-q"], cwd=project.root, check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], cwd=project.root, check=True)
    shown = subprocess.run([*git, "rev-parse", "HEAD"], cwd=project.root, check=True, capture_output=True)
    project.run("apply", "sandbox", "--yes")
    [run] = runs(project)
    assert run["begin"]["commit"] == shown.stdout.decode().strip()


def test_an_approved_apply_names_its_approval(project: Project) -> None:
    project.run("plan", "sandbox", "--out", "plan.json")
    digest = json.loads((project.root / "plan.json").read_text())["digest"]
    project.run("apply", "sandbox", "--yes", "--approved", "plan.json", "--approved-digest", digest)
    [run] = runs(project)
    assert run["end"]["approvals"] == [{"digest": digest, "approved_by": []}]


def test_a_run_without_changes_and_a_refused_run_leave_entries_too(project: Project) -> None:
    project.run("apply", "sandbox", "--yes")
    project.run("apply", "sandbox", "--yes")
    project.people(1)
    project.run("apply", "sandbox", "--yes", code=5)
    ended = [
        (one["end"]["exit_code"], one["end"]["serial"], len(one["end"]["changes"])) for one in runs(project)
    ]
    assert ended == [(0, 1, 2), (0, 1, 0), (5, 1, 0)]


def test_a_plan_and_other_reading_commands_leave_no_entry(project: Project) -> None:
    project.run("apply", "sandbox", "--yes")
    before = sorted(folder(project).iterdir())
    for command in (
        ("plan",),
        ("status",),
        ("drift",),
        ("report",),
        ("doctor", "--plan"),
        ("state", "show"),
        ("audit",),
    ):
        project.run(*command, "sandbox")
    assert sorted(folder(project).iterdir()) == before


def test_every_command_that_holds_the_lock_leaves_entries(project: Project) -> None:
    project.run("apply", "sandbox", "--yes")
    project.people(*range(5, 100))
    project.run("apply", "sandbox", "--yes")
    project.run("emulator", "advance", "sandbox", "1d")
    project.run("verify", "sandbox", "--actor", "mona")
    project.run("state", "export", "sandbox", "state.zip", "--actor", "mona")
    project.run("state", "restore", "sandbox", "--serial", "1", "--yes", "--actor", "mona")
    project.run("state", "lock", "break", "sandbox", "--id", "1", "--actor", "mona", code=7)
    project.run("teardown", "sandbox", "--confirm", "sandbox", "--yes", "--actor", "mona")
    project.run("erase", "sandbox", "--yes", "--actor", "mona", given="person7@example.com")
    project.run("doctor", "sandbox", GITHUB_ACTIONS="true", GITHUB_ACTOR="mona")
    document = runs(project)
    assert [(one["begin"]["command"], one["end"]["exit_code"]) for one in document] == [
        ("apply", 0),
        ("apply", 0),
        ("verify", 0),
        ("state export", 0),
        ("state restore", 0),
        ("state lock break", 7),
        ("teardown", 0),
        ("erase", 0),
        ("doctor", 0),
    ]
    assert {one["begin"]["actor"]["name"] for one in document[2:]} == {"mona"}
    kinds = [{change["kind"] for change in one["end"]["changes"]} for one in document]
    assert kinds[2:] == [{"verified"}, {"exported"}, {"restored"}, set(), {"empty"}, set(), set()]


def test_an_import_and_a_rebuild_leave_entries(project: Project, tmp_path: Path) -> None:
    project.run("apply", "sandbox", "--yes")
    project.run("state", "export", "sandbox", "state.zip")
    shutil.rmtree(project.root / ".reconciler" / "state")
    project.run("state", "import", "sandbox", "state.zip", "--yes", "--actor", "mona")
    [run] = runs(project)
    assert (run["begin"]["command"], run["begin"]["serial"], run["end"]["serial"]) == ("state import", 0, 2)
    assert {one["kind"] for one in run["end"]["changes"]} == {"imported"}
    shutil.rmtree(project.root / ".reconciler" / "state")
    project.run("state", "rebuild", "sandbox", "--reuse", "--yes", "--actor", "mona")
    [run] = runs(project)
    assert (run["begin"]["command"], run["end"]["serial"]) == ("state rebuild", 1)
    assert {one["kind"] for one in run["end"]["changes"]} == {"rebuilt"}


def test_the_head_that_an_apply_prints_is_a_witness(project: Project) -> None:
    witness = printed(project.run("apply", "sandbox", "--yes").said)
    project.run("apply", "sandbox", "--yes")
    assert "the audit log is whole" in project.run("audit", "sandbox", "--head", witness).said
    for entry in sorted(folder(project).iterdir())[1:]:
        entry.unlink()
    project.run("audit", "sandbox", "--verify")  # the serial of the state fits an interrupted run
    said = project.run("audit", "sandbox", "--head", witness, code=10).said
    assert "entries were removed at the end of the log" in " ".join(said.split())


def test_the_head_is_on_standard_error_beside_json(project: Project) -> None:
    done = subprocess.run(
        project.command("apply", "sandbox", "--yes", "--json"),
        cwd=project.root,
        env=surroundings(),
        capture_output=True,
        text=True,
        check=True,
    )
    printed(done.stderr)
    assert json.loads(done.stdout)["document_type"] == "apply"


def test_a_changed_entry_is_named_with_its_number(project: Project) -> None:
    project.run("apply", "sandbox", "--yes")
    project.run("apply", "sandbox", "--yes")
    entry = folder(project) / "00000002.json"
    entry.write_text(entry.read_text().replace('"added": 100', '"added": 900'))
    project.run("audit", "sandbox")
    said = " ".join(project.run("audit", "sandbox", "--verify", code=10).said.split())
    assert "entry 2: it is not as reconciler wrote it" in said
    assert "entry 3: it does not continue the entry before it" in said
    document = logged(project, "--verify", code=10)
    assert [(one["kind"], one["entry"]) for one in document["flaws"]] == [("damaged", 2), ("unchained", 3)]
    assert document["error"]["exit_code"] == 10
    project.run("apply", "sandbox", "--yes")  # a damaged log stops no run


def test_a_state_that_was_written_without_an_entry_is_found(project: Project) -> None:
    project.run("apply", "sandbox", "--yes")
    kept = shutil.copytree(folder(project), project.root / "kept")
    project.people(*range(5, 100))
    project.run("apply", "sandbox", "--yes")
    shutil.rmtree(folder(project))
    kept.rename(folder(project))
    said = project.run("audit", "sandbox", "--verify", code=10).said
    assert "the state was written or replaced after the last entry" in " ".join(said.split())


def test_a_run_that_cannot_begin_its_entry_sends_nothing(project: Project) -> None:
    folder(project).parent.mkdir(parents=True)
    folder(project).write_text("no folder")
    said = project.run("apply", "sandbox", "--yes", code=10).said
    assert "a file is where a folder should be" in " ".join(said.split())
    assert project.history() == ()


def test_a_signal_ends_the_run_with_its_entry(tmp_path: Path) -> None:
    project = Project.make(tmp_path, batch_size=5)
    project.people(*range(100))
    project.run("plan", "sandbox")
    with project.emulator() as emulator:
        emulator.configure(replace(Switches(), latency=0.5))
    process = subprocess.Popen(
        project.command("apply", "sandbox", "--yes"),
        cwd=project.root,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not [call for call in project.writes() if call.action]:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    [run] = runs(project)
    assert run["end"]["exit_code"] == 130


def kills() -> list[int]:
    """Each of the first calls that change the disk, and some of the later ones."""
    return [*range(1, 60, 4), *range(60, 400, 40)]


def test_a_run_that_is_killed_at_any_write_is_in_the_log(project: Project) -> None:
    """Whenever the state was written, its run has begun in the log, and the log is whole."""
    begun = unfinished = 0
    state = project.root / ".reconciler" / "state"
    for number in kills():
        shutil.rmtree(project.root / ".reconciler", ignore_errors=True)
        setup = Setup("support.killed_writes", "kill_at", number)
        arguments = ("apply", "sandbox", "--yes", "--quiet")
        code, said = forked_command.run(project.root, arguments, surroundings(), setup)
        if code == 0:
            break
        assert code == 128 + signal.SIGKILL, said
        found = runs(project)
        assert len(found) <= 1
        wrote = (state / "sandbox" / "head.json").exists()
        assert found or not wrote
        begun += bool(found)
        unfinished += bool(found) and found[0]["end"] is None
        project.run("apply", "sandbox", "--yes")
        assert [one["end"] is None for one in runs(project)] == [one["end"] is None for one in found] + [
            False
        ]
    else:
        pytest.fail("an apply changes the disk more often than it was killed")
    assert begun > 5
    assert unfinished > 5


def test_other_environments_have_their_own_logs(project: Project) -> None:
    production = project.root / "environments" / "production"
    shutil.copytree(project.root / "environments" / "sandbox", production)
    manifest = production / "environment.yaml"
    manifest.write_text(manifest.read_text().replace("sandbox", "production"))
    project.run("apply", "sandbox", "--yes")
    document = json.loads(project.run("audit", "production", "--json").said)
    assert (document["head"], document["runs"]) == (None, [])


def test_the_text_names_each_run(project: Project) -> None:
    project.run("apply", "sandbox", "--yes", "--actor", "mona")
    said = " ".join(project.run("audit", "sandbox").said.split())
    assert "apply by mona, no commit, exit 0, serial 1, 2 addresses, members +200" in said
    assert "2 entries, head 2:sha256:" in said
