"""From customer files to audience segments: plan, apply, and a second plan without changes."""

import re

import pytest
from support.cli import Project

from reconciler.core.identifiers import normalize
from reconciler.core.model import Hashing, IdentifierType

pytestmark = pytest.mark.promise("converges")


def wire(*numbers: int) -> frozenset[str]:
    return frozenset(
        str(normalize(f"person{number}@example.com", IdentifierType.EMAIL, Hashing.SHA256).value)
        for number in numbers
    )


def test_the_examples_become_segments_and_the_second_plan_is_empty(tmp_path):
    project = Project.examples(tmp_path)
    assert "no problems" in project.run("validate").said
    assert "7 to create" in project.run("plan", "sandbox").said
    assert project.run("plan", "sandbox", "--detailed-exitcode", code=2).code == 2
    assert not (tmp_path / ".reconciler" / "state").exists()
    assert "7 applied" in project.run("apply", "sandbox", "--yes").said
    after = project.run("plan", "sandbox", "--detailed-exitcode")
    assert "No changes." in after.said
    assert "7 addresses" in project.run("status", "sandbox").said


def test_production_is_planned_offline_on_a_throw_away_emulator(tmp_path):
    project = Project.examples(tmp_path)
    said = project.run("plan", "production", "--emulate", "--data-root", "examples/data").said
    assert "7 to create" in said
    assert "references in the manifests are not read" in said
    assert not (tmp_path / ".reconciler").exists()


def test_twenty_leave_and_fifteen_join(tmp_path):
    project = Project.make(tmp_path)
    project.people(*range(500))
    project.run("apply", "sandbox", "--yes")
    before = len(project.writes())

    project.people(*range(20, 515))
    plan = project.at_terminal("plan", "sandbox").said
    assert plan.count("+15  −20  500 → 495") == 2
    explained = project.at_terminal("explain", "sandbox", "email/buyers").said
    assert "+15  −20  500 → 495" in explained

    project.run("apply", "sandbox", "--yes")
    calls = [(call.action, call.identifiers) for call in project.writes()[before:]]
    assert sorted(calls) == [("add", 15), ("add", 15), ("remove", 20), ("remove", 20)]
    assert project.members("email") == wire(*range(20, 515))
    assert project.members("customer") == {f"c{number}" for number in range(20, 515)}
    assert "No changes." in project.run("plan", "sandbox").said


def test_an_apply_with_nothing_to_do_writes_nothing_and_moves_no_serial(tmp_path):
    project = Project.make(tmp_path)
    project.people(*range(50))
    project.run("apply", "sandbox", "--yes")
    writes, serial = len(project.writes()), project.serial()
    assert "No changes." in project.run("apply", "sandbox", "--yes").said
    assert len(project.writes()) == writes
    assert project.serial() == serial


def test_calls_are_no_more_than_the_members_need(tmp_path):
    project = Project.make(tmp_path, batch_size=100)
    project.people(*range(1, 451))
    project.run("apply", "sandbox", "--yes")
    counted = [call.operation for call in project.history() if call.operation != "token"]
    adds = counted.count("AddRemoveContactListByAudienceSegment")
    assert adds == 2 * 5
    assert len(counted) - adds <= 3


def test_plan_and_apply_state_what_a_deadline_leaves_out(tmp_path):
    """How many are in time depends on the time of the day."""
    project = Project.make(tmp_path)
    project.people(*range(50))
    for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes")):
        said = project.run(*command, "--deadline", "12:00Z").said
        assert re.search(r"2 segments complete before Criteo's computation at \S+ 12:00 UTC", said)
    project.run("plan", "sandbox", "--deadline", "13:00Z", code=64)


def test_a_plan_makes_no_write_call(tmp_path):
    project = Project.make(tmp_path)
    project.people(*range(50))
    for arguments in (("plan", "sandbox"), ("explain", "sandbox", "email/buyers"), ("status", "sandbox")):
        project.run(*arguments)
    assert project.writes() == []


def test_only_what_is_selected_changes(tmp_path):
    project = Project.make(tmp_path)
    project.people(*range(50))
    project.run("apply", "sandbox", "--yes", "--only", "customer/buyers")
    with project.emulator() as emulator:
        assert [segment.name for segment in emulator.segments()] == ["Buyers (customer)"]
    said = project.run("plan", "sandbox", "--only", "mail/buyers", code=3).said
    assert "email/buyers" in said


def test_match_rates_are_asked_for_and_known_after_the_next_computation(tmp_path):
    project = Project.make(tmp_path)
    project.people(*range(500))
    project.run("apply", "sandbox", "--yes")
    assert "not computed yet" in project.run("status", "sandbox", "--statistics").said
    advanced = project.run("emulator", "advance", "sandbox", "24h").said
    assert "the emulator's clock was moved 24 hours ahead" in advanced
    said = project.run("status", "sandbox", "--statistics").said
    assert "60%" in said
    assert "usable" in said
