"""Read the state of one environment in a bucket; only verified snapshots are cached."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.core.erasure import ErasureList
from reconciler.core.errors import StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import DEFAULT_RETENTION, Retention
from reconciler.core.reuse import ReadRecords
from reconciler.core.series import SeriesMonth
from reconciler.core.state.codec import records_in, series_in, verifications_in
from reconciler.core.state.model import SnapshotSeals, StateHead, StateVersion, StateVersionInfo
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import Verifications
from reconciler.state.bucket_layout import BucketLayout, series_path
from reconciler.state.bucket_snapshots import BucketSnapshots
from reconciler.state.local_layout import KEY_LENGTH, SOURCES, VERIFICATIONS
from reconciler.state.seal import PLAIN, Seal
from reconciler.state.versions import absent, summaries


@dataclass(frozen=True, slots=True)
class StoreContext:
    """The clock, the retention, the seal, and folders: of snapshots in use, of states not stored yet."""

    now: Callable[[], datetime]
    wait: Callable[[float, str], None]
    cache: Callable[[], Path]
    leftovers: Path
    keep: Retention = DEFAULT_RETENTION
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    seal: Seal = PLAIN


class BucketReader:
    def __init__(self, objects: BucketLayout, around: StoreContext) -> None:
        self._objects = objects
        self._around = around
        self._snapshots = BucketSnapshots(objects.bucket, around.seal, around.cache)
        self._key = b""

    def head(self) -> StateHead | None:
        found = self._objects.head()
        return found.head if found else None

    def resources(self) -> tuple[ResourceState, ...]:
        found = self._objects.head()
        listed = self._objects.resources(found.addresses if found else ())
        return tuple(one.resource for one in listed if one.resource is not None)

    def snapshot_file(self, snapshot: SnapshotRef) -> str:
        return self._snapshots.file(snapshot)

    def seals(self) -> SnapshotSeals:
        return self._snapshots.seals()

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
        return self._objects.erasures()

    def versions(self) -> tuple[StateVersionInfo, ...]:
        return summaries(self._objects.saved())

    def version(self, serial: int) -> StateVersion:
        found = self._objects.saved_as(serial)
        if found is None:
            raise absent(serial, (one.serial for one in self.versions()))
        return found
