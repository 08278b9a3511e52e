"""Manifests as they were in a revision of git. It reads the repository, and changes nothing in it."""

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import ConfigurationError
from reconciler.manifests.load import load_without_sources
from reconciler.manifests.project import environments

OPTION = "--base"


def load_at(root: Path, environment: str, revision: str) -> DesiredState | None:
    """Return the desired state at the merge base of `revision` and HEAD, for comparison.

    In a shallow clone without a merge base, the revision itself is used. Returns None if the environment did
    not exist or its manifests were invalid. ConfigurationError if git does not know the revision.
    """
    commit = _commit(root, revision)
    with _exported(root, environment, _began(root, commit)) as folder:
        if environment not in environments(folder):
            return None
        try:
            return load_without_sources(folder, environment)
        except ConfigurationError:
            return None


def _commit(root: Path, revision: str) -> str:
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found is None:
        raise ConfigurationError(
            f"{OPTION}: git finds no such revision here",
            remedy="name a branch or commit of this repository; in CI, fetch it before",
        )
    return found.decode().strip()


def _began(root: Path, commit: str) -> str:
    found = _git(root, "merge-base", commit, "HEAD")
    return found.decode().strip() if found else commit


@contextmanager
def _exported(root: Path, environment: str, commit: str) -> Iterator[Path]:
    """A folder with the environment as it was."""
    with tempfile.TemporaryDirectory(prefix="reconciler-base-") as folder:
        packed = _git(root, "archive", "--format=tar", commit, "--", f"environments/{environment}")
        if packed:
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(folder, filter="data")
        yield Path(folder)


def _git(root: Path, *arguments: str) -> bytes | None:
    """Return the output of git; None if it fails. Its error text may repeat the input, so it is dropped."""
    program = shutil.which("git")
    if program is None:
        raise ConfigurationError(f"{OPTION}: git isn't installed", remedy="install git, or leave it out")
    done = subprocess.run(  # noqa: S603 - no shell, and no argument can be taken for an option
        [program, "-C", str(root), *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else None
