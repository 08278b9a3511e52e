"""A state in one file, for export and import: its document, its key, and the snapshots it names."""

import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import IO, cast

from reconciler.core.erasure import ErasureList
from reconciler.core.errors import StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.ports import StateWriter
from reconciler.core.state.codec import decode_state, dump, encode_state, parse
from reconciler.core.state.model import StateHead, StateVersion
from reconciler.disk.atomic import os_errors, writing
from reconciler.state.erasure_files import KEYS as ERASURE_KEYS
from reconciler.state.erasure_files import LIST as ERASURE_LIST
from reconciler.state.erasure_files import erasure_list, keys_content, list_content
from reconciler.state.local_layout import KEY_LENGTH, occupied
from reconciler.state.seal import PLAIN, Seal, StoredFile, reading
from reconciler.state.sealed_stream import HEADER, BrokenSealError, SealedKind, header_of

_AGAIN = "copy it once more, or export again: `reconciler state export ENV FILE`"
_EXPORT = StoredFile(SealedKind.EXPORT, "export", "the file", _AGAIN)
STATE, KEY, SUMS = "state.json", "key", "sums.json"
LARGEST_DOCUMENT = 256 << 20
"""Bytes of the state, and of the list of checksums: both are held in memory."""
_BROKEN = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError)


def write_archive(
    path: Path,
    saved: StateVersion,
    key: bytes,
    erasures: ErasureList,
    checked: Callable[[SnapshotRef], str],
    noted: Callable[[Path], None],
    seal: Seal = PLAIN,
) -> None:
    """Write the archive completely or not at all, for its owner only; replaces nothing but an earlier export.

    `checked` returns the file of a snapshot after its content matched its name; `noted` receives the path of
    the unfinished file before it exists.
    """
    with os_errors("look for", path):
        there = path.exists()
    if there:
        _check_regular(path)
    if there and not _is_ours(path):
        raise StorageError(
            "there is a file of that name that is no export of a state", remedy="name another file"
        )
    sums = {}
    with (
        writing(path, noted) as file,
        seal.sealed(_EXPORT.kind, _EXPORT.name, file) as sink,
        zipfile.ZipFile(cast(IO[bytes], sink), "w", strict_timestamps=False) as archive,
    ):
        archive.writestr(STATE, dump(encode_state(saved)))
        archive.writestr(KEY, key)
        if erasures.keys:
            archive.writestr(ERASURE_LIST, list_content(erasures))
            archive.writestr(ERASURE_KEYS, keys_content(erasures))
        for snapshot in _ordered(saved):
            source = Path(checked(snapshot))
            archive.write(source, _entry(snapshot.digest))
            sums[snapshot.digest] = _sum_of(source)
        archive.writestr(SUMS, json.dumps(sums))


