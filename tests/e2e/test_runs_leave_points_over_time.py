"""Each apply and verify appends its counts to the series beside the state, and never fails because of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.cli import Project

from reconciler.core.model import Address
from reconciler.core.series import SeriesRun, newest_months, runs_of
from reconciler.state.local_store import LocalStore

pytestmark = pytest.mark.promise("state")

EMAIL, CUSTOMER = Address("email", "buyers"), Address("customer", "buyers")
STATE = ".reconciler/state/sandbox"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(40))
    return made


def runs(project: Project) -> tuple[SeriesRun, ...]:
    reader = LocalStore(project.root / STATE, "sandbox").reader()
    months = newest_months(datetime.now(UTC) + timedelta(days=3), 2)
    return runs_of(reader.series(month) for month in months)


def test_a_history_of_applies_and_verifies(project: Project) -> None:
    project.run("apply", "sandbox", "--yes", "--events", "events.ndjson")
    at_first = project.serial()
    project.run("emulator", "advance", "sandbox", "1d")
    project.run("verify", "sandbox")
    project.run("apply", "sandbox", "--yes")
    serial = project.serial()
    project.people(*range(1, 43))
    project.run("apply", "sandbox", "--yes")
    first, check, second = runs(project)
    assert (first.kind, check.kind, second.kind) == ("apply", "verify", "apply")
    assert {point.address: (point.size, point.adds, point.removes) for point in first.points} == {
        EMAIL: (40, 40, 0),
        CUSTOMER: (40, 40, 0),
    }
    [email] = [point for point in check.points if point.address == EMAIL]
    assert (email.size, email.arrived, email.matched, email.match_rate) == (40, 40, 24, 0.6)
    assert {(point.size, point.adds, point.removes) for point in second.points} == {(42, 3, 1)}
    assert timedelta(days=1) <= check.at - first.at < timedelta(days=2), "the emulator's clock"
    assert "▁▁█  acknowledged" in project.at_terminal("status", "sandbox").said
    assert "▁" not in project.run("status", "sandbox").said
    events = (project.root / "events.ndjson").read_text().splitlines()
    assert {json.loads(line)["run"] for line in events} == {first.id}
    assert serial == at_first, "neither a verification nor an empty apply is a change of the state"


def test_a_series_that_cannot_be_written_fails_no_run(project: Project) -> None:
    folder = project.root / STATE
    project.run("plan", "sandbox")
    folder.mkdir(parents=True, mode=0o700)
    (folder / "series").write_text("in the way")
    project.run("apply", "sandbox", "--yes")
    project.run("emulator", "advance", "sandbox", "1d")
    project.run("verify", "sandbox")
    project.run("status", "sandbox")
    assert (folder / "series").read_text() == "in the way"


def test_neither_an_export_nor_a_restore_has_points(project: Project) -> None:
    project.run("apply", "sandbox", "--yes")
    before = runs(project)
    project.people(*range(1, 43))
    project.run("apply", "sandbox", "--yes")
    project.run("state", "restore", "sandbox", "--serial", "1", "--yes")
    assert runs(project)[:1] == before
    assert len(runs(project)) == 2
    project.run("state", "export", "sandbox", "exported.zip")
    with ZipFile(project.root / "exported.zip") as exported:
        assert not [name for name in exported.namelist() if "series" in name]
