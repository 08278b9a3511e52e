"""`find` says where identifiers are in a state, by the number of their line, and never shows one."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("private")

LISTED = """\
exclude:
  - {files: ["gone.csv"], columns: {Email: email}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Persons 1 to 30, then 5 to 33, of whom 7 is excluded. Persons 1 to 4 are only in the saved version."""
    made = Project.make(tmp_path)
    audience = made.root / "environments" / "sandbox" / "buyers.yaml"
    audience.write_text(audience.read_text() + LISTED)
    (made.root / "data" / "gone.csv").write_text("email\nnobody@example.com\n")
    made.people(*range(1, 31))
    made.run("apply", "sandbox", "--yes")
    made.people(*range(5, 34))
    (made.root / "data" / "gone.csv").write_text("email\nnobody@example.com\nperson7@example.com\n")
    made.run("apply", "sandbox", "--yes")
    return made


def found(project: Project, *identifiers: str) -> dict[int, set[tuple[str, str, bool, tuple[int, ...]]]]:
    said = project.run("find", "sandbox", "--json", given="\n".join(identifiers)).said
    return {
        one["line"]: {
            (place["address"], place["role"], place["current"], tuple(place["serials"]))
            for place in one["places"]
        }
        for one in json.loads(said)["found"]
    }


def test_each_place_of_a_person_is_named(project: Project) -> None:
    places = found(project, " Person9@Example.com ", "person2@example.com", "person7@example.com", "nobody1")
    assert places == {
        1: {("email/buyers", "confirmed", True, (1,))},
        2: {("email/buyers", "confirmed", False, (1,))},
        3: {
            ("email/buyers", "confirmed", False, (1,)),
            ("email/buyers", "listed", True, ()),
            ("email/buyers", "excluded", True, ()),
            ("customer/buyers", "listed", True, ()),
        },
    }


def test_a_hashed_identifier_is_found_as_the_plain_one_is(project: Project) -> None:
    plain = "person9@example.com"
    digest = hashlib.sha256(plain.encode()).hexdigest().upper()
    places = found(project, plain, digest, "c9")
    assert places[1] == places[2] == {("email/buyers", "confirmed", True, (1,))}
    assert places[3] == {("customer/buyers", "confirmed", True, (1,))}


def test_the_text_names_lines_and_no_identifier(project: Project) -> None:
    given = "person9@example.com\n\nperson2@example.com\nperson99@example.com\n\x07\n"
    said = project.run("find", "sandbox", given=given).said
    assert re.search(r"line 1\n  email/buyers  member of segment \d+: now, in 1 saved version \(1\)", said)
    assert re.search(r"line 3\n  email/buyers  member of segment \d+: in 1 saved version \(1\)", said)
    assert "Lines without a usable identifier: 5" in said
    assert "4 lines read, 2 found." in said
    assert "person" not in said


def test_damaged_members_are_named_and_the_rest_is_searched(project: Project) -> None:
    state = project.root / ".reconciler" / "state" / "sandbox"
    customer = json.loads((state / "resources" / "customer.buyers.json").read_text())
    (state / "snapshots" / customer["current"]["confirmed"]["digest"]).write_bytes(b"PAR1")
    said = project.run("find", "sandbox", code=10, given="person9@example.com\nc9\n").said
    assert re.search(r"line 1\n  email/buyers", said)
    assert re.search(r"not readable\n  customer/buyers  member of segment \d+: now", said)
    assert "sandbox: the search is not complete: 1 stored sets of members can't be read" in said


def test_input_that_is_no_list_of_identifiers_is_refused(project: Project) -> None:
    said = project.run("find", "sandbox", code=3, given="person9@example.com\n\udcff\n").said
    assert "line 2 of standard input is not UTF-8" in said
    said = project.run("find", "sandbox", code=3, given="x" * 5_000).said
    assert "line 1 of standard input has more than 4,096 bytes" in said
    said = project.run("find", "sandbox", code=3, given="x\n" * 10_001).said
    assert "standard input has more than 10,000 lines" in said
    said = project.run("find", "sandbox", code=3, given="\n \n").said
    assert "standard input has no identifier" in said
    assert "Standard input is a terminal" in project.at_terminal("find", "sandbox").said


def test_before_the_first_apply_nothing_is_found(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    project.people(1, 2)
    assert "1 line read, 0 found." in project.run("find", "sandbox", given="person1@example.com").said
