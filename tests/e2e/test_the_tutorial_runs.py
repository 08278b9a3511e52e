"""The shell blocks of the tutorial and of the drift simulation run in order."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import REPOSITORY
from support.docs_shell import of_page, printed, shell


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block printed; the first one installs reconciler, which is installed here already."""
    folder = tmp_path_factory.mktemp("tutorial")
    first, *rest = of_page("docs/tutorial.md")
    assert "pip install" in first
    return printed(folder, rest)


def test_every_block_does_what_the_text_says(steps: list[str]) -> None:
    created, planned, applied, changed, approved, looked_at = steps
    assert "reconciler plan sandbox" in created
    assert "no problems" in planned
    assert "2 to create" in planned
    assert "2 applied" in applied
    assert "No changes." in applied
    assert "Lapsed buyers, 3 months" in changed
    assert "2 to update" in changed
    assert "2 applied" in approved
    assert "lapsed-90d" in looked_at


def test_drift_is_simulated_as_the_page_says(tmp_path: Path) -> None:
    """The steps on a served emulator; the two values that a user looks up come from the state."""
    variables, rename, clear = of_page("docs/how-to/simulate-drift.md")
    shell(tmp_path, "reconciler init audiences && reconciler -C audiences apply sandbox --yes")
    project = tmp_path / "audiences"
    state = json.loads(shell(project, "reconciler state show sandbox --json"))
    segment = next(one["segment_id"] for one in state["addresses"])
    account = "368477501993431040"
    assert account in (project / "environments/sandbox/environment.yaml").read_text(encoding="utf-8")
    served = [sys.executable, "-m", "reconciler", "emulator", "serve", "sandbox", "--port", "0"]
    with subprocess.Popen(
        served, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            line = next(one for one in server.stdout or () if "http://" in one)
            url = "http://" + line.partition("http://")[2].split()[0]
            script = (variables + rename + clear).replace("http://127.0.0.1:8399", url)
            script = script.replace("ACCOUNT=…", f"ACCOUNT={account}").replace(
                "SEGMENT=…", f"SEGMENT={segment}"
            )
            shell(project, script)
        finally:
            server.terminate()
    assert "Renamed by hand" in shell(project, "reconciler drift sandbox || test $? = 2")
    assert "Renamed by hand" in shell(project, "reconciler plan sandbox")
    shell(project, "reconciler emulator advance sandbox 1d")
    assert "and counts 0" in " ".join(shell(project, "reconciler drift sandbox || test $? = 2").split())
    assert "too few arrived" in shell(project, "reconciler verify sandbox || test $? = 5")


def test_the_demo_of_the_readme_is_this_one() -> None:
    assert any("make demo" in one for one in of_page("README.md"))
    assert (REPOSITORY / "examples" / "demo.sh").exists()
