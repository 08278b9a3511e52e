"""Of 300 audiences, some with each kind of defect, all valid audiences are applied."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cli import Ended, Project

from reconciler.emulator import Emulator, Switches
from reconciler.render.json.document import decoded
from reconciler.render.terminal.console import console
from reconciler.render.terminal.plan import blocked_lines

pytestmark = pytest.mark.promise("refused-early")

AUDIENCES, PEOPLE = 300, 12
SCREEN, WIDTH = 24, 100
RATE = 10_000
"""Calls a minute: pacing is not what is looked at here."""
MANIFEST = """\
kind: Audience
name: {name}
title: {title}
destinations: [email]
source: {{files: ["{name}.csv"]{more}}}
columns: {{Email: email}}
"""


class Fleet:
    """Many small audiences of one environment, each with a file of its own."""

    def __init__(self, root: Path) -> None:
        self.project = Project.make(root)
        (self._manifests / "buyers.yaml").unlink()
        for number in range(AUDIENCES):
            self.declare(number)
            self.deliver(number, PEOPLE)
        with self.project.emulator() as emulator:
            emulator.configure(Switches(rate_limit=RATE))

    @property
    def _manifests(self) -> Path:
        return self.project.root / "environments" / "sandbox"

    def name(self, number: int) -> str:
        return f"audience-{number:03}"

    def manifest(self, number: int) -> Path:
        return self._manifests / f"{self.name(number)}.yaml"

    def segment(self, emulator: Emulator, number: int) -> str:
        name = f"Audience {number:03} (email)"
        return next(one.id for one in emulator.segments() if one.name == name)

    def file(self, number: int) -> Path:
        return self.project.root / "data" / f"{self.name(number)}.csv"

    def declare(self, number: int, title: str = "", more: str = "", end: str = "") -> None:
        title = title or f"Audience {number:03}"
        self.manifest(number).write_text(
            MANIFEST.format(name=self.name(number), title=title, more=more) + end
        )

    def deliver(self, number: int, people: int) -> None:
        rows = [f"person{number}x{one}@example.com" for one in range(people)]
        self.file(number).write_text("\n".join(["email", *rows]) + "\n")

    def run(self, *arguments: str, code: int) -> Ended:
        return self.project.run(*arguments, code=code)


def is_missing(fleet: Fleet, number: int) -> None:
    fleet.file(number).unlink()


def is_empty(fleet: Fleet, number: int) -> None:
    fleet.file(number).write_bytes(b"")


def has_no_rows(fleet: Fleet, number: int) -> None:
    fleet.file(number).write_text("email\n")


def lacks_its_column(fleet: Fleet, number: int) -> None:
    fleet.file(number).write_text("mail\nsomebody@example.com\n")


def is_malformed(fleet: Fleet, number: int) -> None:
    fleet.file(number).write_text(fleet.file(number).read_text().replace("@", "", 6))


def shrinks(fleet: Fleet, number: int) -> None:
    fleet.deliver(number, PEOPLE // 2)


def has_a_condition_that_fails(fleet: Fleet, number: int) -> None:
    fleet.declare(number, more=', where: "nowhere = 1"')


def lacks_its_list(fleet: Fleet, number: int) -> None:
    fleet.declare(number, end='exclude: [{files: ["gone.csv"], columns: {Email: email}}]\n')


def is_pinned(fleet: Fleet, number: int) -> None:
    fleet.declare(number, more=", pinned: true")
    fleet.deliver(number, PEOPLE + 1)


def takes_a_name_that_nobody_lets_go(fleet: Fleet, number: int) -> None:
    """Use the name of a segment whose audience was removed from the manifests."""
    fleet.declare(number, title="Taken")
    (fleet.manifest(BROKEN)).unlink()
    with fleet.project.emulator() as emulator:
        emulator.rename_by_hand(fleet.segment(emulator, BROKEN), "Taken (email)")


def has_a_read_only_segment(fleet: Fleet, number: int) -> None:
    fleet.deliver(number, PEOPLE + 1)
    with fleet.project.emulator() as emulator:
        emulator.set_read_only(fleet.segment(emulator, number), True)


def takes_the_name_of_a_blocked_one(fleet: Fleet, number: int) -> None:
    """Use the name of the first audience, which is renamed and whose file is missing."""
    fleet.declare(0, title="Something else")
    fleet.declare(number, title="Audience 000")


DEFECTS: tuple[Callable[[Fleet, int], None], ...] = (
    is_missing,
    is_empty,
    has_no_rows,
    lacks_its_column,
    is_malformed,
    shrinks,
    has_a_condition_that_fails,
    lacks_its_list,
    is_pinned,
    takes_a_name_that_nobody_lets_go,
    has_a_read_only_segment,
    takes_the_name_of_a_blocked_one,
)
BROKEN = len(DEFECTS)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Those that will break were applied before, with one more; the others are new."""
    made = Fleet(tmp_path)
    first = [f"--only=email/{made.name(number)}" for number in range(BROKEN + 1)]
    made.run("apply", "sandbox", "--yes", *first, code=0)
    for number, breaks in enumerate(DEFECTS):
        breaks(made, number)
    return made


