"""Shared by `state export` and `state import`."""

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.core.state.model import StateVersion
from reconciler.disk.scratch_dir import ScratchDir
from reconciler.render.numbers import counted
from reconciler.state.seal import Seal
from reconciler.workspace import Workspace

PERSONAL = "it holds members as they were sent, and the key of the state: personal data"
SEALED = f"it is sealed with the key of snapshots; {PERSONAL}"


@contextmanager
def scratch_dir(space: Workspace) -> Iterator[ScratchDir]:
    """A private folder that is removed at the end."""
    scratch = ScratchDir(space.cache())
    try:
        yield scratch
    finally:
        scratch.remove()


def personal(seal: Seal) -> str:
    """Return what an export of this environment is."""
    return SEALED if seal.current else PERSONAL


def addresses(saved: StateVersion) -> str:
    """Return text such as "2 addresses"."""
    return counted(len(saved.resources), "address", "addresses")
