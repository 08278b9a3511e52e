"""The snapshots of a state in a bucket: sealed or plain, each with a checksum that is written after it."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from reconciler.buckets.bucket import Bucket
from reconciler.core.errors import CorruptSnapshotError, StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.state.model import SnapshotSeals
from reconciler.disk.atomic import writing
from reconciler.disk.private_dir import private_directory
from reconciler.state.bucket_layout import GO_BACK, READERS, RESTORE, SNAPSHOTS
from reconciler.state.local_layout import is_digest
from reconciler.state.seal import Seal, StoredFile, reading, unfinished_copy
from reconciler.state.sealed_stream import HEADER, SealedKind

SUM = ".sha256"


class BucketSnapshots:
    """`folder` is a private folder of this process, for snapshots while they are read and written."""

    def __init__(self, bucket: Bucket, seal: Seal, folder: Callable[[], Path]) -> None:
        self._bucket = bucket
        self._seal = seal
        self._folder = folder

    def file(self, snapshot: SnapshotRef) -> str:
        """Download a snapshot once, and compare its checksum or open its seal."""
        if not snapshot:
            raise AssertionError("an empty set has no snapshot")
        stored = _stored(snapshot.digest)
        file = private_directory(self._folder()) / snapshot.digest
        if not file.exists():
            with self._downloaded(stored) as (downloaded, wanted):
                if not wanted:
                    downloaded.replace(file)
                elif not self._seal.is_used:
                    raise stored.unreadable(wanted)
                else:
                    self._seal.plain_copy(stored, downloaded, file.parent)
        return str(file)

    def store(self, digest: str, file: Path) -> None:
        """Upload a snapshot. The checksum is that of the object, sealed or not."""
        if self._seal.current:
            self._rewrite(_stored(digest), file)
        else:
            self._upload(_stored(digest), file)

    def reseal(self, digest: str) -> None:
        with self._downloaded(_stored(digest)) as (downloaded, _):
            self._rewrite(_stored(digest), downloaded)

    def seals(self) -> SnapshotSeals:
        digests = sorted(name for name in self._bucket.names(SNAPSHOTS) if not name.endswith(SUM))
        with ThreadPoolExecutor(READERS) as pool:
            return SnapshotSeals(
                self._seal.current_id(), dict(zip(digests, pool.map(self._key_of, digests), strict=True))
            )

    def _key_of(self, digest: str) -> str | None:
        try:
            stored = _stored(digest)
            return stored.sealed_with(self._bucket.read_start(stored.shown, HEADER) or b"")
        except CorruptSnapshotError:
            return None

    @contextmanager
    def _downloaded(self, stored: StoredFile) -> Iterator[tuple[Path, str]]:
        """Download an object. Return the file, and the ID of its key; "" if it is plain and whole.

        A plain object is read once more: it may have been sealed before its checksum was read.
        """
        file = unfinished_copy(private_directory(self._folder()) / stored.name)
        try:
            for _ in range(2):
                if not self._bucket.download(stored.shown, file):
                    raise CorruptSnapshotError(f"{stored.shown} is missing", remedy=GO_BACK)
                with reading(file) as content:
                    wanted = stored.key_of(content)
                if wanted or self._is_whole(stored, file):
                    break
            else:
                raise CorruptSnapshotError(f"{stored.shown} is cut off or damaged", remedy=GO_BACK)
            yield file, wanted
        finally:
            file.unlink(missing_ok=True)

    def _is_whole(self, stored: StoredFile, file: Path) -> bool:
        expected = self._bucket.read(f"{stored.shown}{SUM}")
        return expected is not None and expected.content == _sum_of(file)

    def _rewrite(self, stored: StoredFile, source: Path) -> None:
        file = unfinished_copy(private_directory(self._folder()) / stored.name)
        try:
            with reading(source) as content, writing(file) as target:
                self._seal.rewrite(stored, content, target)
            self._upload(stored, file)
        finally:
            file.unlink(missing_ok=True)

    def _upload(self, stored: StoredFile, file: Path) -> None:
        self._bucket.upload(stored.shown, file)
        self._bucket.upload(f"{stored.shown}{SUM}", _sum_of(file))


def _stored(digest: str) -> StoredFile:
    if not is_digest(digest):
        raise StorageError("a snapshot has a name that is no digest", remedy=RESTORE)
    return StoredFile(SealedKind.SNAPSHOT, digest, f"{SNAPSHOTS}/{digest}", GO_BACK)


def _sum_of(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest().encode()
