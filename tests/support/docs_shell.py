"""Runs the shell blocks of a page of the documentation, as a reader types them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.docs_blocks import blocks

BASH = shutil.which("bash") or "/bin/bash"
MARK = "=== next block ==="


def shell(folder: Path, script: str, **environ: str) -> str:
    """What the script prints; it ends at the first command that fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [BASH, "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def of_page(name: str) -> list[str]:
    """Return the shell blocks of a page, in order."""
    return [one.text for one in blocks() if one.where.startswith(f"{name}:") and one.language == "sh"]


def printed(folder: Path, scripts: list[str], **environ: str) -> list[str]:
    """Run blocks in one shell, and return what each printed."""
    return shell(folder, f"\necho '{MARK}'\n".join(scripts), **environ).split(MARK)
