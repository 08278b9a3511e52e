"""Read the state of one environment in a bucket; only verified snapshots are cached."""

import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.buckets.bucket import Bucket
from reconciler.core.erasure import ErasureList
from reconciler.core.errors import CorruptSnapshotError, StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import DEFAULT_RETENTION, Retention
from reconciler.core.reuse import ReadRecords
from reconciler.core.series import SeriesMonth
from reconciler.core.state.codec import records_in, series_in, verifications_in
from reconciler.core.state.model import StateHead, StateVersion, StateVersionInfo
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import Verifications
from reconciler.disk.private_dir import private_directory
from reconciler.state.bucket_layout import GO_BACK, RESTORE, SNAPSHOTS, BucketLayout, series_path
from reconciler.state.erasure_files import KEYS, LIST, erasure_list
from reconciler.state.local_layout import KEY_LENGTH, SOURCES, VERIFICATIONS, is_digest
from reconciler.state.versions import absent, summaries


@dataclass(frozen=True, slots=True)
class StoreContext:
    """The clock, the retention, and folders: of snapshots being read, of resource states not stored yet."""

    now: Callable[[], datetime]
    wait: Callable[[float, str], None]
    cache: Callable[[], Path]
    leftovers: Path
    keep: Retention = DEFAULT_RETENTION
    random_bytes: Callable[[int], bytes] = secrets.token_bytes


class BucketReader:
    def __init__(self, objects: BucketLayout, around: StoreContext) -> None:
        self._objects = objects
        self._around = around
        self._key = b""

    def head(self) -> StateHead | None:
        found = self._objects.head()
        return found.head if found else None

    def resources(self) -> tuple[ResourceState, ...]:
        found = self._objects.head()
        listed = self._objects.resources(found.addresses if found else ())
        return tuple(one.resource for one in listed if one.resource is not None)

    def snapshot_file(self, snapshot: SnapshotRef) -> str:
        """Download a snapshot once and compare its checksum."""
        if not snapshot:
            raise AssertionError("an empty set has no snapshot")
        path = snapshot_path(snapshot)
        file = private_directory(self._around.cache()) / snapshot.digest
        if not file.exists():
            unverified = file.with_suffix(f".{secrets.token_hex(4)}.unverified")  # of this thread alone
            if not self._objects.bucket.download(path, unverified):
                raise CorruptSnapshotError(f"{path} is missing", remedy=GO_BACK)
            _verify(self._objects.bucket, path, unverified)
            unverified.replace(file)
        return str(file)

    def key(self) -> bytes:
        self._key = self._key or self._objects.key() or self._around.random_bytes(KEY_LENGTH)
        return self._key

    def read_records(self) -> ReadRecords:
        with suppress(StorageError):
            found = self._objects.bucket.read(SOURCES)
            return records_in(found.content if found else None)
        return ReadRecords()

    def verifications(self) -> Verifications:
        found = self._objects.bucket.read(VERIFICATIONS)
        return verifications_in(found.content if found else None)

    def series(self, month: str) -> SeriesMonth:
        found = self._objects.bucket.read(series_path(month))
        return series_in(found.content if found else None, month)

    def erasures(self) -> ErasureList:
        def read(path: str) -> bytes | None:
            found = self._objects.bucket.read(path)
            return found.content if found else None

        return erasure_list(read(LIST), lambda: read(KEYS))

    def versions(self) -> tuple[StateVersionInfo, ...]:
        return summaries(self._objects.saved())

    def version(self, serial: int) -> StateVersion:
        found = self._objects.saved_as(serial)
        if found is None:
            raise absent(serial, (one.serial for one in self.versions()))
        return found


def snapshot_path(snapshot: SnapshotRef) -> str:
    if not is_digest(snapshot.digest):
        raise StorageError("a snapshot has a name that is no digest", remedy=RESTORE)
    return f"{SNAPSHOTS}/{snapshot.digest}"


def _verify(bucket: Bucket, path: str, file: Path) -> None:
    expected = bucket.read(f"{path}.sha256")
    if expected is None or expected.content != sum_of(file):
        file.unlink()
        raise CorruptSnapshotError(f"{path} is cut off or damaged", remedy=GO_BACK)


def sum_of(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest().encode()
