"""`emulator` commands work for environments on the emulator, without data, and refuse any other."""

from datetime import UTC, datetime, timedelta

import pytest
from support.cli import Project

HOME = "environments/sandbox/environment.yaml"


@pytest.fixture
def project(tmp_path):
    return Project.make(tmp_path)


@pytest.mark.parametrize("command", [("reset",), ("advance",), ("fault",), ("revoke",), ("serve",)])
def test_an_environment_at_criteo_is_refused(project, command):
    file = project.root / HOME
    file.write_text(file.read_text().replace("endpoint: emulator", "endpoint: https://api.criteo.com"))
    more = {"advance": ["12h"], "fault": ["429"]}.get(command[0], [])
    said = " ".join(project.run("emulator", *command, "sandbox", *more, code=3).said.split())
    assert "sandbox is no environment on the emulator: its api.endpoint is https://api.criteo.com" in said
    assert "`plan sandbox --emulate`" in said
    assert not (project.root / ".reconciler").exists()


@pytest.mark.parametrize("endpoint", ["emulator", "http://127.0.0.1:8399"])
def test_no_data_is_needed(project, endpoint):
    file = project.root / HOME
    text = file.read_text().replace("endpoint: emulator", f'endpoint: "{endpoint}"')
    file.write_text(text.replace("{root: data}", "{root: nowhere}"))
    for command in (["reset", "sandbox"], ["advance", "sandbox", "12h"], ["revoke", "sandbox"]):
        project.run("emulator", *command)


def test_the_tool_goes_by_the_time_of_the_emulator(project):
    """So that a sandbox shows what a computation brings; files are as old as they are, and no lock is."""
    assert "Nothing was applied yet: there is nothing to compare." in project.run("drift", "sandbox").said
    project.people(*range(2000))
    buyers = project.root / "environments/sandbox/buyers.yaml"
    buyers.write_text(buyers.read_text().replace('["people.csv"]}', '["people.csv"], maxAge: 36h}'))
    project.run("apply", "sandbox", "--yes")
    assert "to be computed" in project.run("status", "sandbox").said
    said = " ".join(project.run("drift", "sandbox").said.split())
    assert "can't be compared now: something was sent since Criteo's last computation; again after 20" in said
    output = project.run("emulator", "advance", "sandbox", "12h").said
    project.run("emulator", "advance", "sandbox", "3d")
    now = datetime.now(UTC)
    assert f"to {now + timedelta(hours=12):%Y-%m-%d}" in output
    said = project.run("status", "sandbox", "--statistics").said
    assert "60%" in said
    assert "to be computed" not in said
    assert "can't be compared" not in project.run("drift", "sandbox").said
    planned = project.run("plan", "sandbox").said
    assert "No changes." in planned
    assert f"made {now + timedelta(hours=84):%Y-%m-%d}" in planned
    assert "just written" in planned
    project.people(*range(1900))
    project.run("apply", "sandbox", "--yes")
    assert "to be computed" in project.run("status", "sandbox").said
    assert f"{now:%Y-%m-%d}" in project.run("state", "history", "sandbox").said
    assert "for the real time" in project.run("emulator", "reset", "sandbox").said
    assert f"made {now + timedelta(hours=84):%Y-%m-%d}" in project.run("plan", "sandbox", code=5).said
    assert f"made {now:%Y-%m-%d}" in project.run("plan", "sandbox", "--emulate").said


def test_its_clock_does_not_leave_the_calendar(project):
    project.people(1)
    said = project.run("emulator", "advance", "sandbox", "3000000d", code=64).said
    assert "DURATION leads past 9000, where calendars end" in " ".join(said.split())
    assert "2 to create" in project.run("plan", "sandbox").said


@pytest.mark.parametrize(
    "command",
    [
        ("advance", "sandbox", "9" * 5_000 + "h"),
        ("advance", "sandbox", "٣h"),
        ("fault", "sandbox", "429", "--times", str(10**30)),
        ("fault", "sandbox", "429", "--after", str(10**30)),
        ("fault", "sandbox", "429", "--for", "9" * 5_000 + "s"),
        ("serve", "sandbox", "--port", "99999"),
        ("serve", "sandbox", "--port", "-1"),
    ],
    ids=lambda command: " ".join(command)[:24],
)
def test_numbers_that_are_too_large_are_refused(project, command):
    said = project.run("emulator", *command, code=64).said
    assert "write a duration" in said or "is not in the range" in said
