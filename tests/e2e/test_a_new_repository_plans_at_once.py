"""`init` creates a valid repository whose sandbox plans and applies, and overwrites no file."""

from pathlib import Path

import pytest
from support.cli import Project


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
    assert "− suppressed 10" in " ".join(explained.split())
    file = {"github": ".github/CODEOWNERS", "gitlab": "CODEOWNERS"}[ci]
    project.run("codeowners", "--check", file)
    assert "@acme/admins" in (project.root / file).read_text()


def test_placeholders_are_noted_offline_and_nothing_is_done_with_them(tmp_path: Path):
    project = Project(tmp_path)
    project.run("init")
    home = "environments/production/environment.yaml"
    expected = (
        f"{home}:5:14: this is still a placeholder: write a private bucket",
        f"{home}:6:14: this is still a placeholder: write where your exports are",
        f"{home}:8:21: this is still a placeholder: write the id of your account",
        f"{home}:8:38: this is still a placeholder: write the id of the retailer",
    )
    valid = " ".join(project.run("validate").said.split())
    assert all(one in valid for one in expected)
    commands = [["plan"], ["apply", "--yes"], ["status"], ["doctor"], ["drift"], ["state", "show"]]
    for command in (*commands, ["auth", "status"]):
        said = " ".join(project.run(*command, "production", code=3).said.split())
        assert all(one.rpartition(": ")[0] in said for one in expected), command
        tried = "`reconciler plan production --emulate --data-root data`"
        assert tried in said or command == ["doctor"], command
    assert not (tmp_path / ".reconciler").exists()
    emulated = project.run("plan", "production", "--emulate", "--data-root", "data").said
    assert "placeholder" not in emulated
    said = project.run("plan", "production", "--emulate", code=3).said
    assert f"{home}:6:14: this does not say yet where the exports are" in said


def test_a_sandbox_at_criteo_is_planned_on_an_emulator_until_it_is_filled_in(tmp_path: Path):
    project = Project(tmp_path)
    said = project.run("init", "--sandbox", "criteo").said
    tried = "reconciler plan sandbox --emulate --data-root data"
    assert f"  {tried}\n" in said
    assert "reconciler apply sandbox" not in said
    assert tried in (tmp_path / "README.md").read_text()
    project.run("validate")
    emulated = project.run(*tried.split()[1:]).said
    assert "2 to create" in emulated
    assert "sampling: at most 1,000 rows" in " ".join(emulated.split())
    said = " ".join(project.run("apply", "sandbox", "--yes", code=3).said.split())
    home = "environments/sandbox/environment.yaml"
    assert all(f"{home}:{place}" in said for place in ("5:14", "6:14", "8:21", "8:38"))
    sandbox, production = (
        (tmp_path / "environments" / one / "environment.yaml").read_text()
        for one in ("sandbox", "production")
    )
    assert 'endpoint: "https://api.criteo.com"' in sandbox
    assert 'namePrefix: "[sandbox] "' in sandbox
    states = [next(line for line in one.splitlines() if "state:" in line) for one in (sandbox, production)]
    assert states[0] != states[1]


@pytest.mark.parametrize("owned", [[], ["--admins", "@acme/admins"], ["--admins", "@YOUR-ORG"]])
def test_rules_without_owners_are_noted(tmp_path: Path, owned: list[str]):
    project = Project(tmp_path)
    project.run("init", *owned)
    on_github = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    said = " ".join(project.run("codeowners", "--check", ".github/CODEOWNERS", **on_github).said.split())
    assert "Note: the rules have no owners yet" in said
    assert "`reconciler codeowners --admins @ORG/TEAM --owners @ORG/TEAM`" in said
    assert "::warning file=.github/CODEOWNERS,line=1,col=1,title=the rules have no owners yet" in said
    rules = project.run("codeowners", "--admins", "@acme/admins").said
    (tmp_path / ".github/CODEOWNERS").write_text(f"{rules}* @acme/everyone\n")
    project.run("codeowners", "--check", ".github/CODEOWNERS", code=5)


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
    (tmp_path / "data").mkdir()
    (tmp_path / "data/suppressed.csv").write_text("mine")
    (tmp_path / "README.md").write_text("mine")
    said = Project(tmp_path).run("init", code=3).said
    assert "data/suppressed.csv: it is there already" in said
    assert "README.md" not in said
    assert sorted(file.name for file in tmp_path.iterdir()) == ["README.md", "data"]
    assert (tmp_path / "data/suppressed.csv").read_text() == "mine"


HOOKS = ".pre-commit-config.yaml"
RULES = {"github": ".github/CODEOWNERS", "gitlab": "CODEOWNERS"}


