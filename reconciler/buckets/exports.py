"""Files that others put into an object store: listed, and read piece by piece. Never writes, never renames.

A piece is small enough to arrive within one time-out at half a megabyte a second, and is of the version
that was listed, or there is none: a file that is replaced meanwhile is never half old and half new.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.buckets.opening import Place, explained, must_be_there

PIECE = 8 << 20
"""Bytes."""


class ChangedError(Exception):
    """It is not there any more as it was listed."""


@dataclass(frozen=True, slots=True)
class Export:
    """An object, by its path below the prefix. `size` is in bytes."""

    path: str
    size: int
    written_at: datetime
    tag: str | None


class Exports:
    """Over obstore: S3, Google Cloud Storage, Azure. Errors: UnreachableError."""

    def __init__(self, store: Any, place: Place) -> None:
        self._store = store
        self._place = place

    def in_folder(self, folder: str) -> tuple[Export, ...]:
        """What lies right in a folder; "" is the prefix itself. None for one that isn't there."""
        with explained("list", self._place):
            return _exports(self._store.list_with_delimiter(folder or None)["objects"])

    def below(self, folder: str) -> tuple[Export, ...]:
        """What lies in a folder and in folders of it."""
        with explained("list", self._place):
            return _exports(one for some in self._store.list(folder or None) for one in some)

    def piece(self, export: Export, start: int) -> bytes:
        """`PIECE` bytes from `start`, or what is left. ChangedError when it is another one by now."""
        from obstore.exceptions import PreconditionError

        end = min(start + PIECE, export.size)
        version = {"if_match": export.tag} if export.tag else {}
        with explained("read", self._place):
            try:
                content = bytes(
                    self._store.get(export.path, options={**version, "range": (start, end)}).bytes()
                )
            except PreconditionError:
                raise ChangedError from None
            except FileNotFoundError as error:
                must_be_there(error)
                raise ChangedError from None
        if len(content) != end - start:
            raise ChangedError
        return content


def _exports(listed: Iterable[Any]) -> tuple[Export, ...]:
    """Keys that no file below a folder can have are left out."""
    return tuple(
        Export(one["path"], one["size"], one["last_modified"], one["e_tag"])
        for one in listed
        if not {"", ".", ".."} & set(one["path"].split("/")) and "\0" not in one["path"]
    )
