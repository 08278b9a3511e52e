"""Write whole lines to a file or a pipe, without disturbing the run."""

import errno
import os
import select
import stat
from contextlib import suppress
from pathlib import Path
from typing import Self

from reconciler.core.errors import StorageError
from reconciler.disk.atomic import PRIVATE_FILE

PATIENCE_MS = 10_000
"""How long a reader may let us wait before it is given up."""

PIECE = 4096
"""A pipe that is ready takes so many bytes at once."""

ELSEWHERE = "name a file in a folder that can be written, or - for standard output"


class LineWriter:
    """Every line is whole and with the system when `write` returns. It never raises.

    The first line that can't be written is the end: `lost` says why, and no later one is written, so
    that lines are never missing in the middle.
    """

    def __init__(self, handle: int, *, ours: bool) -> None:
        """`ours`: no other process writes there."""
        self._handle = handle
        self._ours = ours
        self._ready = select.poll()
        self._ready.register(handle, select.POLLOUT)
        self.lines = 0
        self.lost = ""

    @classmethod
    def at(cls, path: Path, beginning: bytes) -> Self:
        """Append to the lines of a file, each of which must have this beginning.

        Raises StorageError, without the path as it was typed.
        """
        try:
            torn = _is_torn(path, beginning)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
        except OSError as error:
            raise _unwritable(os.strerror(error.errno or errno.EIO)) from None
        file = cls(handle, ours=True)
        if torn:
            file.write(b"\n")
        return file

    @classmethod
    def on(cls, handle: int) -> Self:
        """Write to a stream of the caller, which stays open."""
        return cls(os.dup(handle), ours=False)

    def write(self, line: bytes) -> None:
        if self.lost:
            return
        written = 0
        try:
            while written < len(line):
                if not self._ready.poll(PATIENCE_MS):
                    raise TimeoutError(errno.ETIMEDOUT, "")
                written += os.write(self._handle, line[written : written + PIECE])
        except OSError as error:
            self.lost = os.strerror(error.errno or errno.EIO)
            self._take_back(written)
        else:
            self.lines += 1

    def check(self) -> None:
        """Raise StorageError if a line was lost."""
        if self.lost:
            raise _unwritable(self.lost)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._handle)

    def _take_back(self, written: int) -> None:
        """Remove a partial line, if no other process writes there."""
        with suppress(OSError):
            size = os.fstat(self._handle).st_size
            if self._ours and written and os.lseek(self._handle, 0, os.SEEK_CUR) == size:
                os.ftruncate(self._handle, size - written)


def _is_torn(path: Path, beginning: bytes) -> bool:
    """Return whether the last line has no end, because its writer was killed."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return False
    with path.open("rb") as file:
        if not beginning.startswith(file.read(len(beginning))):
            raise _unwritable("there is another file already")
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _unwritable(why: str) -> StorageError:
    return StorageError(f"events can't be written: {why}", remedy=ELSEWHERE)
