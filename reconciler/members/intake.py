"""Files as they may be read: packed ones unpacked, all checked to their end, each once per process.

What was checked is what is read: a packed file is unpacked into a private folder, and DuckDB reads that
copy. DuckDB itself checks no checksum: not of gzip, not of Zstandard, not of the pages of Parquet.
"""

import gzip
import shutil
import sys
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

import duckdb

from reconciler.disk.atomic import os_errors
from reconciler.members.byte_ranges import Range
from reconciler.members.data_root import DataRoot, SourceChangedError
from reconciler.members.file_stamp import FileStamp
from reconciler.members.pages import PagesError, check_pages, chunks

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP, ZSTANDARD = ".gz", ".zst"
PACKED = (GZIP, ZSTANDARD)
PIECE = 1 << 20
MOST_MEMORY = "128 MB"
"""What libzstd needs at most for the windows that it accepts by default."""

AGAIN = "export it again"
NOT_TEXT = "is it really text? export it again, as UTF-8"
WHOLE = "export it again: write it beside, and rename it into its place when it is complete"


Learnt = TypeVar("Learnt")


class UnusableError(Exception):
    """A file that is not what its format promises. Says why, and what to do; never its content."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__()
        self.problem = problem
        self.remedy = remedy


class Intake:
    """The files below a root. Threads may share it.

    Packed files are unpacked into `folder`. `check` is called time and again, and raises when somebody
    asks to stop.
    """

    def __init__(self, root: DataRoot, folder: Path, check: Callable[[], None]) -> None:
        self.root = root
        self._folder = folder
        self._check = check
        self._checked: dict[FileStamp, Path] = {}
        self._learnt: dict[FileStamp, object] = {}
        self._columns: dict[FileStamp, set[str]] = {}
        self._lock = threading.Lock()

    def checked(self, cursor: duckdb.DuckDBPyConnection, found: FileStamp) -> Path:
        """What to read instead of a file. Errors: UnusableError, MovedError, StorageError."""
        with self._lock:
            if found not in self._checked:
                self._checked[found] = self._whole(cursor, found)
                if not found.holds():
                    del self._checked[found]
                    raise SourceChangedError(found.file)
            return self._checked[found]

    def bring_columns(
        self, cursor: duckdb.DuckDBPyConnection, found: FileStamp, columns: Collection[str]
    ) -> None:
        """Make columns of a file readable that is not whole, and check them. Errors as those of `checked`."""
        if self.root.is_whole(found.file):
            return
        with self._lock:
            asked = self._columns.setdefault(found, set())
            new = {one.casefold() for one in columns} - asked
            if not new:
                return
            places = chunks(cursor, found.file, new)
            if any(not 0 <= start < end <= found.size for start, end in places):
                raise UnusableError("is damaged: its footer names bytes that it does not have", AGAIN)
            self.root.bring_ranges(found.file, places)
            self._check_pages(found.file, places)
            asked |= new

    def learnt(self, found: FileStamp, learn: Callable[[], Learnt]) -> Learnt:
        """What was learnt of a file when it was as it is."""
        with self._lock:
            if found not in self._learnt:
                self._learnt[found] = learn()
            return self._learnt[found]  # type: ignore[return-value] # one kind of thing is learnt of a file

    def _whole(self, cursor: duckdb.DuckDBPyConnection, found: FileStamp) -> Path:
        suffix = found.file.suffix.lower()
        if suffix in PACKED:
            return self._unpacked(found.file)
        if suffix == ".parquet":
            if self.root.is_whole(found.file):
                self._check_pages(found.file, chunks(cursor, found.file))
            return found.file
        with found.file.open("rb") as text:
            for _ in _without_nul(iter(lambda: text.read(PIECE), b"")):
                self._check()
        return found.file

    def _check_pages(self, file: Path, places: Iterable[Range]) -> None:
        try:
            check_pages(file, places, self._check)
        except PagesError:
            raise UnusableError("is damaged: a page does not match its checksum", AGAIN) from None

    def _unpacked(self, file: Path) -> Path:
        folder = self._folder / str(len(self._checked))
        target = folder / file.with_suffix("").name
        # The file name may be personal data: a disk error is reported with our folder.
        with os_errors("unpack into", self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            target.touch(mode=0o600, exist_ok=False)
            try:
                with target.open("wb") as plain:
                    for piece in _without_nul(_pieces(file)):
                        self._check()
                        plain.write(piece)
            except BaseException:
                with suppress(OSError):
                    target.unlink()  # what filled the disk must not keep it full
                raise
        return target


def _without_nul(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces of a text: readers end a value at a NUL, or skip it."""
    start = 0
    for piece in pieces:
        if (at := piece.find(b"\0")) >= 0:
            raise UnusableError(f"is no text: byte {start + at + 1:,} of it is NUL", NOT_TEXT)
        start += len(piece)
        yield piece


def _pieces(file: Path) -> Iterator[bytes]:
    """The content, all of it or an error: each part to its end, and nothing after the last one."""
    reader = _gzip if file.suffix.lower() == GZIP else _zstandard
    try:
        with file.open("rb") as packed:
            if not packed.read(1):
                raise UnusableError("is empty: not even an empty file is packed as that", WHOLE)
            packed.seek(0)
            yield from reader(packed)
    except EOFError:
        raise UnusableError("breaks off before its end", WHOLE) from None
    except FileNotFoundError:
        raise SourceChangedError(file) from None
    except OSError:
        raise UnusableError("can't be read", "check its permissions, and the disk") from None


def _gzip(packed: IO[bytes]) -> Iterator[bytes]:
    """Python compares CRC-32 and length of each member."""
    try:
        with gzip.open(packed) as plain:
            while piece := plain.read(PIECE):
                yield piece
    except (gzip.BadGzipFile, zlib.error):
        raise UnusableError(
            "is damaged or is not gzip: it does not match its checksums, or more follows its end", AGAIN
        ) from None


def _zstandard(packed: IO[bytes]) -> Iterator[bytes]:
    """libzstd compares the checksum of each frame that has one."""
    try:
        with zstd.open(packed) as plain:
            while piece := plain.read(PIECE):
                yield piece
    except zstd.ZstdError:
        raise UnusableError(
            "is damaged, is not Zstandard, or was packed with a dictionary or a window over " + MOST_MEMORY,
            "export it again, with `zstd --check --long=27` at most",
        ) from None
