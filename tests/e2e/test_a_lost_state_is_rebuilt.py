"""`state rebuild` recreates a lost state from the manifests and Criteo, and apply resumes."""

import contextlib
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from support.cli import Project

from reconciler.emulator import Emulator

pytestmark = pytest.mark.promise("state")

OLD, NEW = range(1, 31), range(6, 36)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Applied once; then the state went, and the people changed."""
    made = Project.make(tmp_path)
    file = made.root / "environments" / "sandbox" / "environment.yaml"
    file.write_text(file.read_text().replace("batchSize", "gracePeriod: 1s, batchSize"))
    made.people(*OLD)
    shutil.copy(made.root / "data" / "people.csv", made.root / "before.csv")
    made.run("apply", "sandbox", "--yes")
    lose(made)
    made.people(*NEW)
    return made


def lose(project: Project) -> None:
    shutil.rmtree(project.root / ".reconciler" / "state")


def say(project: Project, *arguments: str, code: int = 0) -> str:
    said = " ".join(project.run("state", "rebuild", "sandbox", *arguments, code=code).said.split())
    assert "person1" not in said
    return said


def segments(emulator: Emulator) -> dict[str, str]:
    return {one.id: one.name for one in emulator.segments()}


def held(project: Project, name: str) -> frozenset[str]:
    with project.emulator() as emulator:
        [segment] = [one for one in emulator.segments() if one.name == name]
        return emulator.members(segment.id)


def rename(project: Project, old: str, new: str, description: str = "") -> str:
    """Rename a segment outside reconciler, by ID. Another description removes the tag."""
    with project.emulator() as emulator:
        [segment] = [one for one in emulator.segments() if one.name == old]
    file = project.root / ".reconciler" / "emulator" / "sandbox.sqlite"
    values = (new, new.casefold(), description or segment.description, segment.id)
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE segments SET name = ?, name_key = ?, description = ? WHERE id = ?", values)
    return segment.id


def customers(numbers: range) -> set[str]:
    return {f"c{number}" for number in numbers}


def test_what_is_found_is_listed_and_nothing_is_written(project: Project) -> None:
    said = say(project)
    assert len(re.findall(r"“Buyers \((email|customer)\)”, by its ownership tag", said)) == 2
    assert all(way in said for way in ("--reuse", "--assume-members FILE", "--replace"))
    assert not (project.root / ".reconciler" / "state").exists()


def test_union_sends_all_and_says_that_people_from_before_may_remain(project: Project) -> None:
    say(project, "--reuse", code=64)
    assert "2 addresses" in say(project, "--replace", "--yes")
    assert "nothing is lost of it" in say(project, "--reuse", "--yes", code=10)
    named = ("--only", "email/buyers", "--only", "customer/buyers")
    assert "2 addresses" in say(project, "--reuse", "--yes", *named), "nobody has acted upon the first choice"
    project.run("apply", "sandbox", "--yes")
    assert held(project, "Buyers (customer)") == customers(OLD) | customers(NEW)
    said = " ".join(project.run("plan", "sandbox", "--detailed-exitcode").said.split())
    assert "unknown members may remain" in said
    assert "nothing is lost of it" in say(project, "--reuse", "--yes", code=10)
    assert "nothing is lost of it" in say(project, code=10)
    say(project, "--replace", "--yes")
    project.run("apply", "sandbox", "--yes")
    assert held(project, "Buyers (customer)") == customers(NEW)
    said = " ".join(project.run("plan", "sandbox", "--detailed-exitcode").said.split())
    assert "unknown members may remain" not in said


def test_replace_fills_new_segments_and_keeps_the_old_ones(project: Project) -> None:
    say(project, "--replace", "--yes")
    said = " ".join(project.run("plan", "sandbox", "--detailed-exitcode", code=2).said.split())
    assert "because its members are unknown" in said
    project.run("apply", "sandbox", "--yes")
    assert held(project, "Buyers (customer)") == customers(NEW)
    with project.emulator() as emulator:
        assert sorted(one.partition(" (retired")[0] for one in segments(emulator).values()) == [
            "Buyers (customer)",
            "Buyers (customer)",
            "Buyers (email)",
            "Buyers (email)",
        ]
    project.run("plan", "sandbox", "--detailed-exitcode")
    with project.emulator() as emulator:
        left = [one.id for one in emulator.segments() if "(retired" in one.name]
    said = " ".join(project.run("state", "show", "sandbox").said.split())
    assert all(f"1 segment retired: {one}" in said for one in left)
    lose(project)
    assert "1 segment replaced earlier" in say(project)


def test_assume_removes_unwanted_members_of_the_file(project: Project) -> None:
    say(project, "--assume-members", "before.csv", "--yes", code=64)
    for address in ("customer/buyers", "email/buyers"):
        assert "no such file" in say(project, "--assume-members", "x.csv", "--only", address, "-y", code=3)
        say(project, "--assume-members", "before.csv", "--only", address, "--yes")
    project.run("apply", "sandbox", "--yes")
    assert held(project, "Buyers (customer)") == customers(NEW)
    assert len(held(project, "Buyers (email)")) == len(NEW)
    project.run("plan", "sandbox", "--detailed-exitcode")


def test_a_segment_is_ours_by_its_mark_whatever_it_is_called_and_not_by_its_name(project: Project) -> None:
    rename(project, "Buyers (customer)", "By hand")
    stranger = rename(project, "Buyers (email)", "Buyers (email)", description="theirs")
    said = say(project)
    assert "“By hand”, by its ownership tag" in said
    assert f"by its name only; to adopt it: `--adopt email/buyers={stranger}`" in said
    say(project, "--reuse", "--yes")
    refused = project.run("apply", "sandbox", "--yes", code=8).said
    assert "that reconciler did not create" in " ".join(refused.split())
    say(project, "--reuse", "--adopt", "email/buyers", "--yes", code=64)
    say(project, "--reuse", "--yes", "--adopt", f"email/buyers={stranger}")
    project.run("apply", "sandbox", "--yes")
    assert held(project, "Buyers (customer)") >= customers(NEW)
    assert len(held(project, "Buyers (email)")) == 35
    project.run("plan", "sandbox", "--detailed-exitcode")


def test_two_segments_with_one_tag_block_until_one_is_chosen(project: Project) -> None:
    with project.emulator() as emulator:
        [customer] = [one for one in emulator.segments() if one.name == "Buyers (customer)"]
    copied = rename(project, "Buyers (email)", "Copied", customer.description or "")
    assert "have its ownership tag" in say(project)
    said = say(project, "--reuse", "--yes", code=5)
    assert "have its ownership tag" in said
    assert not list((project.root / ".reconciler" / "state").rglob("resources/*"))
    assert "there is no segment 12 " in say(project, "--reuse", "-y", "--adopt", "email/buyers=12", code=5)
    said = say(project, "--reuse", "--yes", "--adopt", f"email/buyers={copied}", code=5)
    assert "has the ownership tag of another address" in said
    for takes in (["email/buyers=1", "email/buyers=2"], ["email/buyers=1", "customer/buyers=1"]):
        twice = [word for one in takes for word in ("--adopt", one)]
        assert "an address or a segment twice" in say(project, "--reuse", "--yes", *twice, code=64)
    assert f"segment {copied} “Copied” is ignored" in say(
        project, "--adopt", f"customer/buyers={customer.id}"
    )
    say(project, "--reuse", "--yes", "--adopt", f"customer/buyers={customer.id}")
    said = say(project, "--adopt", f"email/buyers={customer.id}", "--only", "email/buyers")
    assert f"segment {customer.id} is the one of customer/buyers" in said
    project.run("apply", "sandbox", "--yes")
    assert held(project, "Buyers (customer)") == customers(OLD) | customers(NEW)
    project.run("plan", "sandbox", "--detailed-exitcode")
