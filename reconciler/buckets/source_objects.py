"""Files that others put into an object store: listed, and read piece by piece. Never writes, never renames.

A piece is small enough to arrive within one time-out at half a megabyte a second, and is of the version
that was listed, or there is none: a file that is replaced meanwhile is never half old and half new.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

from reconciler.buckets.connection import BucketLocation, must_be_there, store_errors
from reconciler.core.errors import StorageError

PIECE = 8 << 20
"""Bytes."""


MAGIC = frozenset("*?[")
"""Characters of a pattern that match others than themselves."""
Scope = tuple[str, ...]
"""What is listed at once."""


class ObjectChangedError(Exception):
    """The object is not the listed version any more."""


@dataclass(frozen=True, slots=True)
class SourceObject:
    """An object, by its path below the prefix. `size` is in bytes.

    `tag` is the entity tag without quotation marks, in which listings and answers differ. A weak tag may be
    the same for another content, so it counts as none. `version` is empty if the listing states none.
    """

    path: str
    size: int
    written_at: datetime
    tag: str | None
    version: str = ""

    @property
    def condition(self) -> Mapping[str, Any]:
        """Return the options of a read that only this version of the object fulfils."""
        return {"if_match": f'"{self.tag}"'} if self.tag else {"if_unmodified_since": self.written_at}

    def is_in(self, meta: Mapping[str, Any]) -> bool:
        """Return whether an answer is of this version: a server may ignore a condition."""
        return bool(meta["size"] == self.size and strong_tag(meta["e_tag"]) == self.tag)


class SourceBucket:
    """Reads from obstore: S3, Google Cloud Storage, Azure. Raises UnreachableError."""

    def __init__(self, store: Any, place: BucketLocation) -> None:
        self._store = store
        self._place = place

    def scope(self, wanted: Sequence[str]) -> Scope:
        """Return the folder that the parts of a pattern name, and `**` if they may match below it."""
        plain = tuple(takewhile(lambda part: not MAGIC & set(part), wanted[:-1]))
        flat = len(plain) == len(wanted) - 1 and wanted[-1] != "**"
        return plain if flat else (*plain, "**")

    def listed(self, scope: Scope) -> tuple[SourceObject, ...]:
        if scope[-1:] == ("**",):
            return self.below("/".join(scope[:-1]))
        return self.in_folder("/".join(scope))

    def in_folder(self, folder: str) -> tuple[SourceObject, ...]:
        """Return the objects directly in a folder, where "" is the prefix; none if it does not exist."""
        with self._listing():
            found = self._store.list_with_delimiter(folder or None)
            return _exports(found["objects"], set(found["common_prefixes"]))

    def below(self, folder: str) -> tuple[SourceObject, ...]:
        """Return the objects in a folder and its subfolders."""
        with self._listing():
            found = [one for some in self._store.list(folder or None) for one in some]
        folders = {str(parent) for one in found for parent in PurePosixPath(one["path"]).parents}
        return _exports(found, folders)

    @contextmanager
    def _listing(self) -> Iterator[None]:
        from obstore.exceptions import InvalidPathError

        with store_errors("list", self._place):
            try:
                yield
            except InvalidPathError:
                raise StorageError(
                    f"can't list {self._place.url}: a key there has a part that is empty, `.` or `..`",
                    remedy="rename or remove it, or name a folder that it isn't in",
                ) from None

    def piece(self, export: SourceObject, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`. Raises ObjectChangedError for another version."""
        from obstore.exceptions import PreconditionError

        with store_errors("read", self._place):
            try:
                answer = self._store.get(export.path, options={**export.condition, "range": (start, end)})
                if not export.is_in(answer.meta):
                    raise ObjectChangedError
                content = bytes(answer.bytes())
            except PreconditionError:
                raise ObjectChangedError from None
            except FileNotFoundError as error:
                must_be_there(error)
                raise ObjectChangedError from None
        if len(content) != end - start:
            raise ObjectChangedError
        return content


def _exports(listed: Iterable[Any], folders: Container[str]) -> tuple[SourceObject, ...]:
    """Return the files, without folder markers and keys that no file below a folder can have."""
    return tuple(
        SourceObject(
            one["path"], one["size"], one["last_modified"], strong_tag(one["e_tag"]), one.get("version") or ""
        )
        for one in listed
        if not {"", ".", ".."} & set(one["path"].split("/"))
        and "\0" not in one["path"]
        and not (one["size"] == 0 and one["path"] in folders)
    )


def strong_tag(tag: str | None) -> str | None:
    """Return a strong entity tag without quotation marks; None for a weak one."""
    return tag.strip('"') if tag and not tag.startswith("W/") else None
