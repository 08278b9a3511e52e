"""The audit log next to a state: one file or object per entry, created once and never replaced.

It needs no lock: an entry that another process created meanwhile is left alone, and the next number is
taken. The entry of a run that lost its lock is as true as that of any other.
"""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reconciler.buckets.bucket import Bucket, PreconditionFailedError
from reconciler.core.audit.model import AuditHead, StoredEntry
from reconciler.core.errors import StorageError
from reconciler.disk.atomic import create_file, names_in, read_file
from reconciler.disk.private_dir import private_directory

AUDIT = "audit"
READERS = 8
MOST_TRIES = 20
_NAME = re.compile(r"([0-9]{8})\.json")


class LocalAuditLog:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def entries(self) -> tuple[StoredEntry, ...]:
        read = (StoredEntry(one, self._read(one)) for one in _numbers(names_in(self._directory)))
        return tuple(read)

    def head(self) -> AuditHead:
        numbers = _numbers(names_in(self._directory))
        return _head(numbers, self._read)

    def append(self, content: Callable[[AuditHead], bytes]) -> AuditHead:
        private_directory(self._directory)
        for _ in range(MOST_TRIES):
            head = self.head()
            written = StoredEntry(head.length + 1, content(head))
            create_file(self._directory / _name(written.number), written.content)
            if self._read(written.number) == written.content:
                return AuditHead(written.number, written.digest)
        raise _contended()

    def _read(self, number: int) -> bytes:
        return read_file(self._directory / _name(number)) or b""


class BucketAuditLog:
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def entries(self) -> tuple[StoredEntry, ...]:
        numbers = _numbers(self._bucket.names(AUDIT))
        with ThreadPoolExecutor(READERS) as pool:
            contents = pool.map(self._read, numbers)
            return tuple(map(StoredEntry, numbers, contents))

    def head(self) -> AuditHead:
        return _head(_numbers(self._bucket.names(AUDIT)), self._read)

    def append(self, content: Callable[[AuditHead], bytes]) -> AuditHead:
        for _ in range(MOST_TRIES):
            head = self.head()
            written = StoredEntry(head.length + 1, content(head))
            try:
                self._bucket.create(f"{AUDIT}/{_name(written.number)}", written.content)
            except PreconditionFailedError:
                continue
            return AuditHead(written.number, written.digest)
        raise _contended()

    def _read(self, number: int) -> bytes:
        found = self._bucket.read(f"{AUDIT}/{_name(number)}")
        return found.content if found else b""


def _name(number: int) -> str:
    return f"{number:08}.json"


def _numbers(names: Iterable[str]) -> list[int]:
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def _head(numbers: list[int], read: Callable[[int], bytes]) -> AuditHead:
    if not numbers:
        return AuditHead()
    last = StoredEntry(numbers[-1], read(numbers[-1]))
    return AuditHead(last.number, last.digest)


def _contended() -> StorageError:
    return StorageError("other runs append to the audit log all the time", remedy="run again")
