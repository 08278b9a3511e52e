"""An emptied segment: drift reports it, a plan offers the refill, and an approved apply sends it."""

import json
from pathlib import Path

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("converges")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(170))
    made.run("apply", "sandbox", "--yes")
    with made.emulator() as emulator:
        for segment in emulator.segments():
            if "(email)" in segment.name:
                emulator.clear_by_hand(segment.id)
    made.run("emulator", "advance", "sandbox", "1d")
    return made


def words(text: str) -> str:
    return " ".join(text.split())


def test_from_drift_to_a_full_segment(project: Project) -> None:
    way_out = "reconciler plan sandbox --statistics --only email/buyers"
    found = words(project.run("drift", "sandbox", code=2).said)
    assert "Criteo acknowledged 170 identifiers and counts 0" in found
    assert way_out in found
    assert way_out in words(project.run("status", "sandbox", "--statistics").said)
    assert "No changes" in project.run("plan", "sandbox").said

    planned = project.run(*way_out.split()[1:], "--out", "plan.json").said
    assert "refill" in planned
    assert "+170" in planned
    assert "1 to refill" in planned
    digest = json.loads((project.root / "plan.json").read_text())["digest"]

    refused = words(project.run("apply", "sandbox", "--yes", "--members-only", "--statistics", code=6).said)
    assert "Criteo lost members of it" in refused
    assert project.members("email") == frozenset()

    project.run("apply", "sandbox", "--yes", "--approved", "plan.json", "--approved-digest", digest)
    assert len(project.members("email")) == 170
    project.run("emulator", "advance", "sandbox", "1d")
    assert "No changes" in project.run("plan", "sandbox", "--statistics").said
    project.run("drift", "sandbox")


def test_an_approved_refill_that_members_overtook_is_named(project: Project) -> None:
    """Criteo's count is older than what was sent since: whether the refill is still due can't be known."""
    project.run("plan", "sandbox", "--statistics", "--out", "plan.json")
    project.people(*range(171))
    project.run("apply", "sandbox", "--yes", "--members-only")
    said = words(project.run("apply", "sandbox", "--yes", "--approved", "plan.json").said)
    assert "1 approved refill was not sent: members were sent to email/buyers since that plan" in said
    assert "`reconciler plan sandbox --statistics` after the next computation" in said
    again = words(project.run("apply", "sandbox", "--yes", "--approved", "plan.json").said)
    assert "refill was not sent" not in again, "it is reported once"


def test_a_refill_that_was_sent_is_not_called_overtaken(project: Project) -> None:
    project.run("plan", "sandbox", "--statistics", "--out", "plan.json")
    for _ in range(2):
        said = words(project.run("apply", "sandbox", "--yes", "--approved", "plan.json").said)
        assert "was not sent" not in said
    assert len(project.members("email")) == 170
