"""A folder in an object store: small whole objects with conditional writes.

Independent of state. An error of a store becomes a StorageError here, without the store's own text.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from reconciler.buckets.connection import BucketLocation, must_be_there, store_errors
from reconciler.disk.atomic import writing

Version = tuple[str | None, str | None]
"""What a conditional write compares: the entity tag, and the generation where a store counts them."""


class PreconditionFailedError(Exception):
    """Another run wrote the object since it was read."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it was read."""

    content: bytes
    version: Version


class Bucket(Protocol):
    """Errors: StorageError; LostRaceError where it is named. Contents must differ, or races go unseen."""

    def read(self, path: str) -> StoredObject | None:
        """Return the object, or None if there is none."""
        ...

    def create(self, path: str, content: bytes) -> Version:
        """LostRaceError when it is there already."""
        ...

    def replace(self, path: str, content: bytes, version: Version) -> Version:
        """Replace the object. Raises PreconditionFailedError if its version is another."""
        ...

    def upload(self, path: str, content: Path | bytes) -> None:
        """Write an object unconditionally: for objects that are named by their content."""
        ...

    def download(self, path: str, file: Path) -> bool:
        """False when there is no such object."""
        ...

    def read_start(self, path: str, size: int) -> bytes | None:
        """Return at most this many bytes, from the start; None if there is no object, or an empty one."""
        ...

    def remove(self, path: str) -> None:
        """Remove an object, if it exists."""
        ...

    def names(self, folder: str) -> dict[str, datetime]:
        """Return when each object of a folder was written, by name, without subfolders."""
        ...


class ObjectStore:
    """Bucket over obstore: S3, Google Cloud Storage, Azure."""

    def __init__(self, store: Any, place: BucketLocation) -> None:
        self._store = store
        self._place = place

    def read(self, path: str) -> StoredObject | None:
        with store_errors("read", self._place):
            try:
                found = self._store.get(path)
            except FileNotFoundError as error:
                must_be_there(error)
                return None
            return StoredObject(bytes(found.bytes()), (found.meta.get("e_tag"), found.meta.get("version")))

    def create(self, path: str, content: bytes) -> Version:
        return self._put(path, content, "create")

    def replace(self, path: str, content: bytes, version: Version) -> Version:
        tag, generation = version
        condition = {"e_tag": tag, "version": generation}
        return self._put(path, content, {name: value for name, value in condition.items() if value})

    def upload(self, path: str, content: Path | bytes) -> None:
        with store_errors("write", self._place):
            self._store.put(path, content)

    def download(self, path: str, file: Path) -> bool:
        """Download an object. An error of the local disk is not reported as the store's."""
        with store_errors("read", self._place):
            try:
                pieces = self._store.get(path).stream()
            except FileNotFoundError as error:
                must_be_there(error)
                return False
            with writing(file) as target:
                for piece in pieces:
                    target.write(piece)
            return True

    def read_start(self, path: str, size: int) -> bytes | None:
        """A store refuses a range of an empty object, so its size is asked for first."""
        with store_errors("read", self._place):
            try:
                there = self._store.head(path)["size"]
            except FileNotFoundError as error:
                must_be_there(error)
                return None
            return bytes(self._store.get_range(path, start=0, length=min(size, there))) if there else None

    def remove(self, path: str) -> None:
        with store_errors("remove", self._place), suppress(FileNotFoundError):
            self._store.delete(path)

    def names(self, folder: str) -> dict[str, datetime]:
        with store_errors("list", self._place):
            listed = self._store.list_with_delimiter(f"{folder}/" if folder else None)
            return {one["path"].rpartition("/")[2]: one["last_modified"] for one in listed["objects"]}

    def _put(self, path: str, content: bytes, mode: object) -> Version:
        """Write an object. If a retry meets the first attempt's own write, the write succeeded."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with store_errors("write", self._place):
            try:
                put = self._store.put(path, content, mode=mode)
                return put.get("e_tag"), put.get("version")
            except (AlreadyExistsError, PreconditionError):
                there = self.read(path)
                if there is not None and there.content == content:
                    return there.version
                raise PreconditionFailedError from None