def test_valid_audiences_are_applied_and_findings_fit_on_a_screen(fleet: Fleet) -> None:
    assert "blocked" in fleet.run("plan", "sandbox", "--out", "plan.json", code=0).said
    saved = json.loads((fleet.project.root / "plan.json").read_text())
    assert saved["addresses"]["blocked"] == BROKEN - 1, "what is pinned may be approved"

    forms = ("--events", "run.ndjson", "--out", "run.json")
    ended = fleet.run("apply", "sandbox", "--yes", *forms, code=8)
    applied = AUDIENCES - BROKEN
    assert f"{applied} applied, 0 unchanged, 0 failed, 0 skipped, {BROKEN} blocked" in bare(ended.said)
    lines = on_a_screen(json.loads((fleet.project.root / "run.json").read_text()))
    assert 0 < len(lines) <= SCREEN, "\n".join(lines)
    assert all(len(line) <= WIDTH for line in lines), lines

    with fleet.project.emulator() as emulator:
        sizes = {one.name: len(emulator.members(one.id)) for one in emulator.segments()}
    assert sum(size == PEOPLE for name, size in sizes.items() if name.startswith("Audience")) >= applied
    events = [json.loads(line) for line in (fleet.project.root / "run.ndjson").read_text().splitlines()]
    blocked = {one["address"] for one in events if one["type"] == "address_blocked"}
    assert blocked == {f"email/{fleet.name(number)}" for number in range(BROKEN)}


def test_a_broken_source_is_not_read_for_another_address(fleet: Fleet) -> None:
    healthy = f"--only=email/{fleet.name(AUDIENCES - 1)}"
    assert "1 to create" in fleet.run("plan", "sandbox", healthy, code=0).said
    broken = f"--only=email/{fleet.name(0)}"
    assert "no file matches audience-000.csv" in bare(fleet.run("plan", "sandbox", broken, code=5).said)


def on_a_screen(content: dict[str, Any]) -> list[str]:
    """What the report says of the blocked addresses, on a terminal of that width."""
    outcome = decoded(content).document.outcome
    assert outcome
    out = console(io.StringIO(), None, WIDTH)
    return [line.plain for line in blocked_lines(outcome.blocked, out)]


def bare(said: str) -> str:
    return " ".join(said.split())


LISTED = """\
kind: Audience
name: buyers
title: Buyers
destinations: [email, customer]
source: {files: ["people.csv"]}
columns: {Email: email, CustomerId: id}
exclude:
  - {files: ["out.csv"], columns: {Email: email}, maxShrink: 100%}
"""


@pytest.fixture
def listed(tmp_path: Path) -> Project:
    """One audience that was applied, with an exclusion list."""
    made = Project.make(tmp_path)
    (tmp_path / "environments" / "sandbox" / "buyers.yaml").write_text(LISTED)
    made.people(*range(100))
    exclude(made, 1_000)
    made.run("apply", "sandbox", "--yes")
    return made


def exclude(project: Project, *people: int) -> None:
    with (project.root / "data" / "out.csv").open("w") as file:
        file.write("\n".join(["email", *(f"person{one}@example.com" for one in people)]) + "\n")


@pytest.mark.parametrize("terms", [(), ("--members-only",)])
def test_suppressed_members_are_removed_without_a_source(listed: Project, terms: tuple[str, ...]) -> None:
    (listed.root / "data" / "people.csv").rename(listed.root / "people.csv")
    exclude(listed, 1_000, 7)
    assert "<10 suppressed members are removed all the same" in listed.run("plan", "sandbox", code=5).said
    said = bare(listed.run("apply", "sandbox", "--yes", *terms, code=8).said)
    assert "Only suppressed members were removed on sandbox" in said
    assert "no file matches people.csv" in said
    assert len(listed.members("email")) == 99
    assert len(listed.members("customer")) == 100, "its list has no customer ids"
    assert "removed all the same" not in listed.run("plan", "sandbox", code=5).said
    (listed.root / "people.csv").rename(listed.root / "data" / "people.csv")
    listed.run("apply", "sandbox", "--yes", code=0)
    assert len(listed.members("email")) == len(listed.members("customer")) == 99


def test_suppressed_members_are_removed_from_a_blocked_address(listed: Project) -> None:
    listed.people(*range(40))
    exclude(listed, 1_000, 7, 50)
    said = bare(listed.run("apply", "sandbox", "--yes", code=8).said)
    assert ", maxShrink)" in said
    assert len(listed.members("email")) == 98
