"""A plan after an apply does not read unchanged sources, says so, and reads them on request."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from support.cli import Project

from reconciler.cli import group
from reconciler.clock import StopSignal
from reconciler.members import identities
from reconciler.members.engine import DuckDbEngine

pytestmark = pytest.mark.promise("members")

NOTE = "sources of 1 audience unchanged since"
HOUR = 3_600 * 1_000_000_000


class Commands:
    """Commands that run in this process, how often they read sources, and how often they open DuckDB."""

    def __init__(self, root: Path) -> None:
        self.project = Project.make(root)
        self.readings = self.engines = 0

    def run(self, *arguments: str) -> int:
        with contextlib.chdir(self.project.root):
            code = group.main(arguments, prog_name="reconciler", standalone_mode=False, obj=StopSignal())
        return code if isinstance(code, int) else 0

    def records(self) -> bytes:
        return (self.project.root / ".reconciler/state/sandbox/sources.json").read_bytes()


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Files count as an hour old by the time that they are read."""
    for name in ("CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    made, build, begin = Commands(tmp_path), DuckDbEngine.build, DuckDbEngine.__init__

    def counted(engine: DuckDbEngine, *asked: object) -> object:
        made.readings += 1
        return build(engine, *asked)

    def opened(engine: DuckDbEngine, *given: Any, **named: Any) -> None:
        made.engines += 1
        begin(engine, *given, **named)

    monkeypatch.setattr(DuckDbEngine, "build", counted)
    monkeypatch.setattr(DuckDbEngine, "__init__", opened)
    monkeypatch.setattr(identities, "time_ns", lambda: time.time_ns() + HOUR)
    made.project.people(*range(300))
    assert made.run("apply", "sandbox", "--yes", "--quiet") == 0
    assert made.readings == 1
    return made


def test_a_plan_without_changes_opens_no_database(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run("plan", "sandbox", "--quiet") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert NOTE in said
    assert "No changes." in said
    assert (commands.readings, commands.engines) == (1, 1)


@pytest.mark.parametrize("command", [("plan", "sandbox"), ("apply", "sandbox", "--yes")])
def test_read_sources_reads_all(
    commands: Commands, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(*command, "--read-sources", "--quiet") == 0
    assert NOTE not in " ".join(capsys.readouterr().out.split())
    assert commands.readings == 2


def test_explain_counts_rows_that_it_read(commands: Commands) -> None:
    assert commands.run("explain", "sandbox", "email/buyers", "--quiet") == 0
    assert commands.readings == 2


def test_json_has_the_number_of_audiences_and_the_time(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert commands.run("plan", "sandbox", "--json", "--quiet") == 0
    notes = json.loads(capsys.readouterr().out)["document"]["notes"]
    [note] = [one for one in notes if one["code"] == "sources_unchanged"]
    assert note["audiences"] == 1


def test_a_new_export_is_read_and_sent(commands: Commands) -> None:
    commands.project.people(*range(310))
    assert commands.run("plan", "sandbox", "--detailed-exitcode", "--quiet") == 2
    assert commands.run("apply", "sandbox", "--yes", "--quiet") == 0
    assert commands.run("plan", "sandbox", "--detailed-exitcode", "--quiet") == 0
    assert commands.readings == 3


def test_an_apply_without_changes_renews_the_record_and_a_plan_does_not(commands: Commands) -> None:
    before = commands.records()
    (commands.project.root / "data" / "people.csv").touch()
    assert commands.run("plan", "sandbox", "--quiet") == 0
    assert commands.records() == before
    assert commands.run("apply", "sandbox", "--yes", "--quiet") == 0
    assert commands.records() != before
    assert commands.readings == 3
    assert commands.run("plan", "sandbox", "--quiet") == 0
    assert commands.readings == 3


def test_a_disk_that_takes_no_record_fails_no_apply(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, folder = commands.records(), commands.project.root / ".reconciler/state/sandbox"
    (folder / "sources.json").unlink()
    (folder / "sources.json").mkdir()
    assert commands.run("apply", "sandbox", "--yes", "--quiet") == 0
    (folder / "sources.json").rmdir()
    assert commands.run("apply", "sandbox", "--yes", "--quiet") == 0
    assert len(commands.records()) == len(before)
