"""Common options are accepted before the command; `--only` accepts globs and names of audiences."""

import json
from pathlib import Path

import pytest
from support.cli import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "here").mkdir()
    project = Project.make(tmp_path / "here")
    project.people(*range(3))
    return project


def elsewhere(project: Project) -> Project:
    return Project(project.root.parent)


@pytest.mark.parametrize(
    "typed",
    [
        "-C here plan sandbox",
        "plan sandbox -C here",
        "-C nowhere plan sandbox -C here",
        "--no-color -q -C here plan sandbox",
        "-C here --verbose plan sandbox --quiet",
    ],
)
def test_a_plan_is_the_same(project: Project, typed: str):
    assert "2 to create" in elsewhere(project).run(*typed.split()).said


@pytest.mark.parametrize(
    "typed",
    [
        "-C here state show sandbox",
        "state -C here show sandbox",
        "state -C here lock list sandbox",
        "state lock -C here list sandbox",
        "-C here auth status sandbox",
        "auth -C here status sandbox",
        "emulator -C here advance sandbox 1h",
        "-C here validate",
    ],
)
def test_groups_take_them_too(project: Project, typed: str):
    elsewhere(project).run(*typed.split())


def test_verbose_before_the_command_logs_every_call(project: Project):
    assert "POST /oauth2/token 200" in project.run("--verbose", "plan", "sandbox").said
    assert "POST /oauth2/token 200" not in project.run("plan", "sandbox").said


def test_errors_and_annotations_are_of_the_folder_that_is_named_before(project: Project):
    file = project.root / "environments/sandbox/buyers.yaml"
    file.write_text(file.read_text().replace("title: Buyers", "title: [Buyers]"))
    github = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(project.root.parent)}
    said = elsewhere(project).run("-C", "here", "validate", code=3, **github).said
    assert "::error file=here/environments/sandbox/buyers.yaml,line=3" in said


def test_a_shell_completes_after_them(project: Project):
    assert elsewhere(project).completed("-C", "here", "plan", "sa") == ["sandbox"]
    assert elsewhere(project).completed("-C", "here", "plan", "sandbox", "--only", "cu") == [
        "customer/buyers"
    ]
    assert project.completed("plan", "sandbox", "--only", "b") == ["buyers"]
    assert project.completed("explain", "sandbox", "b") == []
    assert "--no-color" in project.completed("--no")


@pytest.mark.parametrize(
    ("only", "planned"),
    [
        ("email/*", ["email/buyers"]),
        ("buyers", ["customer/buyers", "email/buyers"]),
        ("b*", ["customer/buyers", "email/buyers"]),
        ("*/buyers", ["customer/buyers", "email/buyers"]),
    ],
)
def test_only_takes_globs_and_names_of_audiences(project: Project, only: str, planned: list[str]):
    said = project.run("plan", "sandbox", "--only", only, "--json", "--quiet").said
    changes = json.loads(said)["approval"]["changes"]
    assert [change["address"] for change in changes] == planned
    for command in ("apply --yes", "drift", "status"):
        name, *flags = command.split()
        project.run(name, "sandbox", *flags, "--only", only)


def test_what_matches_nothing_names_what_is_near(project: Project):
    said = " ".join(project.run("plan", "sandbox", "--only", "emial/*", code=3).said.split())
    assert "no address matches emial/*" in said
    assert "did you mean `email/*`? addresses here: customer/buyers, email/buyers" in said


def test_one_address_is_explained_by_its_audience_where_it_is_the_only_one(project: Project):
    said = " ".join(project.run("explain", "sandbox", "buyers", code=3).said.split())
    assert "2 addresses match, and one is needed" in said
    assert "write one of customer/buyers, email/buyers" in said
    project.run("explain", "sandbox", "email/*")


def test_an_option_of_another_tool_gets_a_hint(project: Project):
    said = project.run("apply", "sandbox", "--auto-approve", code=64).said
    assert said.endswith("Error: No such option '--auto-approve'.\n→ `--yes` skips the confirmation\n")
    said = project.run("destroy", code=64).said
    assert "\n→ nothing is deleted at Criteo: remove the audience's manifest" in said


def test_a_lost_state_is_rebuilt_of_what_a_glob_selects(project: Project):
    project.run("apply", "sandbox", "--yes")
    (project.root / "old.csv").write_text("email\nperson1@example.com\n")
    for only in ("buyers", "*"):
        said = project.run(
            "state", "rebuild", "sandbox", "--assume-members", "old.csv", "--only", only, "-y", code=64
        ).said
        assert "--assume-members is for one address" in said
    said = project.run("state", "rebuild", "sandbox", "--adopt", "email/*=12", code=64).said
    assert "write DESTINATION/AUDIENCE=ID" in said
