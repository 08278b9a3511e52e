"""After signals, failures and unconfirmed requests, an apply resumes and repeats no acknowledged batch."""

import signal
import subprocess
import time
from dataclasses import replace

import pytest
from support.cli import Project, surroundings

from reconciler.emulator import Switches

pytestmark = pytest.mark.promise("killed-processes")

PEOPLE = range(1000)
BATCH = 100
CALLS = len(PEOPLE) // BATCH


@pytest.fixture
def project(tmp_path):
    made = Project.make(tmp_path, batch_size=BATCH)
    made.people(*PEOPLE)
    made.run("plan", "sandbox")
    return made


def latency(project, seconds):
    with project.emulator() as emulator:
        emulator.configure(replace(Switches(), latency=seconds))


def member_calls(project):
    return [call for call in project.writes() if call.action]


def arrived(project):
    return project.members("customer") == {f"c{number}" for number in PEOPLE}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_dispatch_and_the_next_run_sends_the_rest(project, number):
    latency(project, 0.2)
    process = subprocess.Popen(
        project.command("apply", "sandbox", "--yes"),
        cwd=project.root,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while len(member_calls(project)) < 4:
        time.sleep(0.05)
    asked = time.monotonic()
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert time.monotonic() - asked < 5
    assert "0 failed" in said
    sent = len(member_calls(project))
    assert sent < 2 * CALLS

    latency(project, 0)
    plan = project.run("plan", "sandbox").said
    assert "an earlier apply was interrupted" in plan
    project.run("apply", "sandbox", "--yes")
    assert len(member_calls(project)) == 2 * CALLS
    assert arrived(project)
    assert "No changes." in project.run("plan", "sandbox").said


def test_a_killed_apply_repeats_at_most_one_batch_per_segment(project):
    latency(project, 0.1)
    process = subprocess.Popen(
        project.command("apply", "sandbox", "--yes"),
        cwd=project.root,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(member_calls(project)) < 6:
        time.sleep(0.03)
    process.kill()
    process.wait(timeout=30)
    latency(project, 0)
    project.run("apply", "sandbox", "--yes")
    digests = [call.digest for call in member_calls(project) if call.committed_at is not None]
    assert len(set(digests)) == 2 * CALLS
    assert len(digests) - len(set(digests)) <= 2
    assert arrived(project)
    assert "No changes." in project.run("plan", "sandbox").said


def test_an_approved_apply_that_is_killed_again_and_again_ends_as_it_was_approved(project):
    """And the source moves a little in between, so that targets are given up half-way."""
    home = project.root / "environments" / "sandbox" / "environment.yaml"
    home.write_text(home.read_text().replace("batchSize: 100", "batchSize: 100, gracePeriod: 1s"))
    project.run("plan", "sandbox", "--out", "plan.json")
    latency(project, 0.1)
    command = project.command("apply", "sandbox", "--yes", "--approved", "plan.json")
    for calls in (4, 9):
        process = subprocess.Popen(
            command,
            cwd=project.root,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while len(member_calls(project)) < calls:
            time.sleep(0.03)
        process.kill()
        process.wait(timeout=30)
        assert '"completed_at": null' in project.serial()
        project.people(*PEOPLE[calls:])
    latency(project, 0)
    said = project.run(*command[3:]).said
    assert project.members("customer") == {f"c{number}" for number in PEOPLE[9:]}, said
    assert '"completed_at": null' not in project.serial()
    project.people(*PEOPLE[20:])
    refused = project.run(*command[3:], code=6).said
    assert "was applied in full" in refused


def test_what_fails_is_left_for_the_next_run(project):
    with project.emulator() as emulator:
        emulator.fault("500-before", "bulkCreateAudienceSegments")
    said = project.run("apply", "sandbox", "--yes", code=8).said
    assert "rerun the command to resume" in " ".join(said.split())
    project.run("apply", "sandbox", "--yes")
    assert arrived(project)
    assert "No changes." in project.run("plan", "sandbox").said


def test_criteo_failing_for_a_while_is_waited_out(project):
    with project.emulator() as emulator:
        emulator.fault("500-after", "AddRemoveContactListByAudienceSegment", after=3, times=2)
        emulator.fault("429", "AddRemoveContactListByAudienceSegment", after=8)
    project.run("apply", "sandbox", "--yes")
    assert arrived(project)


def test_a_create_without_an_answer_makes_no_second_segment(project):
    with project.emulator() as emulator:
        emulator.fault("500-after", "bulkCreateAudienceSegments")
    project.run("apply", "sandbox", "--yes")
    with project.emulator() as emulator:
        assert sorted(segment.name for segment in emulator.segments()) == [
            "Buyers (customer)",
            "Buyers (email)",
        ]
    assert arrived(project)


def test_nothing_written_is_distinguished_from_partly_written(project):
    with project.emulator() as emulator:
        emulator.fault("500-before", "searchAudienceSegments", times=50)
    project.run("apply", "sandbox", "--yes", code=9)
    assert project.writes() == []
