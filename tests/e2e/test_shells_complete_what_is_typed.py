"""A shell completes commands, environments and addresses from the manifests, without error output."""

import shutil
import subprocess
from pathlib import Path

import pytest
from support.cli import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.make(tmp_path)


def test_commands_and_options(project: Project):
    assert project.completed("val") == ["validate"]
    assert "--detailed-exitcode" in project.completed("plan", "--det")


@pytest.mark.parametrize("command", [("plan",), ("apply",), ("state", "lock", "list"), ("validate",)])
def test_environments(project: Project, command: tuple[str, ...]):
    assert project.completed(*command, "sa") == ["sandbox"]


def test_addresses_and_credentials(project: Project):
    assert project.completed("plan", "sandbox", "--only", "cu") == ["customer/buyers"]
    assert project.completed("explain", "sandbox", "e") == ["email/buyers"]
    assert project.completed("auth", "status", "sandbox", "c") == ["criteo"]


def test_where_nothing_can_be_known_nothing_is_said(project: Project):
    assert project.completed("explain", "nowhere", "e") == []
    (project.root / "environments/sandbox/buyers.yaml").write_text("kind: [Audience\n\t")
    assert project.completed("explain", "sandbox", "e") == []
    shutil.rmtree(project.root / "environments")
    assert project.completed("plan", "sa") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_the_shells(project: Project, shell: str):
    said = project.run("completion", shell).said
    assert f"_RECONCILER_COMPLETE={shell}_complete" in said.replace('"', "")


def test_bash_takes_the_script(project: Project):
    script = project.run("completion", "bash").said
    bash = shutil.which("bash") or pytest.skip("no bash here")
    done = subprocess.run(
        [bash, "-c", f"{script}\ncomplete -p reconciler"], capture_output=True, text=True, check=False
    )
    assert "_reconciler_completion" in done.stdout
