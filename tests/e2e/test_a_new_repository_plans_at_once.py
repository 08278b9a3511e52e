"""`init` makes a repository that is valid and whose sandbox plans and applies, and it overwrites nothing."""

from pathlib import Path

import pytest
from command_line import Project


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_it_validates_plans_and_applies(tmp_path: Path, ci: str):
    owned = ("--admins", "@acme/admins", "--owners", "@acme/crm")
    said = Project(tmp_path).run("init", "audiences", "--ci", ci, *owned).said
    assert "cd audiences" in said
    project = Project(tmp_path / "audiences")
    valid = project.run("validate").said
    assert "production: 1 audience, 2 segments, no problems" in valid
    assert "sandbox: 1 audience, 2 segments, no problems" in valid
    assert "2 to create" in project.run("plan", "sandbox").said
    project.run("apply", "sandbox", "--yes")
    assert "No changes." in project.run("plan", "sandbox").said
    assert "2 to create" in project.run("plan", "production", "--emulate", "--data-root", "data").said
    explained = project.run("explain", "sandbox", "offsite-email/lapsed-90d").said
    assert "− excluded 10" in " ".join(explained.split())
    file = {"github": ".github/CODEOWNERS", "gitlab": "CODEOWNERS"}[ci]
    project.run("codeowners", "--check", file)
    assert "@acme/admins" in (project.root / file).read_text()


def test_placeholders_are_noted_offline_and_nothing_is_done_with_them(tmp_path: Path):
    project = Project(tmp_path)
    project.run("init")
    home = "environments/production/environment.yaml"
    told = (
        f"{home}:5:14: this is a placeholder still: write a private bucket",
        f"{home}:8:21: this is a placeholder still: write the id of your account",
        f"{home}:8:38: this is a placeholder still: write the id of the retailer",
    )
    valid = " ".join(project.run("validate").said.split())
    assert all(one in valid for one in told)
    (tmp_path / "exports/customers").mkdir(parents=True, exist_ok=True)
    for name in ("customers/example.csv", "suppressed.csv"):
        (tmp_path / "exports" / name).write_bytes((tmp_path / "data" / name).read_bytes())
    commands = [["plan"], ["apply", "--yes"], ["status"], ["doctor"], ["drift"], ["state", "show"]]
    for command in (*commands, ["auth", "status"]):
        said = " ".join(project.run(*command, "production", code=3).said.split())
        assert all(one.rpartition(": ")[0] in said for one in told), command
        assert "--emulate" in said or command == ["doctor"], command
    assert not (tmp_path / ".reconciler").exists()
    emulated = project.run("plan", "production", "--emulate", "--data-root", "data").said
    assert "placeholder" not in emulated


def test_rules_that_nobody_owns_are_refused(tmp_path: Path):
    project = Project(tmp_path)
    project.run("init")
    said = " ".join(project.run("codeowners", "--check", ".github/CODEOWNERS", code=5).said.split())
    assert "nobody owns anything" in said
    assert "`reconciler codeowners --admins @ORG/TEAM --owners @ORG/TEAM`" in said


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
    (tmp_path / ".pre-commit-config.yaml").write_text("mine")
    (tmp_path / "README.md").write_text("mine")
    said = Project(tmp_path).run("init", code=3).said
    assert ".pre-commit-config.yaml: it is there already" in said
    assert "README.md" not in said
    assert sorted(file.name for file in tmp_path.iterdir()) == [".pre-commit-config.yaml", "README.md"]
    assert (tmp_path / ".pre-commit-config.yaml").read_text() == "mine"


def test_what_a_repository_made_at_a_forge_has_is_left_alone(tmp_path: Path):
    for name in ("README.md", ".gitignore", "LICENSE"):
        (tmp_path / name).write_text("mine")
    project = Project(tmp_path)
    said = project.run("init").said
    assert (
        "Left as they were: README.md, .gitignore. Add to .gitignore: .reconciler/ /exports/ /plan.*" in said
    )
    assert "docs/ci.md says what to do before production" in said
    assert {(tmp_path / name).read_text() for name in ("README.md", ".gitignore", "LICENSE")} == {"mine"}
    project.run("validate")


def test_what_is_no_folder_where_one_has_to_be_is_named_and_nothing_is_written(tmp_path: Path):
    (tmp_path / "data").write_text("mine")
    (tmp_path / "schemas").symlink_to("nowhere")
    (tmp_path / "CODEOWNERS").write_text("mine")
    said = Project(tmp_path).run("init", "--ci", "gitlab", code=3).said
    for told in ("data: it is no folder", "schemas: it is no folder", "CODEOWNERS: it is there already"):
        assert told in said
    assert sorted(file.name for file in tmp_path.iterdir()) == ["CODEOWNERS", "data", "schemas"]
    said = Project(tmp_path).run("init", "data/audiences", code=3).said
    assert f"{tmp_path}/data: it is no folder" in "".join(said.split("\n"))


def test_what_the_system_refuses_names_the_place(tmp_path: Path):
    said = "".join(Project(tmp_path).run("init", long := "a" * 300, code=10).said.split())
    assert f"can'twrite{tmp_path}/{long}/" in said


def test_it_leaves_environments_of_others_alone(tmp_path: Path):
    (tmp_path / "environments/mine").mkdir(parents=True)
    assert "environments: it is there already" in Project(tmp_path).run("init", code=3).said
