"""Sources in an object store: what patterns match is brought to a private folder, each byte at most once.

Of a large Parquet object, the footer is brought first, and then the columns that are asked for: its file has
holes, where the others would be.

Never writes to the store, and lists no more of it than patterns ask for.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue
from time import time_ns
from typing import Protocol

from reconciler.buckets.connection import BucketLocation, open_bucket
from reconciler.buckets.source_objects import PIECE, ObjectChangedError, Scope, SourceBucket, SourceObject
from reconciler.core.errors import ConfigurationError
from reconciler.core.reuse import ObjectIdentity
from reconciler.disk.atomic import os_errors
from reconciler.members.byte_ranges import Range, left, pieces, united
from reconciler.members.data_root import NoListingError, SourceChangedError, is_outside, is_source

READERS = 8
SMALL = 1 << 20
"""Bytes: a Parquet object up to this size is brought at once."""
TAIL = 64 << 10
"""Bytes of the end of a Parquet object that are brought first: most footers fit."""
GAP = 512 << 10
"""Bytes that cost less than another request."""
POLL = 0.05
"""Seconds between two looks whether somebody has asked to stop."""


def mirror(url: str, folder: Path, check: Callable[[], None], where: str = "") -> "Mirror":
    """ConfigurationError for an address that names no place. `where` it stands, for messages."""
    place = _placed(url, where)
    try:
        return Mirror(SourceBucket(open_bucket(place), place), folder, check, url, time_ns)
    except ValueError:
        raise ConfigurationError(
            f"data.root: {url} names no place in an object store",
            remedy="write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
        ) from None


def _placed(url: str, where: str) -> BucketLocation:
    return BucketLocation(
        url,
        if_absent="create it, or correct `data: {root: …}` in environment.yaml",
        if_denied="give this job read and list on the prefix (docs/how-to/object-stores.md) and a login",
        if_silent="check the network, the store's status, and whether a variable such as "
        "AWS_ENDPOINT_URL names another store; then run again",
        where=where,
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    file: Path
    export: SourceObject
    bytes: Range


@dataclass(frozen=True, slots=True)
class _Listing:
    """What the store lists. `began`: nanoseconds, by the clock of this machine."""

    began: int
    objects: tuple[SourceObject, ...]


class Exports(Protocol):
    """Files elsewhere. Raises StorageError."""

    def scope(self, wanted: Sequence[str]) -> Scope:
        """Return what has to be listed for the parts of a pattern. Raises NoListingError."""
        ...

    def listed(self, scope: Scope) -> tuple[SourceObject, ...]:
        """Return all files of a scope."""
        ...

    def piece(self, export: SourceObject, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`. Raises ObjectChangedError for another version."""
        ...


