"""A shell completes commands, environments and addresses from the manifests, and never complains."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Project, surroundings


def completed(project: Project, *words: str) -> list[str]:
    """What bash is offered for the last of these words."""
    line = " ".join(["reconciler", *words])
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv[0] = 'reconciler'; from reconciler.cli import main; main()",
        ],
        cwd=project.root,
        env=surroundings(_RECONCILER_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return [one.partition(",")[2] for one in done.stdout.splitlines() if one]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.make(tmp_path)


def test_commands_and_options(project: Project):
    assert completed(project, "val") == ["validate"]
    assert "--detailed-exitcode" in completed(project, "plan", "--det")


@pytest.mark.parametrize("command", [("plan",), ("apply",), ("state", "lock", "list"), ("validate",)])
def test_environments(project: Project, command: tuple[str, ...]):
    assert completed(project, *command, "sa") == ["sandbox"]


def test_addresses_and_credentials(project: Project):
    assert completed(project, "plan", "sandbox", "--only", "cu") == ["customer/buyers"]
    assert completed(project, "explain", "sandbox", "e") == ["email/buyers"]
    assert completed(project, "auth", "status", "sandbox", "c") == ["criteo"]


def test_where_nothing_can_be_known_nothing_is_said(project: Project):
    assert completed(project, "explain", "nowhere", "e") == []
    (project.root / "environments/sandbox/buyers.yaml").write_text("kind: [Audience\n\t")
    assert completed(project, "explain", "sandbox", "e") == []
    shutil.rmtree(project.root / "environments")
    assert completed(project, "plan", "sa") == []


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
