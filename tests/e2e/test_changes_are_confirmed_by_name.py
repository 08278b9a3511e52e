"""Where a change reaches Criteo, a user confirms it with the environment's name; CI passes `--yes`."""

from pathlib import Path

import pytest
from support.cli import Project

pytestmark = pytest.mark.promise("approved")

HOME = "environments/sandbox/environment.yaml"
ASKED = "Type sandbox to confirm"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path)
    made.people(*range(40))
    return made


def configure(project: Project, more: str = "", endpoint: str = "emulator") -> None:
    file = project.root / HOME
    text = file.read_text().replace("endpoint: emulator", f'endpoint: "{endpoint}"')
    file.write_text(f"{text}{more}\n")


@pytest.mark.parametrize("typed", ["y", "yes", "production", "Sandbox", ""])
def test_anything_but_the_name_writes_nothing(project: Project, typed: str) -> None:
    configure(project, "confirm: name")
    ended = project.at_terminal("apply", "sandbox", typed=f"{typed}\n")
    assert ended.code == 130
    assert ASKED in ended.said
    assert "sandbox was not typed: nothing was written" in ended.said
    assert project.writes() == []


def test_the_name_applies_the_plan(project: Project) -> None:
    configure(project, "confirm: name")
    ended = project.at_terminal("apply", "sandbox", typed="sandbox\n")
    assert ended.code == 0, ended.said
    assert len(project.members("email")) == 40


def test_on_the_emulator_y_is_enough(project: Project) -> None:
    ended = project.at_terminal("apply", "sandbox", typed="y\n")
    assert ended.code == 0, ended.said
    assert ASKED not in ended.said
    configure(project, "confirm: none")
    project.people(*range(41))
    assert project.at_terminal("apply", "sandbox", typed="n\n").code == 130
    assert project.at_terminal("apply", "sandbox", typed="y\n").code == 0


def test_yes_skips_the_question(project: Project) -> None:
    configure(project, "confirm: name")
    assert ASKED not in project.run("apply", "sandbox", "--yes").said
    said = project.run("apply", "sandbox", code=64).said
    assert "pass --yes to apply the plan" in " ".join(said.split())


def test_commands_of_the_state_ask_for_it_too(project: Project) -> None:
    project.run("apply", "sandbox", "--yes")
    project.people(*range(41))
    project.run("apply", "sandbox", "--yes")
    project.run("state", "export", "sandbox", "out.zip")
    configure(project, "confirm: name")
    serial, state = project.serial(), project.root / ".reconciler/state/sandbox"
    restore = ("state", "restore", "sandbox", "--serial", "1")
    assert project.at_terminal(*restore, typed="y\n").code == 130
    assert project.serial() == serial
    assert project.at_terminal(*restore, typed="sandbox\n").code == 0
    assert project.serial() != serial
    state.rename(state.with_name("lost"))
    rebuild = ("state", "rebuild", "sandbox", "--reuse")
    assert project.at_terminal(*rebuild, typed="y\n").code == 130
    assert not (state / "head.json").exists()
    assert project.at_terminal(*rebuild, typed="sandbox\n").code == 0
    assert (state / "head.json").exists()


def test_an_environment_at_criteo_asks_for_its_name(project: Project) -> None:
    """An import changes nothing at Criteo, so that it shows the default without a call."""
    project.run("apply", "sandbox", "--yes")
    project.run("state", "export", "sandbox", "out.zip")
    configure(project, endpoint="https://api.example.com")
    state = project.root / ".reconciler/state/sandbox"
    state.rename(state.with_name("elsewhere"))
    command = ("state", "import", "sandbox", "out.zip")
    refused = project.at_terminal(*command, typed="y\n")
    assert refused.code == 130
    assert "Import 2 addresses, as of 20" in refused.said
    assert ASKED in refused.said
    assert not (state / "head.json").exists()
    assert "pass --yes to import the state" in " ".join(project.run(*command, code=64).said.split())
    assert project.at_terminal(*command, typed="sandbox\n").code == 0
    assert (state / "head.json").exists()
