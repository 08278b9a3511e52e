"""Manifests as they were in a revision of git. It reads the repository, and changes nothing in it."""

import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import ConfigurationError
from reconciler.git import history
from reconciler.git.program import Git, find_git
from reconciler.manifests.load import load_without_sources
from reconciler.manifests.project import environments, within_repository

OPTION = "--base"
NEEDS = (2, 24)
"""The first git that knows `--end-of-options` (its release notes)."""


def load_at(root: Path, environment: str, revision: str) -> DesiredState | None:
    """Return the desired state at the merge base of `revision` and HEAD, for comparison.

    In a shallow clone without a merge base, the revision itself is used. Returns None if the environment did
    not exist or its manifests were invalid. ConfigurationError if git does not know the revision.
    """
    git = find_git(root, NEEDS, f"`{OPTION}`")
    commit = history.commit_of(git, revision)
    if not commit:
        raise ConfigurationError(
            f"{OPTION}: git finds no such revision here",
            remedy="name a branch or commit of this repository; in CI, fetch it before",
        )
    began = history.merge_base(git, commit, "HEAD") or commit
    with _exported(git, root, environment, began) as folder:
        if environment not in environments(folder):
            return None
        try:
            return load_without_sources(folder, environment)
        except ConfigurationError:
            return None


@contextmanager
def _exported(git: Git, root: Path, environment: str, commit: str) -> Iterator[Path]:
    """A project with the environment as it was."""
    within = within_repository(root)
    with tempfile.TemporaryDirectory(prefix="reconciler-base-") as folder:
        packed = git.ask("archive", "--format=tar", commit, "--", f"{within}environments/{environment}")
        if packed.code == 0:
            with tarfile.open(fileobj=io.BytesIO(packed.output)) as archive:
                archive.extractall(folder, filter="data")
        yield Path(folder) / within
