"""Each guard, one audience for each: its boundary, the line it advises, and the day on which that expires."""

import json
import re
from pathlib import Path

import pytest
from support.cli import Project

from reconciler.manifests.index import LIMITS

pytestmark = pytest.mark.promise("guards")

NIGHTLY = ("apply", "sandbox", "--yes", "--members-only")
GUARDED = ("shrinks", "grows", "few", "invalid", "opted-out", "listed")
GUARDS = "guards: {maxShrink: 20%, maxGrowth: 20%, minMembers: 90, maxInvalid: 10%, maxSuppressionShrink: 5%}"
AUDIENCE = """\
kind: Audience
name: {name}
title: Audience {name}
destinations: [email]
source: {{files: ["{name}.csv"]}}
columns: {{Email: email{more}}}
"""
EXCLUDE = 'exclude: [{files: ["list.csv"], columns: {Email: email}}]\n'
SUPPRESS = """\
suppress:
  lists: [{{name: opt-outs, files: ["opt-outs.csv"], columns: {{CustomerId: email}}}}]
  exempt: [{exempt}]
"""


def write(project: Project, name: str, members: int, invalid: int = 0) -> None:
    rows = [f"{name}{number}@example.com" for number in range(members)] + ["?"] * invalid
    (project.root / "data" / f"{name}.csv").write_text("\n".join(["email", *rows]) + "\n")


def before(project: Project) -> None:
    for name in (*GUARDED, "others", "opt-outs", "list"):
        write(project, name, 100)
    write(project, "shrinks", 125)


def concerned(project: Project, beyond: int) -> None:
    """Change every source and list up to its limit (0), or by one member more."""
    write(project, "shrinks", 100 - beyond)
    write(project, "grows", 120 + beyond)
    write(project, "few", 90 - beyond)
    write(project, "invalid", 99 - beyond, 11 + beyond)
    write(project, "opt-outs", 95 - beyond)
    write(project, "list", 99 - beyond, 11 + beyond)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    folder = tmp_path / "environments" / "sandbox"
    (folder / "buyers.yaml").unlink()
    for name in (*GUARDED, "others"):
        more = ", CustomerId: email" if name == "opted-out" else ""
        text = AUDIENCE.format(name=name, more=more) + (EXCLUDE if name == "listed" else "")
        (folder / f"{name}.yaml").write_text(text)
    environment = folder / "environment.yaml"
    exempt = ", ".join(f"email/{name}" for name in (*GUARDED, "others") if name != "opted-out")
    text = re.sub("^guards: .*", GUARDS, environment.read_text(), flags=re.MULTILINE)
    environment.write_text(text + SUPPRESS.format(exempt=exempt))
    before(made)
    made.run("apply", "sandbox", "--yes")
    return made


def stopped(project: Project, code: int = 0) -> list[str]:
    """Return the fixes of all that is blocked."""
    document = json.loads(project.run("plan", "sandbox", "--json", code=code).said)["document"]
    rows = [row for section in document["sections"] for row in section["rows"]]
    lines = [line["statement"]["text"] for row in rows for line in row["lines"] if line["type"] == "remedy"]
    return [*lines, *(one["remedy"] for one in document["problems"])]


def paste(project: Project, remedies: list[str]) -> set[str]:
    """Append the advised lines to the files that the messages name. Return the guards in them."""
    keys = set()
    for remedy in remedies:
        [(line, file)] = re.findall(r"append `(--- .*?)` to (\S+),", remedy)
        with (project.root / file).open("a") as overrides:
            overrides.write(line + "\n")
        keys |= set(re.findall("guards: {(.*?):", line))
    return keys


def others_go_on(project: Project, size: int, code: int) -> None:
    """The nightly run sends the members of the address that no guard blocks."""
    write(project, "others", size)
    project.run(*NIGHTLY, code=code)
    with project.emulator() as emulator:
        [segment] = [one for one in emulator.segments() if one.name.startswith("Audience others")]
        assert len(emulator.members(segment.id)) == size


def test_pasting_what_each_guard_advises_lets_the_plan_pass_until_it_expires(project: Project) -> None:
    """Throughout, the nightly run goes on for all other addresses."""
    concerned(project, 0)
    assert stopped(project) == []
    concerned(project, 1)
    remedies = stopped(project)
    assert len(remedies) == len(GUARDED)
    others_go_on(project, 101, code=8)
    assert paste(project, remedies) == LIMITS.keys() - {"maxMissing"}
    assert stopped(project) == []
    others_go_on(project, 102, code=8)
    project.run("emulator", "advance", "sandbox", "8d")
    assert len(stopped(project)) == len(GUARDED)
    others_go_on(project, 103, code=8)


def test_missing_segments_stop_everything_until_their_override_is_applied(project: Project) -> None:
    """Access may be lost, so no address goes on. One missing segment of seven is no sign of that."""
    for name, code, found in (("shrinks", 0, 0), ("grows", 5, 1)):
        with project.emulator() as emulator:
            [segment] = [one.id for one in emulator.segments() if one.name == f"Audience {name} (email)"]
            emulator.delete_by_hand(segment)
        remedies = stopped(project, code)
        assert len(remedies) == found
    project.run(*NIGHTLY, code=5)
    assert paste(project, remedies) == {"maxMissing"}
    assert stopped(project) == []
    project.run("emulator", "advance", "sandbox", "8d")
    assert len(stopped(project, 5)) == 1
    (project.root / "environments" / "sandbox" / "overrides.yaml").unlink()
    paste(project, stopped(project, 5))
    project.run("apply", "sandbox", "--yes")
    others_go_on(project, 101, code=0)
