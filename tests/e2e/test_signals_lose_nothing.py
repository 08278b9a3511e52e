"""A large apply that is stopped, paused or cut off ends or resumes, and repeats no acknowledged batch."""

import signal
import subprocess
import time

import pytest
from support.cli import Project, surroundings
from support.large_project import LargeProject, Running, number_from
from support.otlp_receiver import receiving

pytestmark = pytest.mark.promise("killed-processes")

MEMBERS = number_from("MEMBERS", 200_000)
SEGMENTS = 2
CALLS = 20
"""Calls that one segment needs."""

GRACE = 4.0
"""Seconds that calls in flight are given after a request to stop."""


def gathered(tmp_path, members, latency):
    return LargeProject.gathered(tmp_path, range(members), members // CALLS, latency)


def sending(crowd: LargeProject, calls: int) -> Running:
    """An apply that has sent so many batches by now."""
    running = crowd.start()
    running.until(lambda: running.calls >= calls)
    return running


def test_requests_to_stop_are_met_in_time_and_nothing_is_repeated(tmp_path):
    with gathered(tmp_path, MEMBERS, 0.3) as crowd:
        for number in (signal.SIGTERM, signal.SIGINT):
            running = sending(crowd, 8)
            running.signal(number)
            said = running.ended(130, within=GRACE + 1).said
            assert "0 failed" in said
            assert "stopped on request" in said
        assert "an earlier apply was interrupted" in crowd.finish("plan", "sandbox").said
        crowd.finish()
        assert crowd.holds_exactly(range(MEMBERS))
        assert len(crowd.carried_out()) == crowd.distinct() == SEGMENTS * CALLS
        assert crowd.is_at_rest()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_request_ends_the_process_at_once(tmp_path, number):
    members = MEMBERS // 20
    with gathered(tmp_path, members, 0.1) as crowd:
        running = sending(crowd, 4)
        crowd.slow(3600)
        running.until(lambda now=running.calls: running.calls > now)
        running.signal(number)
        time.sleep(0.5)  # two that arrive as one are one
        running.signal(number)
        running.ended(130, within=GRACE / 2)
        crowd.end_server(signal.SIGKILL)
        crowd.slow(0)
        crowd.serve()
        crowd.finish()
        assert crowd.holds_exactly(range(members))
        assert all(times <= 1 for times in crowd.repeated().values())
        assert crowd.is_at_rest()


def test_a_request_that_outlasts_the_grace_is_unconfirmed(tmp_path, monkeypatch):
    """Its spans are exported before the process ends."""
    members = MEMBERS // 20
    with gathered(tmp_path, members, 0.1) as crowd, receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        running = sending(crowd, 4)
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
        crowd.slow(3600)
        running.until(lambda now=running.calls: running.calls > now)
        running.signal(signal.SIGTERM)
        said = running.ended(130, within=GRACE + 1.5).said
        assert "a call in flight did not end in time" in said
        assert receiver.root().attributes["process.exit.code"] == 130
        crowd.end_server(signal.SIGKILL)
        crowd.slow(0)
        crowd.serve()
        crowd.finish()
        assert crowd.holds_exactly(range(members))
        assert all(times <= 1 for times in crowd.repeated().values())
        assert crowd.is_at_rest()


def test_a_paused_process_keeps_its_lock_and_continues(tmp_path):
    members = MEMBERS // 5
    with gathered(tmp_path, members, 0.3) as crowd:
        running = sending(crowd, 8)
        running.signal(signal.SIGSTOP)
        refused = crowd.project.run("apply", "sandbox", "--yes", code=7).said
        assert "another run holds the state" in refused
        assert f"process {running.pid} on" in " ".join(refused.split())
        running.signal(signal.SIGCONT)
        running.ended(0)
        assert crowd.holds_exactly(range(members))
        assert len(crowd.carried_out()) == crowd.distinct() == SEGMENTS * CALLS
        assert crowd.is_at_rest()


def test_a_process_paused_longer_than_a_request_continues(tmp_path):
    members = MEMBERS // 5
    with gathered(tmp_path, members, 0.5) as crowd:
        crowd.api("timeout: 1s")
        running = sending(crowd, 8)
        running.signal(signal.SIGSTOP)
        time.sleep(3)
        running.signal(signal.SIGCONT)
        running.ended(0)
        assert crowd.holds_exactly(range(members))
        assert all(times <= 1 for times in crowd.repeated().values())
        assert crowd.is_at_rest()


def test_an_emulator_killed_and_soon_back_is_waited_for(tmp_path):
    members = MEMBERS // 5
    with gathered(tmp_path, members, 0.3) as crowd:
        running = sending(crowd, 8)
        crowd.end_server(signal.SIGKILL)
        crowd.serve()
        running.ended(0)
        assert crowd.holds_exactly(range(members))
        assert all(times <= 1 for times in crowd.repeated().values())
        assert crowd.is_at_rest()


def test_an_unreachable_api_interrupts_the_apply_and_the_next_resumes(tmp_path):
    members = MEMBERS // 5
    with gathered(tmp_path, members, 0.3) as crowd:
        running = sending(crowd, 8)
        crowd.end_server(signal.SIGKILL)
        assert "rerun the command to resume" in " ".join(running.ended(8).said.split())
        crowd.serve()
        crowd.finish()
        assert crowd.holds_exactly(range(members))
        assert all(times <= 1 for times in crowd.repeated().values())
        assert crowd.is_at_rest()


def test_a_killed_emulator_leaves_no_member_behind(tmp_path):
    """An emulator and a state that end with the command: at the latest, with the next one."""
    project, temporary = Project.make(tmp_path / "project"), tmp_path / "temporary"
    temporary.mkdir()
    project.people(*range(100_000))
    process = subprocess.Popen(
        project.command("apply", "sandbox", "--emulate", "--yes"),
        cwd=project.root,
        env=surroundings(TMPDIR=str(temporary)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    while not list(temporary.glob("*/.reconciler/state/sandbox/resources/*.json")):
        assert process.poll() is None, "it ended before it could be struck"
        time.sleep(0.01)
    process.kill()
    process.wait(timeout=30)
    assert list(temporary.iterdir())
    project.run("plan", "sandbox", TMPDIR=str(temporary))
    assert list(temporary.iterdir()) == []
