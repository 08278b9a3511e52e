"""Shared by `state export` and `state import`."""

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.core.state.model import StateVersion
from reconciler.disk.scratch_dir import ScratchDir
from reconciler.render.numbers import counted
from reconciler.workspace import Workspace

PERSONAL = "it holds members as they were sent, and the key of the state: personal data"


@contextmanager
def scratch_dir(space: Workspace) -> Iterator[ScratchDir]:
    """A private folder that is removed at the end."""
    scratch = ScratchDir(space.cache())
    try:
        yield scratch
    finally:
        scratch.remove()


def addresses(saved: StateVersion) -> str:
    """Return text such as "2 addresses"."""
    return counted(len(saved.resources), "address", "addresses")
