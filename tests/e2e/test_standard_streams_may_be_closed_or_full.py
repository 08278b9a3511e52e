"""Exit codes do not depend on standard input and standard error."""

import subprocess
from pathlib import Path

import pytest
from support.cli import Project, surroundings

pytestmark = pytest.mark.promise("faults")

UNANSWERABLE = [
    ("apply", "sandbox"),
    ("state", "restore", "sandbox", "--serial", "1"),
    ("state", "rebuild", "sandbox", "--replace"),
]


def redirected(project: Project, how: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command with redirections as a shell writes them."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {how}', "sh", *project.command(*arguments)],
        cwd=project.root,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("how", ["<&-", "</dev/null"])
@pytest.mark.parametrize("command", UNANSWERABLE, ids=" ".join)
def test_a_prompt_without_a_terminal_is_a_usage_error(
    tmp_path: Path, command: tuple[str, ...], how: str
) -> None:
    project = Project.make(tmp_path)
    project.people(1, 2)
    ended = redirected(project, how, *command)
    assert (ended.returncode, "pass --yes" in ended.stderr) == (64, True), ended.stderr


def test_login_without_standard_input_names_what_is_missing(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    ended = redirected(project, "<&-", "auth", "login", "sandbox", "criteo")
    assert (ended.returncode, "bug" in ended.stderr) == (3, False), ended.stderr


@pytest.mark.parametrize("how", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize(
    ("command", "code"),
    [(("plan", "nosuch"), 3), (("plan", "--nosuch"), 64), (("apply", "sandbox"), 64), (("validate",), 0)],
    ids=["error", "wrong option", "question", "no error"],
)
def test_standard_error_that_takes_nothing_changes_no_exit_code(
    tmp_path: Path, command: tuple[str, ...], code: int, how: str
) -> None:
    project = Project.make(tmp_path)
    project.people(1, 2)
    assert redirected(project, how, *command).returncode == code


def test_an_apply_completes_with_a_full_standard_error(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    project.people(1, 2)
    ended = redirected(project, "2>/dev/full", "apply", "sandbox", "--yes", "--verbose")
    assert (ended.returncode, len(project.members("email"))) == (0, 2)
