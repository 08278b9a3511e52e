"""The next command removes the members that a killed command left outside the state."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.cli import Project, surroundings

pytestmark = pytest.mark.promise("private")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.make(tmp_path / "project")
    made.people(*range(200_000))
    made.run("apply", "sandbox", "--yes")
    return made


def killed(project: Project, folder: Path, *arguments: str) -> list[Path]:
    """What is there in a folder when a command is killed as soon as it writes there; [] if it was faster."""
    process = subprocess.Popen(
        project.command(*arguments),
        cwd=project.root,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not any(path.stat().st_size for path in _files(folder)):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    return _files(folder) if process.returncode == -signal.SIGKILL else []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != "state.zip"]


@pytest.mark.parametrize("following", [("plan", "sandbox"), ("state", "show", "sandbox")], ids=" ".join)
def test_the_next_command_removes_a_killed_export(project, tmp_path, following):
    folder = tmp_path / "somewhere else"
    folder.mkdir()
    for _ in range(10):
        if killed(project, folder, "state", "export", "sandbox", str(folder / "state.zip")):
            break
    else:
        raise AssertionError("it was never struck in mid-export")
    project.run(*following)
    assert _files(folder) == []


@pytest.mark.parametrize("kind", ["scratch-", "snapshots-", "sources-"])
def test_any_command_removes_private_folders_of_killed_runs(tmp_path, kind):
    """Downloads of a killed command are removed, also by a command that uses no bucket."""
    project = Project.make(tmp_path)
    left = project.root / ".reconciler" / "cache" / "sandbox" / f"{kind}left"
    left.mkdir(mode=0o700, parents=True)
    (left / "lock").touch(mode=0o600)
    (left / "people.csv").write_text("email\nsomebody@example.com\n")
    project.run("state", "show", "sandbox")
    assert not left.exists()
