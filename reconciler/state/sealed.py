"""Secrets beside a state in a directory: a file each, replaced as a whole, and a lock beside it.

The content comes sealed: nothing here can read it.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from reconciler.core.errors import StorageError
from reconciler.disk.atomic import check_room, read_file, replace_file, sweep
from reconciler.disk.lock import hold
from reconciler.disk.private import private_directory

ROOM = 16_384
"""Bytes: there must be room for what is about to be kept, before a token is spent for it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class LocalSealed:
    """Their locks are not the lock of the state: tokens are also renewed by who only reads it."""

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
        with hold(
            self._directory / f".{name}.lock", f"another run holds state:{name}", "renewing", self._now()
        ):
            sweep(self._directory, file.name)
            check_room(file, ROOM)
            yield

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise StorageError(
                "a secret in the state has a name that can't be a file's",
                remedy="write state:NAME with letters, digits, dashes and underscores",
            )
        return self._directory / name
