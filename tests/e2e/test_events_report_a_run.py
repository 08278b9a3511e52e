"""`apply --events`: every run is reported line by line by its schema; a write error never stops the run."""

import json
import os
import resource
import signal
import stat
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from leaks.injections import chatty, known_tokens
from leaks.project import applied, applied_copy, leak_project
from support.cli import REPOSITORY, Project, surroundings
from support.event_log import Line, of, read, types
from support.large_project import LargeProject

from reconciler.emulator import Switches

GOLDEN = REPOSITORY / "tests" / "golden" / "events"
FILE = "events.ndjson"
APPLY = ("apply", "sandbox", "--yes", "--events", FILE)
UNSTEADY = ("run", "at", "version", "who", "segment_id", "lineage", "seconds")
"""What differs from run to run."""


@pytest.fixture
def project(tmp_path) -> Project:
    made = Project.make(tmp_path, batch_size=100)
    made.people(*range(250))
    return made


def events_of(project: Project, *arguments: str, code: int = 0) -> list[Line]:
    """What a run has written, which is removed."""
    file = project.root / FILE
    project.run(*APPLY, *arguments, code=code)
    events = read(file.read_bytes())
    assert types(events)[-1] == "run_ended"
    assert events[-1]["exit_code"] == code
    file.unlink()
    return events


def member_calls(project: Project) -> int:
    return sum(1 for call in project.writes() if call.action)


def steady(line: Line) -> Line:
    return {
        key: "…" if key in UNSTEADY and value else steady(value) if isinstance(value, dict) else value
        for key, value in line.items()
    }


def test_a_small_run_word_for_word(project, request):
    """A first run, and one that takes seven out and adds twelve."""
    lines = events_of(project, "--only", "customer/buyers")
    project.people(*range(7, 262))
    lines += events_of(project, "--only", "customer/buyers")
    text = "".join(json.dumps(steady(line), ensure_ascii=False) + "\n" for line in lines)
    expected = GOLDEN / "expected.ndjson"
    if request.config.getoption("--update"):
        GOLDEN.mkdir(exist_ok=True)
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_a_run_that_applies_and_one_with_nothing_to_do(project):
    events = events_of(project)
    assert types(events)[0] == "run_started"
    assert [one["address"] for one in of(events, "segment_created")] == ["customer/buyers", "email/buyers"]
    assert len(of(events, "batch_acknowledged")) == events[-1]["batches"] == 6
    assert {one["outcome"] for one in of(events, "change_ended")} == {"applied"}
    assert events[-1]["outcome"] == "done"
    assert events[-1]["members"] == {"added": 500, "removed": 0, "rejected": 0}

    events = events_of(project)
    assert of(events, "plan_created")[0]["addresses"]["unchanged"] == 2
    assert of(events, "plan_created")[0]["state"]["serial"] == 1
    assert (events[-1]["outcome"], events[-1]["addresses"]["unchanged"]) == ("no_changes", 2)


def test_a_run_that_a_guard_refuses(project):
    events_of(project)
    project.people(*range(50))
    events = events_of(project, code=5)
    assert of(events, "plan_created")[0]["addresses"]["blocked"] == 2
    assert events[-1]["outcome"] == "refused"
    assert not of(events, "batch_acknowledged")


def test_a_run_that_fails_in_part(project):
    project.run("plan", "sandbox")
    with project.emulator() as emulator:
        emulator.fault("500-before", "bulkCreateAudienceSegments")
    events = events_of(project, code=8)
    failed = of(events, "change_ended")
    assert {one["outcome"] for one in failed} == {"failed"}
    assert all(one["problem"] for one in failed)
    assert (events[-1]["outcome"], events[-1]["addresses"]["failed"]) == ("partially_applied", 2)


def test_runs_that_end_before_there_is_a_plan(project):
    manifest = project.root / "environments" / "sandbox" / "buyers.yaml"
    text = manifest.read_text()
    manifest.write_text(text.replace("title:", "titel:"))
    assert types(events_of(project, code=3)) == ["run_ended"]
    manifest.write_text(text)
    (project.root / "data").rename(project.root / "elsewhere")
    assert types(events_of(project, code=3)) == ["run_ended"]