class Mirror:
    """Implements `data_root.DataRoot`; what is listed and brought once stays as it is while this lives."""

    def __init__(
        self,
        exports: Exports,
        folder: Path,
        check: Callable[[], None],
        name: str = "",
        clock: Callable[[], int] = time_ns,
    ) -> None:
        """`clock` returns nanoseconds since 1970."""
        self.folder = folder.resolve()
        self.name = name
        self._exports = exports
        self._check = check
        self._clock = clock
        self._listings: dict[Scope, _Listing] = {}
        self._known: dict[Path, SourceObject] = {}
        self._there: dict[Path, tuple[Range, ...]] = {}
        self._lock = threading.Lock()

    def matching(self, pattern: str) -> list[Path]:
        with self._lock:
            found = {self.folder / one.path: one for one in self._matching(pattern).objects}
            self._known = found | self._known  # all parts of a file are of the version listed first
        return list(found)

    def bring(self, files: Sequence[Path]) -> None:
        with self._lock:
            missing = {file: self._known[file] for file in files if file not in self._there}
            for file, export in missing.items():
                self._make(file, export.size)
            self._fill({file: _at_first(export) for file, export in missing.items()})
            footers = {file: [_footer(file)] for file, export in missing.items() if _is_read_in_parts(export)}
            self._fill(footers)

    def is_whole(self, file: Path) -> bool:
        return self._there.get(file) == united([(0, self._known[file].size)])

    def bring_ranges(self, file: Path, ranges: Iterable[Range]) -> None:
        """Bring ranges that lie close together at once, with what is between them."""
        with self._lock:
            self._fill({file: united(ranges, GAP)})

    def _fill(self, wanted: Mapping[Path, Iterable[Range]]) -> None:
        """Bring what is not there yet of each file. A file keeps the time of its object."""
        missing = {file: left(ranges, self._there.get(file, ())) for file, ranges in wanted.items()}
        self._fetch_all(
            [
                _Piece(file, self._known[file], one)
                for file, ranges in missing.items()
                for one in pieces(ranges, PIECE)
            ]
        )
        for file, ranges in missing.items():
            self._date(file, self._known[file])
            self._there[file] = united([*self._there.get(file, ()), *ranges])

    def identities(self, pattern: str) -> tuple[ObjectIdentity, ...]:
        """An object without a strong entity tag has none."""
        if is_outside(pattern):
            return ()
        try:
            with self._lock:
                found = self._matching(pattern)
        except NoListingError:
            return ()
        sources = [one for one in found.objects if is_source(Path(one.path))]
        identified = (self._identity(one, found.began) for one in sources if one.tag)
        return tuple(identified) if all(one.tag for one in sources) else ()

    def _identity(self, found: SourceObject, listed_ns: int) -> ObjectIdentity:
        written = int(found.written_at.timestamp() * 1_000_000_000)
        url = f"{self.name.rstrip('/')}/{found.path}"
        return ObjectIdentity(url, found.size, found.tag or "", found.version, written, listed_ns)

    def _matching(self, pattern: str) -> _Listing:
        wanted = PurePosixPath(pattern).parts
        listed = self._listed(wanted)
        fitting = tuple(one for one in listed.objects if _fits(one.path.split("/"), wanted))
        return _Listing(listed.began, fitting)

    def _listed(self, wanted: Sequence[str]) -> _Listing:
        scope = self._exports.scope(wanted)
        if scope not in self._listings:
            began = self._clock()
            self._listings[scope] = _Listing(began, self._exports.listed(scope))
        return self._listings[scope]

    def _fetch_all(self, wanted: Sequence[_Piece]) -> None:
        """Side by side, until one fails. Once we are to stop, nobody waits for pieces on their way."""
        waiting: SimpleQueue[_Piece] = SimpleQueue()
        for piece in wanted:
            waiting.put(piece)
        failed: list[Exception] = []

        def work() -> None:
            try:
                while not failed:
                    self._fetch(waiting.get_nowait())
            except Empty:
                pass
            except Exception as error:  # noqa: BLE001 - raised again in the thread that waits for us
                failed.append(error)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(READERS, len(wanted)))]
        for thread in threads:
            thread.start()
        while threads:
            self._check()
            threads[-1].join(POLL)
            threads = [thread for thread in threads if thread.is_alive()]
        if failed:
            raise failed[0]

    def _fetch(self, piece: _Piece) -> None:
        self._check()
        try:
            content = self._exports.piece(piece.export, *piece.bytes)
        except ObjectChangedError:
            raise SourceChangedError(piece.file) from None
        with os_errors("write", self.folder), piece.file.open("r+b") as file:
            file.seek(piece.bytes[0])
            file.write(content)

    def _make(self, file: Path, size: int) -> None:
        """Report a disk error with the folder only: a file name may be personal data."""
        with os_errors("write", self.folder):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            os.truncate(file, size)

    def _date(self, file: Path, export: SourceObject) -> None:
        """As old as what it was brought from: sources have a `maxAge`."""
        moment = int(export.written_at.timestamp() * 1_000_000_000)
        with os_errors("write", self.folder):
            os.utime(file, ns=(moment, moment))


def _is_read_in_parts(export: SourceObject) -> bool:
    """Only a strong entity tag makes sure that parts brought at different times are of one version."""
    return export.path.lower().endswith(".parquet") and export.size > SMALL and export.tag is not None


def _at_first(export: SourceObject) -> list[Range]:
    return [(max(0, export.size - TAIL), export.size) if _is_read_in_parts(export) else (0, export.size)]


def _footer(file: Path) -> Range:
    """Return the place of the footer of a Parquet file whose end is there; the tail of another file."""
    with file.open("rb") as tail:
        size = tail.seek(-8, os.SEEK_END) + 8
        length = int.from_bytes(tail.read(4), "little")
    return max(0, size - 8 - length), size


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """As `Path.glob` has it: `**` is any number of folders, and a wildcard crosses none."""
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_fits(parts[start:], wanted[1:]) for start in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])
