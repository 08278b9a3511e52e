"""The life of a segment at the command line: paused, protected, moved, emptied, deleted, repaired."""

import json
from pathlib import Path

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("converges")

BUYERS = "environments/sandbox/buyers.yaml"
CHANGES = "environments/sandbox/changes.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(40))
    made.run("apply", "sandbox", "--yes")
    return made


def edit(project: Project, before: str, after: str, file: str = BUYERS) -> None:
    path = project.root / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def documents(project: Project, *texts: str) -> None:
    (project.root / CHANGES).write_text("---\n".join(texts))


def words(text: str) -> str:
    return " ".join(text.split())


def names(project: Project) -> dict[str, str]:
    with project.emulator() as emulator:
        return {segment.name: segment.id for segment in emulator.segments()}


def test_a_paused_audience_keeps_its_members_until_the_pause_ends(project: Project) -> None:
    edit(project, "name: buyers", "name: buyers\npaused: true")
    project.people(*range(45))
    assert "2 paused" in project.run("apply", "sandbox", "--yes").said
    assert len(project.members("email")) == 40
    assert "; paused" in project.run("status", "sandbox").said
    explained = json.loads(project.run("explain", "sandbox", "email/buyers", "--json").said)
    assert (explained["paused"], explained["change"]) == (True, None)
    edit(project, "paused: true\n", "")
    project.run("apply", "sandbox", "--yes", "--members-only")
    assert len(project.members("email")) == 45


def test_a_paused_environment_sends_nothing(project: Project) -> None:
    edit(project, "name: sandbox", "name: sandbox\npaused: true", "environments/sandbox/environment.yaml")
    project.people(*range(45))
    assert "sandbox is paused: nothing is sent" in words(project.run("apply", "sandbox", "--yes").said)
    assert len(project.members("email")) == 40


def test_a_moved_audience_keeps_its_segments(project: Project) -> None:
    before = names(project)
    edit(project, "name: buyers", "name: customers")
    said = words(project.run("plan", "sandbox").said)
    assert "{kind: Moved, from: email/buyers, to: email/customers}" in said
    documents(project, "kind: Moved\nfrom: buyers\nto: customers\n")
    assert "2 to move" in project.run("plan", "sandbox", "--out", "plan.json").said
    assert "moved from its old address" in words(
        project.run("apply", "sandbox", "--yes", "--members-only", code=6).said
    )
    project.run("apply", "sandbox", "--yes", "--approved", "plan.json")
    assert names(project) == before
    assert "No changes" in project.run("plan", "sandbox").said
    project.run("drift", "sandbox")


def test_a_removed_audience_is_deleted_unless_it_is_in_use(project: Project) -> None:
    segments = names(project)
    [customer] = [held for name, held in segments.items() if "customer" in name]
    with project.emulator() as emulator:
        account, retailer = emulator.segments()[0].account_id, emulator.segments()[0].retailer_id
        emulator.seed_audience(account, retailer, "Spring", [customer])
    edit(project, "[email, customer]", "[email]")
    documents(project, "kind: Removed\naddress: customer/buyers\nmembers: remove\nsegment: delete\n")
    said = words(project.run("plan", "sandbox").said)
    assert f"segment {customer} is not deleted: audiences at Criteo are built on it: “Spring”" in said
    documents(project, "kind: Removed\naddress: customer/buyers\nmembers: remove\nsegment: keep\n")
    assert "1 to empty" in project.run("apply", "sandbox", "--yes").said
    assert project.members("customer") == frozenset()
    assert names(project) == segments
    assert "No changes" in project.run("plan", "sandbox").said


def test_a_protected_audience_outlives_its_document(project: Project) -> None:
    edit(project, "name: buyers", "name: buyers\nprotect: true")
    project.run("apply", "sandbox", "--yes")
    assert "; protected" in project.run("status", "sandbox").said
    edit(project, "[email, customer]", "[email]")
    documents(project, "kind: Removed\naddress: customer/buyers\nmembers: remove\nsegment: delete\n")
    said = words(project.run("apply", "sandbox", "--yes", code=8).said)
    assert "the audience was applied with `protect: true`" in said
    assert len(names(project)) == 2


def test_a_filled_segment_is_named_and_replaced_on_request(project: Project) -> None:
    edit(project, "name: sandbox", "name: sandbox\nrepair: auto", "environments/sandbox/environment.yaml")
    [email] = [held for name, held in names(project).items() if "email" in name]
    with project.emulator() as emulator:
        emulator.fill_by_hand(email, [f"{number:064x}" for number in range(30)])
    project.run("emulator", "advance", "sandbox", "1d")
    assert "filled outside reconciler" in words(project.run("drift", "sandbox", code=2).said)
    assert "1 to replace" in project.run("apply", "sandbox", "--yes").said
    assert any("(retired " in name for name in names(project))
    project.run("emulator", "advance", "sandbox", "1d")
    assert "No changes" in project.run("plan", "sandbox").said
