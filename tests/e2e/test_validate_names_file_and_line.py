"""`validate` reports all findings with place, cause and fix, and never repeats a value."""

import os
import shutil
from pathlib import Path

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("refused-early")

MARKER = "marker"
BUYERS = "environments/sandbox/buyers.yaml"
REST = "environments/sandbox/rest.yaml"
HOME = "environments/sandbox/environment.yaml"

# file, what stands there, what is put there instead, where the finding is, words of the finding
CASES = {
    "unknown key": (BUYERS, "title:", "titel:", f"{BUYERS}:3:1", ["did you mean", "title"]),
    "duplicate key": (BUYERS, "title: Buyers", "title: Buyers\ntitle: Marker", f"{BUYERS}:4:1", ["twice"]),
    "tab": (BUYERS, "source: {", "source:\n\t{", f"{BUYERS}:6:", ["tab"]),
    "empty file": (BUYERS, None, "", f"{BUYERS}:1:1", ["no manifest"]),
    "unquoted star": (BUYERS, '["people.csv"]', "[*marker.csv]", f"{BUYERS}:5:", ["quote"]),
    "name: no": (BUYERS, "name: buyers", "name: no", f"{BUYERS}:2:7", ["quotes"]),
    "19-digit id": (HOME, '"3239117063738827231"', "3239117063738827231", f"{HOME}:7:", ["quotes"]),
    "date": (BUYERS, "title: Buyers", "title: 2026-11-24", f"{BUYERS}:3:8", ["quotes", "date"]),
    "dangling link": (BUYERS, "[email,", "[emial,", f"{BUYERS}:4:", ["did you mean", "email"]),
    "missing key": (
        REST,
        "grant: clientCredentials\n",
        "",
        f"{REST}:",
        ["`grant` is missing", "allowed: clientCredentials, authorizationCode"],
    ),
    "missing source": (BUYERS, "people.csv", "marker.csv", f"{BUYERS}:5:", ["matches"]),
    "missing column": (BUYERS, "Email: email", "Email: marker", f"{BUYERS}:6:18", ["no such column"]),
    "second statement": (
        BUYERS,
        '["people.csv"]}',
        '["people.csv"], where: "true; drop table marker"}',
        f"{BUYERS}:5:",
        ["one"],
    ),
    "sub-query that reads a file": (
        BUYERS,
        '["people.csv"]}',
        "[\"people.csv\"], where: \"id in (select marker from read_csv('/etc/passwd'))\"}",
        f"{BUYERS}:5:",
        ["sub-quer"],
    ),
}  # fmt: skip
SECOND = "environments/sandbox/second.yaml"


@pytest.fixture
def project(tmp_path):
    made = Project.make(tmp_path)
    made.people(*range(3))
    made.run("validate")
    return made


def corrupt(project, file, old, new):
    path = project.root / file
    text = path.read_text()
    assert old is None or old in text
    path.write_text(new if old is None else text.replace(old, new))


@pytest.mark.parametrize("case", CASES)
def test_each_problem_has_its_place_and_its_remedy(project, case):
    file, old, new, where, words = CASES[case]
    corrupt(project, file, old, new)
    said = " ".join(project.run("validate", code=3).said.split())
    assert f"{where}" in said
    assert "→" in said
    assert "1 problem" in said
    for word in words:
        assert word in said
    assert MARKER not in said.lower()


def test_two_audiences_with_one_rendered_name(project):
    text = (project.root / BUYERS).read_text().replace("name: buyers", "name: second")
    (project.root / SECOND).write_text(text)
    said = project.run("validate", code=3).said
    assert SECOND in said
    assert "name" in said


def test_several_problems_are_all_reported_at_once(project):
    for case in ("unknown key", "19-digit id", "dangling link", "missing source"):
        file, old, new, _, _ = CASES[case]
        corrupt(project, file, old, new)
    said = project.run("validate", code=3).said
    for case in ("unknown key", "19-digit id", "dangling link", "missing source"):
        assert CASES[case][3] in said
    assert "4 problems" in said


def test_a_file_is_to_blame_where_it_is_named(project):
    """And not where `where` is, which the file has nothing to do with."""
    source = '{\n  files: ["people.csv"],\n  maxAge: 36h,\n  where: "id <> \'0\'"}'
    corrupt(project, BUYERS, '{files: ["people.csv"]}', source)
    people = project.root / "data/people.csv"
    people.write_text("email,id\nsomeone@example.com,1,2\n")
    assert f"{BUYERS}:6:3: people.csv" in plain(project.run("plan", "sandbox", code=5))
    people.write_text("email,id\n")
    assert f"({BUYERS}:6:3)" in plain(project.run("plan", "sandbox", code=5))
    people.write_text("email,id\nsomeone@example.com,1\n")
    os.utime(people, (0, 0))
    assert f"raise source.maxAge in {BUYERS}:6:3" in plain(project.run("plan", "sandbox", code=5))
    corrupt(project, BUYERS, "id <> '0'", "nobody = 1")
    assert f"{BUYERS}:8:11: `where` names" in plain(project.run("validate", code=3))
    corrupt(project, BUYERS, "nobody = 1", "id > 5")
    assert f"{BUYERS}:8:10: `where` doesn't suit" in plain(project.run("validate", code=3))
    corrupt(project, BUYERS, "id > 5", "cast(email as int) = 5")
    assert f"{BUYERS}:8:10: `where` fails on a value" in plain(project.run("plan", "sandbox", code=5))


def plain(ended):
    return " ".join(ended.said.split())


def test_two_environments_never_share_a_state(project):
    for name, url in (("staging", "file:./.reconciler/state/sandbox/"), ("other", "s3://acme/x")):
        shutil.copytree(project.root / "environments/sandbox", project.root / "environments" / name)
        home = f"environments/{name}/environment.yaml"
        corrupt(project, home, "name: sandbox", f"name: {name}")
        corrupt(project, home, "file:.reconciler/state/sandbox", url)
    message = (
        f"environments/staging/environment.yaml:4:14: the state of sandbox is kept there too ({HOME}:4:14)"
    )
    said = plain(project.run("validate", code=3))
    assert f"{HOME}:4:14: the state of staging is kept there too" in said
    assert said.count("kept there too") == 1
    assert message in plain(project.run("validate", "staging", code=3))
    project.run("validate", "other")
    corrupt(project, "environments/other/environment.yaml", "s3://acme/x", "5")
    assert "`url` is not written" in plain(project.run("validate", "other", code=3))


def test_a_pattern_that_matches_nothing_names_the_root_that_was_searched(tmp_path: Path) -> None:
    project = Project.make(tmp_path, batch_size=50)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "people.csv").unlink(missing_ok=True)
    said = " ".join(project.run("validate", code=3).said.split())
    assert "no file below the data root, data, matches this pattern" in said
    assert str(tmp_path) not in said


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("file:.reconciler/state/sandbox/resources", "in a folder around this one"),
        ("file:.reconciler/state", "in a folder of this one"),
        ("file:.reconciler/state/sandbox-2", ""),
    ],
)
def test_no_state_is_inside_another_state(project, url, where):
    shutil.copytree(project.root / "environments/sandbox", project.root / "environments/staging")
    corrupt(project, "environments/staging/environment.yaml", "name: sandbox", "name: staging")
    corrupt(project, "environments/staging/environment.yaml", "file:.reconciler/state/sandbox", url)
    said = plain(project.run("validate", "staging", code=3 if where else 0))
    assert not where or f"the state of sandbox is kept {where} ({HOME}:4:14)" in said
