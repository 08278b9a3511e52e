"""The snapshots of a state in a directory: sealed or plain, each replaced as a whole."""

from collections.abc import Callable
from pathlib import Path

from reconciler.core.errors import CorruptSnapshotError
from reconciler.core.members import SnapshotRef
from reconciler.core.state.model import SnapshotSeals
from reconciler.disk.atomic import names_in, os_errors, writing
from reconciler.state.local_layout import GO_BACK, LocalLayout
from reconciler.state.seal import Seal, StoredFile, reading
from reconciler.state.sealed_stream import HEADER, SealedKind


class LocalSnapshots:
    """`opened` is a private folder of this process, for the plain content of sealed snapshots."""

    def __init__(self, files: LocalLayout, seal: Seal, opened: Callable[[], Path]) -> None:
        self._files = files
        self._seal = seal
        self._opened = opened

    def file(self, snapshot: SnapshotRef) -> str:
        """Return a plain file: the stored one if no key is named, otherwise a private copy."""
        if not snapshot:
            raise AssertionError("an empty set has no snapshot")
        file, stored = self._files.snapshot_file(snapshot.digest), self._stored(snapshot.digest)
        with os_errors("read", file):
            there = file.is_file() and file.stat().st_size
        if not there:
            raise CorruptSnapshotError(
                f"{file}: a snapshot is missing",
                remedy=f"if another run was writing meanwhile, run again; if not, {GO_BACK}",
            )
        if self._seal.is_used:
            return str(self._seal.plain_copy(stored, file, self._opened()))
        with reading(file) as source:
            if wanted := stored.key_of(source):
                raise stored.unreadable(wanted)
        return str(file)

    def store(self, digest: str, file: Path) -> None:
        """Copy a snapshot, unless it is there. A link would share later changes to the engine's cache."""
        kept = self._files.snapshot_file(digest)
        with os_errors("look for", kept):
            there = kept.exists()
        if not there or self._key_of(digest) != self._seal.current_id():
            self._write(digest, file)

    def reseal(self, digest: str) -> None:
        self._write(digest, self._files.snapshot_file(digest))

    def seals(self) -> SnapshotSeals:
        names = sorted(names_in(self._files.snapshots))
        return SnapshotSeals(self._seal.current_id(), {name: self._key_of(name) for name in names})

    def _write(self, digest: str, source: Path) -> None:
        with reading(source) as content, writing(self._files.snapshot_file(digest)) as target:
            self._seal.rewrite(self._stored(digest), content, target)

    def _key_of(self, digest: str) -> str | None:
        try:
            with reading(self._files.snapshot_file(digest)) as source:
                return self._stored(digest).sealed_with(source.read(HEADER))
        except CorruptSnapshotError:
            return None

    def _stored(self, digest: str) -> StoredFile:
        return StoredFile(SealedKind.SNAPSHOT, digest, str(self._files.snapshot_file(digest)), GO_BACK)
