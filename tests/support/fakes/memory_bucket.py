"""A Bucket in memory, with a place to fail before and after every call."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from reconciler.buckets.bucket import PreconditionFailedError, StoredObject, Version

Hook = Callable[[str, str], None]


def _nothing(_call: str, _path: str) -> None:
    """Do not fail."""


@dataclass
class MemoryBucket:
    """`before` and `after` receive each call and its path. An exception is a failure before or after it."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    before: Hook = _nothing
    after: Hook = _nothing
    held: dict[str, StoredObject] = field(default_factory=dict)
    written_at: dict[str, datetime] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def read(self, path: str) -> StoredObject | None:
        self.before("read", path)
        found = self.held.get(path)
        self.after("read", path)
        return found

    def create(self, path: str, content: bytes) -> Version:
        return self._write("create", path, content, lambda there: there is None)

    def replace(self, path: str, content: bytes, version: Version) -> Version:
        return self._write(
            "replace", path, content, lambda there: there is not None and there.version == version
        )

    def upload(self, path: str, content: Path | bytes) -> None:
        whole = content if isinstance(content, bytes) else content.read_bytes()
        self._write("upload", path, whole, lambda _there: True)

    def download(self, path: str, file: Path) -> bool:
        found = self.read(path)
        if found is not None:
            file.write_bytes(found.content)
        return found is not None

    def read_start(self, path: str, size: int) -> bytes | None:
        found = self.read(path)
        return found.content[:size] or None if found else None

    def remove(self, path: str) -> None:
        self.before("remove", path)
        self.held.pop(path, None)
        self.after("remove", path)

    def names(self, folder: str) -> dict[str, datetime]:
        self.before("list", folder)
        start = f"{folder}/" if folder else ""
        below = {path.removeprefix(start): path for path in self.held if path.startswith(start)}
        return {name: self.written_at[path] for name, path in below.items() if "/" not in name}

    def _write(
        self, call: str, path: str, content: bytes, fits: Callable[[StoredObject | None], bool]
    ) -> Version:
        self.before(call, path)
        if not fits(self.held.get(path)):
            raise PreconditionFailedError
        stored = self.held[path] = StoredObject(content, (str(next(self.numbers)), None))
        self.written_at[path] = self.now()
        self.after(call, path)
        return stored.version
