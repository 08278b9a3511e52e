"""Checks snapshots against their names, one at a time, without a source and without members in memory."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Self

from reconciler.core.members import SnapshotRef
from reconciler.disk.scratch_dir import ScratchDir
from reconciler.members.database import connect, storage_errors
from reconciler.members.snapshots import Snapshots


class SnapshotVerifier:
    """`key` is the one of the state that the snapshots are from, `fetch` brings one of them."""

    def __init__(
        self, work: Path, fetch: Callable[[SnapshotRef], str], key: bytes, memory_limit: str = "1GB"
    ) -> None:
        with storage_errors("starting DuckDB"):
            self._scratch = ScratchDir(work.resolve())
            folder = self._scratch.folder
            self._database = connect((folder,), folder, memory_limit)
        self._snapshots = Snapshots(folder, fetch, key)
        self._last: SnapshotRef | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._scratch.remove()

    def file(self, snapshot: SnapshotRef) -> str:
        """A checked copy, which the next call removes. DamagedError for a wrong one."""
        if self._last:
            self._snapshots.discard(self._last)
        self._last = snapshot
        with storage_errors("checking a snapshot"), contextlib.closing(self._database.cursor()) as cursor:
            return str(self._snapshots.path(cursor, snapshot))
