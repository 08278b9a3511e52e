"""Secrets next to a state, each replaced as a whole, and a lock for each: in a directory or in a bucket.

The content is sealed: this module can't decrypt it.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.buckets.bucket import Bucket, PreconditionFailedError, Version
from reconciler.core.errors import ConcurrentWriteError, StorageError
from reconciler.disk.atomic import check_room, read_file, remove_temporary_files, replace_file
from reconciler.disk.file_lock import file_lock
from reconciler.disk.private_dir import private_directory
from reconciler.state.lease import LeaseLocation, LeaseTiming, try_acquire

ROOM = 16_384
"""Bytes that must be free for a token before a request spends the old one."""
RENEWAL = LeaseTiming(life=timedelta(seconds=180), grace=timedelta(0))
"""Longer than a token request with three tries to save its result."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class LocalSecretStore:
    """Its locks are separate from the state's lock: a run that only reads the state renews tokens, too."""

    def __init__(self, directory: Path, now: Callable[[], datetime]) -> None:
        self._directory = directory
        self._now = now

    def read(self, name: str) -> bytes | None:
        return read_file(self._file(name))

    def write(self, name: str, content: bytes) -> None:
        replace_file(self._file(name), content)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        file = self._file(name)
        private_directory(self._directory)
        with file_lock(
            self._directory / f".{name}.lock", f"another run holds state:{name}", "renewing", self._now()
        ):
            remove_temporary_files(self._directory, file.name)
            check_room(file, ROOM)
            yield

    def _file(self, name: str) -> Path:
        return self._directory / _checked(name)


class BucketSecretStore:
    """The same in a bucket; each lock is a lease of its own, because its run may die."""

    def __init__(self, bucket: Bucket, now: Callable[[], datetime]) -> None:
        self._bucket = bucket
        self._now = now
        self._found: dict[str, Version | None] = {}  # while its lock is held: what a write replaces

    def read(self, name: str) -> bytes | None:
        found = self._bucket.read(_path(name))
        return found.content if found else None

    def write(self, name: str, content: bytes) -> None:
        """Raise OverwrittenError if another run wrote since the lock was taken."""
        version = self._found[name]
        try:
            if version is None:
                self._found[name] = self._bucket.create(_path(name), content)
            else:
                self._found[name] = self._bucket.replace(_path(name), content, version)
        except PreconditionFailedError:
            raise ConcurrentWriteError(
                f"state:{name} was written by another process at the same time", remedy="run again"
            ) from None

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        place = LeaseLocation(
            self._bucket, f"{_path(name)}.lease", "renewing", f"another run holds state:{name}"
        )
        hold = try_acquire(place, RENEWAL, self._now, "another run")
        try:
            there = self._bucket.read(_path(name))
            self._found[name] = there.version if there else None
            yield
        finally:
            self._found.pop(name, None)
            with suppress(StorageError):
                hold.release()


def _path(name: str) -> str:
    return f"secrets/{_checked(name)}"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise StorageError(
            "a secret in the state has a name that can't be a file's",
            remedy="write state:NAME with letters, digits, dashes and underscores",
        )
    return name