def interrupted(project: Project, number: signal.Signals, *, sent: int) -> list[Line]:
    """A run of which so many batches had arrived when it was struck."""
    process = subprocess.Popen(
        project.command(*APPLY),
        cwd=project.root,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while member_calls(project) < sent:
        assert process.poll() is None, "it ended before it could be struck"
        time.sleep(0.02)
    process.send_signal(number)
    process.wait(timeout=30)
    return read((project.root / FILE).read_bytes(), killed=number == signal.SIGKILL)


def test_a_run_that_is_asked_to_stop_says_how_far_it_came(project):
    project.run("plan", "sandbox")
    with project.emulator() as emulator:
        emulator.configure(replace(Switches(), latency=0.3))
    events = interrupted(project, signal.SIGTERM, sent=2)
    assert (events[-1]["type"], events[-1]["outcome"], events[-1]["exit_code"]) == (
        "run_ended",
        "cancelled",
        130,
    )
    assert {one["outcome"] for one in of(events, "change_ended")} == {"interrupted"}


def test_a_killed_run_leaves_whole_lines_and_the_next_goes_behind_them(project):
    project.run("plan", "sandbox")
    with project.emulator() as emulator:
        emulator.configure(replace(Switches(), latency=0.3))
    killed = interrupted(project, signal.SIGKILL, sent=3)
    assert of(killed, "transfer_started")
    assert not of(killed, "run_ended")
    before = (project.root / FILE).read_bytes()
    project.run(*APPLY)
    after = (project.root / FILE).read_bytes()
    assert after.startswith(before)
    events = read(after[len(before) :].lstrip(b"\n"))
    assert events[-1]["outcome"] == "done"
    assert events[0]["run"] != killed[0]["run"]


def test_a_call_that_outlasts_the_grace_ends_the_run_with_its_last_event(tmp_path):
    with LargeProject.gathered(tmp_path, range(2_000), batch=100, latency=0.1) as crowd:
        running = crowd.start(*APPLY)
        running.until(lambda: running.calls >= 4)
        crowd.slow(3600)
        running.until(lambda now=running.calls: running.calls > now)
        running.signal(signal.SIGTERM)
        running.ended(130, within=6)
        events = read((crowd.project.root / FILE).read_bytes())
        assert (events[-1]["type"], events[-1]["outcome"]) == ("run_ended", "cancelled")


def test_standard_output_is_for_machines_and_all_else_goes_to_standard_error(project):
    done = subprocess.run(
        project.command("apply", "sandbox", "--yes", "--verbose", "--events", "-"),
        cwd=project.root,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert read(done.stdout)[-1]["outcome"] == "done"
    for part in (b"2 to create", b"customer/buyers: applied", b"2 applied, 0 unchanged"):
        assert part in done.stderr


def test_a_file_of_events_is_found_from_the_folder_that_is_run_in(project):
    elsewhere = project.root.parent
    code = subprocess.run(
        project.command(*APPLY, "-C", str(project.root)),
        cwd=elsewhere,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    ).returncode
    assert code == 0
    assert stat.S_IMODE((project.root / FILE).stat().st_mode) == 0o600


@pytest.mark.promise("refused-early")
@pytest.mark.parametrize("place", ["nowhere/events.ndjson", "data", "data/people.csv", "/dev/full"])
def test_what_cant_be_written_is_said_before_criteo_is_asked(project, place):
    people = (project.root / "data" / "people.csv").read_bytes()
    said = project.run("apply", "sandbox", "--yes", "--events", place, code=10).said
    assert "events can't be written" in said
    assert "nowhere" not in said
    assert not (project.root / ".reconciler" / "emulator").exists()
    assert not (project.root / ".reconciler" / "state").exists()
    assert (project.root / "data" / "people.csv").read_bytes() == people


@pytest.mark.promise("killed-processes")
def test_a_full_disk_stops_the_events_and_not_the_run(tmp_path):
    """Files may not grow beyond what a resource state needs; a run of many batches has more to tell."""
    with LargeProject.gathered(tmp_path, range(100), batch=1, latency=0) as crowd:
        done = subprocess.run(
            crowd.project.command(*APPLY),
            cwd=crowd.project.root,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000)),
        )
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("Warning: the events break off (File too large)") == 1
        events = read((crowd.project.root / FILE).read_bytes())
        assert len(events) > 20
        assert not of(events, "run_ended")
        assert crowd.holds_exactly(range(100))
        assert crowd.is_at_rest()


def test_a_reader_that_leaves_stops_nothing(project):
    ear, mouth = os.pipe()
    process = subprocess.Popen(
        project.command("apply", "sandbox", "--yes", "--events", "-"),
        cwd=project.root,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=mouth,
        stderr=subprocess.PIPE,
    )
    os.close(mouth)
    assert os.read(ear, 10)
    os.close(ear)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.count(b"Warning: the events break off (Broken pipe)") == 1
    assert project.members("customer") == {f"c{number}" for number in range(250)}


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    return applied(tmp_path_factory.mktemp("events"))


@pytest.mark.promise("private")
@pytest.mark.parametrize("events", [FILE, "-"])
def test_events_hold_no_identifier_token_or_secret(tmp_path, template, events):
    for runner in (leak_project(tmp_path / "first"), applied_copy(tmp_path / "again", template)):
        ended = runner.run(
            "apply", "sandbox", "--yes", "--events", events, injections=(known_tokens, chatty), CI="true"
        )
        assert ended.code == 0, ended.text
        assert runner.leaks() == set()
        if events == FILE:
            assert of(read((runner.folder / FILE).read_bytes()), "batch_acknowledged")
