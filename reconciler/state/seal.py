"""Snapshots, exports and keys of a state, sealed with a key of the environment; plain ones stay readable."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from reconciler.core.errors import ConfigurationError, CorruptSnapshotError, StorageError
from reconciler.core.model import Environment
from reconciler.disk.atomic import os_errors, writing
from reconciler.disk.private_dir import private_directory
from reconciler.state.sealed_stream import (
    HEADER,
    PIECE,
    BrokenSealError,
    SealedKind,
    Sink,
    header_of,
    key_id,
    sealing,
    unseal,
)

Key = Callable[[], bytes]
"""Reads a key of 32 bytes when it is needed. ConfigurationError if it can't be read."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the state: `name` is what it is bound to, `shown` and `remedy` are what errors say."""

    kind: SealedKind
    name: str
    shown: str
    remedy: str

    def sealed_with(self, start: bytes) -> str:
        """Return the ID of the key that a file with this start is sealed with; "" for a plain file."""
        try:
            found = header_of(self.kind, start)
        except BrokenSealError:
            raise self.broken() from None
        return found.key_id if found else ""

    def key_of(self, source: IO[bytes]) -> str:
        """Return the same, and go back to the start of the file."""
        start = source.read(HEADER)
        source.seek(0)
        return self.sealed_with(start)

    def broken(self) -> StorageError:
        problem = f"{self.shown} is sealed, and damaged: it was cut off, altered, or is another file"
        error = CorruptSnapshotError if self.kind is SealedKind.SNAPSHOT else StorageError
        return error(problem, remedy=self.remedy)

    def unreadable(self, wanted: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.shown} is sealed with key {wanted}, and environment.yaml names no key of that ID",
            remedy="name that key as `snapshotKey` or in `earlierSnapshotKeys` of `state`",
        )


@dataclass(frozen=True, slots=True)
class Seal:
    """`current` seals what is written; None: it stays plain. `earlier` keys only open what they sealed."""

    current: Key | None = None
    earlier: tuple[Key, ...] = ()

    @classmethod
    def of(cls, environment: Environment, read: Callable[[str], bytes]) -> "Seal":
        """Return the seal of an environment. `read` returns the key of a reference."""

        def key(reference: str) -> Key:
            return lambda: read(reference)

        current = key(environment.snapshot_key) if environment.snapshot_key else None
        return cls(current, tuple(map(key, environment.earlier_snapshot_keys)))

    @property
    def is_used(self) -> bool:
        return bool(self.current or self.earlier)

    def check(self) -> None:
        """Read the key that seals, so that a missing key is found before anything is written."""
        if self.current:
            self.current()

    def current_id(self) -> str:
        """Return the ID of the key that seals; "" if new snapshots stay plain."""
        return key_id(self.current()) if self.current else ""

    @contextmanager
    def sealed(self, kind: SealedKind, name: str, target: Sink) -> Iterator[Sink]:
        """Return a file that seals what is written to it, or the target itself."""
        if self.current is None:
            yield target
            return
        with sealing(self.current(), kind, name, target) as sink:
            yield sink

    def open_into(self, file: StoredFile, source: IO[bytes], target: Sink) -> None:
        """Write the plain content of a file, sealed or not."""
        wanted = file.key_of(source)
        if not wanted:
            shutil.copyfileobj(source, target, PIECE)
            return
        key = self._key(file, wanted)
        try:
            unseal(key, file.kind, file.name, source, target)
        except BrokenSealError:
            raise file.broken() from None

    def rewrite(self, file: StoredFile, source: IO[bytes], target: Sink) -> None:
        """Write a file, sealed or not, as new files are written."""
        with self.sealed(file.kind, file.name, target) as sink:
            self.open_into(file, source, sink)

    def plain_copy(self, file: StoredFile, source: Path, folder: Path) -> Path:
        """Return the plain content of a file in a private folder of this process, written once."""
        copy = private_directory(folder) / file.name
        if not copy.exists():
            unfinished = unfinished_copy(copy)
            with reading(source) as stored, writing(unfinished) as target:
                self.open_into(file, stored, target)
            unfinished.replace(copy)
        return copy

    def pack(self, file: StoredFile, content: bytes) -> bytes:
        """Return the content of a small file as it is stored."""
        target = BytesIO()
        with self.sealed(file.kind, file.name, target) as sink:
            sink.write(content)
        return target.getvalue()

    def unpack(self, file: StoredFile, content: bytes) -> bytes:
        """Return the plain content of a small file."""
        target = BytesIO()
        self.open_into(file, BytesIO(content), target)
        return target.getvalue()

    def _key(self, file: StoredFile, wanted: str) -> bytes:
        """Return the key of an ID. An earlier key is only read for what it sealed."""
        for one in (self.current, *self.earlier):
            if one and key_id(key := one()) == wanted:
                return key
        raise file.unreadable(wanted)


PLAIN = Seal()


def unfinished_copy(file: Path) -> Path:
    """Return the name of a copy before it is checked, for this thread alone."""
    return file.with_suffix(f".{secrets.token_hex(4)}.unverified")


@contextmanager
def reading(file: Path) -> Iterator[IO[bytes]]:
    with os_errors("read", file):
        opened = file.open("rb")
    with opened:
        yield opened
