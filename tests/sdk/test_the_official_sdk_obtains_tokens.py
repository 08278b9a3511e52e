"""Criteo's own SDK, in three versions, gets its tokens from the emulator by all three grants."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
VERSIONS = sorted(pins.stem for pins in HERE.glob("*.txt"))
CHECKS = 7


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sdk_obtains_tokens(version: str) -> None:
    """In a process of its own, as in `test_the_official_sdk_drives_the_emulator.py`."""
    folder = ROOT / ".sdk" / version
    assert folder.is_dir(), f"the SDK {version} is not installed: run `make sdk`"
    alone = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--no-header", "--tb=short"]
    old = ["-W", "ignore:datetime.datetime.utc:DeprecationWarning"]  # the SDK's, from Python 3.12 on
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    obtained = subprocess.run(
        [sys.executable, "-m", "pytest", *alone, *old, str(HERE / "obtain_tokens.py")],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert obtained.returncode == 0, obtained.stdout[-4000:] + obtained.stderr[-1000:]
    passed, _, rest = obtained.stdout.splitlines()[-1].partition(" passed in ")
    assert rest, obtained.stdout[-4000:]
    assert int(passed) == CHECKS