class Archive:
    """An export opened for reading. Names in it are never used as paths."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        with _whole():
            self.state = _saved_state(self._read(STATE))
            self.key = self._read(KEY)
            self.erasures = erasure_list(self._optional(ERASURE_LIST), lambda: self._optional(ERASURE_KEYS))
            self._sums = json.loads(self._read(SUMS))
            if len(self.key) != KEY_LENGTH or not isinstance(self._sums, dict):
                raise ValueError

    def _read(self, name: str) -> bytes:
        if self._archive.getinfo(name).file_size > LARGEST_DOCUMENT:
            raise _too_large(f"{name} in it has more than {LARGEST_DOCUMENT >> 20} MiB")
        return self._archive.read(name)

    def _optional(self, name: str) -> bytes | None:
        """An export of a state without erasures has no list."""
        return self._read(name) if name in self._archive.namelist() else None

    def extract(self, snapshot: SnapshotRef, folder: Path) -> Path:
        """Extract a file and compare its checksum."""
        file = folder / hashlib.sha256(snapshot.digest.encode()).hexdigest()
        with _whole():
            with self._archive.open(_entry(snapshot.digest)) as source, writing(file) as target:
                shutil.copyfileobj(source, target)
            if self._sums.get(snapshot.digest) != _sum_of(file):
                raise ValueError
        return file


def import_archive(
    saved: StateVersion,
    key: bytes,
    state: StateWriter,
    environment: str,
    checked: Callable[[SnapshotRef], str],
    check: Callable[[], None],
) -> StateHead:
    """Import into an empty state, or resume an earlier attempt.

    Returns the head of the state: that of the archive if this state is already there.

    Snapshots come first, so that no resource state exists without them. `checked` extracts a snapshot after
    its content matched its name under the archive's key.
    """
    if saved.head.environment != environment:
        raise StorageError(
            f"the file holds the state of {saved.head.environment}, not of {environment}",
            remedy="import it into the environment that it was exported from",
        )
    there = state.head()
    if there == saved.head and set(state.resources()) == set(saved.resources):
        return there
    if there and there.lineage == saved.head.lineage and there.serial > saved.head.serial + 1:
        raise _older(saved.head, there)
    head = replace(saved.head, serial=saved.head.serial + 1)
    if there not in {None, head} or not set(state.resources()) <= set(saved.resources):
        raise occupied()
    for snapshot in _ordered(saved):
        check()
        state.store_snapshot(snapshot, checked(snapshot))
    state.initialize(head, key)
    for resource in saved.resources:
        state.write(resource)
    return head


def _older(saved: StateHead, there: StateHead) -> StorageError:
    return StorageError(
        f"this state is here already, at serial {there.serial}; the file holds it at serial {saved.serial}",
        remedy=f"to go back: `reconciler state history {there.environment}` lists versions, "
        f"`reconciler state restore {there.environment} --serial N` restores one",
    )


def plain_export(path: Path, seal: Seal, folder: Path) -> Path:
    """Return the file itself, or the content of a sealed one in a private folder."""
    _check_readable(path)
    with reading(path) as file:
        is_sealed = bool(_EXPORT.key_of(file))
    return seal.plain_copy(_EXPORT, path, folder) if is_sealed else path


@contextmanager
def unpacking(path: Path) -> Iterator[Archive]:
    _check_readable(path)
    with os_errors("read", path):
        file = path.open("rb")
    with file:
        with _whole():
            archive = zipfile.ZipFile(file)
        with archive:
            _check_sizes(archive, path)
            yield Archive(archive)


def _check_readable(path: Path) -> None:
    with os_errors("read", path):
        path.stat()
    _check_regular(path)


def _check_regular(path: Path) -> None:
    """Refuse a pipe or a device, which may block."""
    if not path.is_file():
        raise StorageError(f"{path} is not a regular file", remedy="name a file on a disk")


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """Check that the entries are not larger than the file: an export is not compressed."""
    entries = archive.infolist()
    if any(one.compress_type != zipfile.ZIP_STORED for one in entries):
        raise _too_large("its entries are compressed, and those of an export never are")
    with os_errors("look at", path):
        size = path.stat().st_size
    if sum(max(one.file_size, one.compress_size) for one in entries) > size:
        raise _too_large("its entries add up to more than the file")


def _too_large(problem: str) -> StorageError:
    return StorageError(
        f"the file is no export of a state: {problem}",
        remedy="export again: `reconciler state export ENV FILE`; don't compress the file",
    )


def _ordered(saved: StateVersion) -> list[SnapshotRef]:
    return sorted(saved.references, key=attrgetter("digest"))


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if header_of(SealedKind.EXPORT, file.read(HEADER)):
                return True
        with zipfile.ZipFile(path) as archive:
            return {STATE, KEY, SUMS} <= set(archive.namelist())
    except (*_BROKEN, BrokenSealError, OSError):
        return False


@contextmanager
def _whole() -> Iterator[None]:
    try:
        yield
    except _BROKEN:
        raise StorageError(
            "the file is no whole export of a state",
            remedy=_AGAIN,
        ) from None


def _saved_state(content: bytes) -> StateVersion:
    try:
        return decode_state(parse(content))
    except StorageError as error:
        raise StorageError(f"{STATE} in the file: {error.problem}", remedy=error.remedy or _AGAIN) from None


def _entry(digest: str) -> str:
    return f"snapshots/{digest}"


def _sum_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
