"""Criteo's own SDK, in three versions, accepts every response of the emulator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.promise("emulator-is-criteo")
HERE = Path(__file__).parent
ROOT = HERE.parent.parent
VERSIONS = sorted(pins.stem for pins in HERE.glob("*.txt"))
FEWEST = 80
"""Checks of one version, at least: fewer would mean that some were not found."""


def drive(version: str, *options: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: what is on its path must be one version and what that one needs."""
    folder = ROOT / ".sdk" / version
    assert folder.is_dir(), f"the SDK {version} is not installed: run `make sdk`"
    alone = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--no-header", "--tb=short"]
    old = ["-W", "ignore:datetime.datetime.utc:DeprecationWarning"]  # the SDK's, from Python 3.12 on
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *alone, *old, str(HERE / "drive_every_call.py"), *options],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_three_versions_are_driven() -> None:
    """The two that Criteo supports, and the next one."""
    assert VERSIONS == ["2026.1", "2026.7", "2027.1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sdk_drives_every_audience_call(version: str) -> None:
    """In success, partial failure and refusal, with its checks on; see `drive_every_call.py`."""
    driven = drive(version)
    assert driven.returncode == 0, driven.stdout[-4000:] + driven.stderr[-1000:]
    passed, _, rest = driven.stdout.splitlines()[-1].partition(" passed in ")
    assert rest, driven.stdout[-4000:]
    assert int(passed) >= FEWEST


def test_an_emulator_that_is_wrong_is_found_out() -> None:
    """The SDK tests fail on an emulator with one attribute of a wrong type."""
    driven = drive(
        "2026.7", "-p", "sdk.wrong_emulator", "--wrong", "channels", "-k", "test_it_succeeds", "-x"
    )
    assert driven.returncode == 1, driven.stdout[-4000:] + driven.stderr[-1000:]
    assert "ApiTypeError: Invalid type for variable 'channels'" in driven.stdout
