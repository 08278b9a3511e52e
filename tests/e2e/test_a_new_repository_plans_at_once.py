"""`init` makes a repository that is valid and whose sandbox plans and applies, and it overwrites nothing."""

from pathlib import Path

import pytest
from command_line import Project


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_it_validates_plans_and_applies(tmp_path: Path, ci: str):
    said = Project(tmp_path).run("init", "audiences", "--ci", ci, "--admins", "@acme/admins").said
    assert "cd audiences" in said
    project = Project(tmp_path / "audiences")
    valid = project.run("validate").said
    assert "production: 1 audience, 2 segments, no problems" in valid
    assert "sandbox: 1 audience, 2 segments, no problems" in valid
    assert "2 to create" in project.run("plan", "sandbox").said
    project.run("apply", "sandbox", "--yes")
    assert "No changes." in project.run("plan", "sandbox").said
    assert "2 to create" in project.run("plan", "production", "--emulate", "--data-root", "data").said
    file = {"github": ".github/CODEOWNERS", "gitlab": "CODEOWNERS"}[ci]
    project.run("codeowners", "--check", file)
    assert "@acme/admins" in (project.root / file).read_text()


def test_environments_differ_only_where_they_should(tmp_path: Path):
    Project(tmp_path).run("init")
    folders = [tmp_path / "environments" / name for name in ("sandbox", "production")]
    sandbox, production = (
        {str(file.relative_to(one)): file.read_bytes() for file in one.rglob("*.yaml")} for one in folders
    )
    assert sandbox.keys() == production.keys()
    differ = {name for name in sandbox if sandbox[name] != production[name]}
    assert differ == {"environment.yaml", "credentials.yaml"}


def test_what_is_in_the_way_is_named_and_nothing_is_written(tmp_path: Path):
    (tmp_path / "README.md").write_text("mine")
    said = Project(tmp_path).run("init", code=3).said
    assert "README.md: it is there already" in said
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_what_is_no_folder_where_one_has_to_be_is_named_and_nothing_is_written(tmp_path: Path):
    (tmp_path / "data").write_text("mine")
    (tmp_path / "schemas").symlink_to("nowhere")
    (tmp_path / "README.md").write_text("mine")
    said = Project(tmp_path).run("init", code=3).said
    for told in ("data: it is no folder", "schemas: it is no folder", "README.md: it is there already"):
        assert told in said
    assert sorted(file.name for file in tmp_path.iterdir()) == ["README.md", "data", "schemas"]
    said = Project(tmp_path).run("init", "data/audiences", code=3).said
    assert f"{tmp_path}/data: it is no folder" in "".join(said.split("\n"))


def test_what_the_system_refuses_names_the_place(tmp_path: Path):
    said = "".join(Project(tmp_path).run("init", long := "a" * 300, code=10).said.split())
    assert f"can'twrite{tmp_path}/{long}/" in said


def test_it_leaves_environments_of_others_alone(tmp_path: Path):
    (tmp_path / "environments/mine").mkdir(parents=True)
    assert "environments: it is there already" in Project(tmp_path).run("init", code=3).said