@pytest.mark.parametrize("ci", RULES)
def test_existing_files_stay_and_additions_are_listed(tmp_path: Path, ci: str):
    theirs = dict.fromkeys(("README.md", "LICENSE", "docs/ci.md", HOOKS), "mine\n")
    theirs |= {RULES[ci]: "* @acme/everyone", ".gitignore": "*.pyc\n/plan.*\n"}
    theirs |= {".gitlab-ci.yml": "stages: [test]\n"} if ci == "gitlab" else {}
    for name, text in theirs.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    project = Project(tmp_path)
    owned = ("--admins", "@acme/admins", "--owners", "@acme/crm")
    said = project.run("init", "--ci", ci, *owned).said
    assert {name: (tmp_path / name).read_text() for name in theirs} == theirs
    left = said.partition("Left as they were: ")[2].partition(". Next:")[0].split(", ")
    assert {*left, "LICENSE"} == set(theirs)
    assert "docs/reconciler-ci.md says the rest: secrets, teams" in said
    assert "where account, retailer and bucket are written" in said
    assert "Add to .gitignore:\n  .reconciler/\n" in said
    assert "/plan.*" not in said
    assert f"Add to {HOOKS}:\n    - repo: local\n      hooks:\n        - id: reconciler-validate\n" in said
    assert ("  - local: .gitlab/reconciler/reconciler.gitlab-ci.yml" in said) is (ci == "gitlab")
    assert ("stages: [plan, label, apply]" in said) is (ci == "gitlab")
    assert "- *Exit 6, not approved" in (tmp_path / "docs/reconciler-ci.md").read_text()
    command = f"(echo; reconciler codeowners {' '.join(owned)}) >> {RULES[ci]}"
    assert f"Add to {RULES[ci]}:\n  {command}\n" in said
    rules = project.run("codeowners", *owned).said
    (tmp_path / RULES[ci]).write_text(f"* @acme/everyone\n{rules}")
    project.run("codeowners", "--check", RULES[ci])
    project.run("validate")


def test_what_is_added_already_is_not_asked_for_again(tmp_path: Path):
    project = Project(tmp_path)
    project.run("init", "first", "--ci", "gitlab")
    kept = ("README.md", ".gitignore", HOOKS, ".gitlab-ci.yml", "docs/ci.md")
    for name in (*kept, "data/suppressed.csv"):
        (tmp_path / "second" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "second" / name).write_bytes((tmp_path / "first" / name).read_bytes())
    said = project.run("init", "second", "--ci", "gitlab").said
    assert "Add to" not in said
    assert "docs/ci.md says the rest" in said


def test_the_codeowners_that_counts_is_the_one_to_add_to(tmp_path: Path):
    """GitHub looks into .github/ first: a file there would take the place of theirs."""
    (tmp_path / "CODEOWNERS").write_text("* @acme/everyone\n")
    assert ") >> CODEOWNERS\n" in Project(tmp_path).run("init").said
    assert not (tmp_path / ".github/CODEOWNERS").exists()
    for name in (".github/workflows/reconciler-plan.yml", HOOKS):
        assert "codeowners --check CODEOWNERS\n" in (tmp_path / name).read_text()


@pytest.mark.parametrize("ci", RULES)
def test_in_a_folder_of_a_repository_it_says_what_is_read_elsewhere(tmp_path: Path, ci: str):
    (tmp_path / ".git").mkdir()
    project = Project(tmp_path)
    said = project.run("init", "a b/c", "--ci", ci).said
    assert "\n  cd 'a b/c'\n" in said
    assert f"WARNING: this is the folder a b/c of the repository {tmp_path}, and" in said
    assert f"  {RULES[ci].rpartition('/')[0] + '/' if ci == 'github' else '.gitlab-ci.yml'}, " in said
    assert ("working-directory: a b/c" if ci == "github" else "`cd a b/c`") in said
    assert "files: ^a b/c/environments/" in said
    assert "WARNING" not in project.run("init", "--ci", ci).said
    assert f"WARNING: it lies in another project, {tmp_path}:" in project.run("init", "d").said


def test_what_is_no_folder_where_one_has_to_be_is_named_and_nothing_is_written(tmp_path: Path):
    (tmp_path / "data").write_text("mine")
    (tmp_path / "schemas").symlink_to("nowhere")
    (tmp_path / "CODEOWNERS").write_text("mine")
    said = Project(tmp_path).run("init", "--ci", "gitlab", code=3).said
    for expected in ("data: it is no folder", "schemas: it is no folder"):
        assert expected in said
    assert sorted(file.name for file in tmp_path.iterdir()) == ["CODEOWNERS", "data", "schemas"]
    said = Project(tmp_path).run("init", "data/audiences", code=3).said
    assert f"{tmp_path}/data: it is no folder" in "".join(said.split("\n"))


def test_what_the_system_refuses_names_the_place(tmp_path: Path):
    said = "".join(Project(tmp_path).run("init", long := "a" * 300, code=10).said.split())
    assert f"can'twrite{tmp_path}/{long}/" in said


def test_it_leaves_environments_of_others_alone(tmp_path: Path):
    (tmp_path / "environments/mine").mkdir(parents=True)
    said = Project(tmp_path).run("init", code=3).said
    assert said.startswith("Error: this is a project already")
    assert "it is there already" not in said
