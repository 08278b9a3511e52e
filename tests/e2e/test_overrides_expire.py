"""An override lets one change pass until it expires, and never stops the nightly run."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("guards")

NIGHTLY = ("apply", "sandbox", "--yes", "--members-only")
OTHERS = """\
kind: Audience
name: others
title: Others
destinations: [email]
source: {files: ["others.csv"]}
columns: {Email: email}
"""


def said(project: Project, *arguments: str, code: int = 0) -> str:
    return " ".join(project.run(*arguments, code=code).said.split())


def others(project: Project, *numbers: int) -> None:
    rows = [f"other{number}@example.com" for number in numbers]
    (project.root / "data" / "others.csv").write_text("\n".join(["email", *rows]) + "\n")


def size_of(project: Project, name: str) -> int:
    with project.emulator() as emulator:
        [segment] = [one for one in emulator.segments() if one.name.startswith(name)]
        return len(emulator.members(segment.id))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Half of the members of `buyers` leave; `others` changes within its limits."""
    made = Project.make(tmp_path)
    (tmp_path / "environments" / "sandbox" / "others.yaml").write_text(OTHERS)
    made.people(*range(1, 101))
    others(made, *range(1, 101))
    made.run("apply", "sandbox", "--yes")
    made.people(*range(1, 51))
    others(made, *range(1, 102))
    return made


def advised(project: Project) -> str:
    """Return the line that the plan advises to append."""
    plan = json.loads(project.run("plan", "sandbox", "--json").said)
    [group] = plan["document"]["blocked"]
    [line] = re.findall("`(--- .*?)`", group["remedy"])
    return str(line)


def append(project: Project, line: str) -> None:
    path = project.root / "environments" / "sandbox" / "overrides.yaml"
    path.write_text((path.read_text() if path.exists() else "") + line + "\n")


def test_a_pasted_override_passes_and_its_expiry_blocks_again(project: Project) -> None:
    """Throughout, the nightly run sends the members of other addresses."""
    line = advised(project)
    assert 'address: "buyers", guards: {maxShrink: ' in line
    project.run(*NIGHTLY, code=8)
    assert size_of(project, "Others") == 101
    append(project, line)
    project.run("validate", "sandbox")
    text = said(project, "plan", "sandbox", "--out", "plan.json")
    assert "2 to update" in text
    assert "allowed only by an override, `maxShrink: " in text
    assert "override of buyers until " in text
    others(project, *range(1, 103))
    assert "no completed approval has this override, so it is ignored" in said(project, *NIGHTLY, code=8)
    assert (size_of(project, "Others"), len(project.members("customer"))) == (102, 100)
    project.run("apply", "sandbox", "--yes", "--approved", "plan.json")
    assert len(project.members("customer")) == 50
    project.people(*range(1, 26))
    project.run(*NIGHTLY)
    assert len(project.members("customer")) == 25
    project.people(*range(1, 13))
    others(project, *range(1, 104))
    project.run("emulator", "advance", "sandbox", "8d")
    assert "this override expired on" in said(project, *NIGHTLY, code=8)
    assert (size_of(project, "Others"), len(project.members("customer"))) == (103, 25)
    assert "buyers" in said(project, "plan", "sandbox")


def test_an_override_that_no_plan_contained_does_not_count(project: Project) -> None:
    line = advised(project)
    project.run("plan", "sandbox", "--out", "plan.json")
    append(project, line)
    project.run("apply", "sandbox", "--yes", "--approved", "plan.json", code=8)
    assert len(project.members("customer")) == 100


@pytest.mark.parametrize(
    ("days", "code"),
    [(14, 0), (15, 3)],
)
def test_validate_refuses_more_than_fourteen_days(project: Project, days: int, code: int) -> None:
    day = datetime.now(UTC).date() + timedelta(days=days)
    append(
        project,
        f'--- {{kind: Override, address: buyers, guards: {{maxShrink: 60%}}, reason: x, expires: "{day}"}}',
    )
    assert ("limit 14 days from today" in said(project, "validate", "sandbox", code=code)) is bool(code)
    assert ("3 to update" in said(project, "plan", "sandbox")) is not bool(code)


def test_an_override_for_everything_covers_no_suppression(project: Project) -> None:
    day = datetime.now(UTC).date()
    for address, key in (('"*"', "maxSuppressionShrink"), ("buyers", "maxMissing")):
        append(
            project,
            f'--- {{kind: Override, address: {address}, guards: {{{key}: 9%}}, reason: x, expires: "{day}"}}',
        )
    text = said(project, "validate", "sandbox", code=3)
    assert '"*" never covers maxSuppressionShrink' in text
    assert "maxMissing holds for the whole environment" in text
