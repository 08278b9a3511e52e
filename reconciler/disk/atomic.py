"""Crash-safe files: written to a temporary file, synced, renamed, and their directory synced.

An error of the operating system becomes a StorageError here, with the fix and never with content.
"""

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from reconciler.core.errors import StorageError

PRIVATE_FILE = 0o600
_PIECE = 1 << 20
_UNFINISHED = ".tmp"

_FREE = "free disk space and run again: saved data is intact"
_ALLOW = "give the user who runs reconciler the right to read and write there"
_MOVE = "move it away, or put the state back from a backup (docs/how-to/recover-state.md)"
_REFUSALS = {
    errno.ENOSPC: ("the disk is full", _FREE),
    errno.EDQUOT: ("the disk quota is used up", _FREE),
    errno.EFBIG: (
        "the file is larger than this process may write",
        "raise the limit (`ulimit -f`), run again",
    ),
    errno.EACCES: ("permission denied", _ALLOW),
    errno.EPERM: ("permission denied", _ALLOW),
    errno.EROFS: ("the disk is read-only", "name a place that can be written in the environment's `state`"),
    errno.EEXIST: ("a file is where a folder should be", _MOVE),
    errno.ENOTDIR: ("a file is where a folder should be", _MOVE),
    errno.EISDIR: ("a folder is where a file should be", _MOVE),
    errno.ENOENT: ("it is not there", "check the path; was it removed meanwhile?"),
}


@contextmanager
def os_errors(doing: str, path: Path) -> Iterator[None]:
    """Wrap calls to the operating system only."""
    try:
        yield
    except OSError as error:
        code = error.errno or errno.EIO
        reason, remedy = _REFUSALS.get(code, (os.strerror(code), "check the disk, then run again"))
        raise StorageError(f"can't {doing} {path}: {reason}", remedy=remedy) from None


def read_file(path: Path) -> bytes | None:
    """Return the content, or None if there is no file. Refuses a pipe or a device, which may block."""
    with os_errors("read", path):
        try:
            if not stat.S_ISREG(kind := path.stat().st_mode) and not stat.S_ISDIR(kind):
                raise StorageError(f"can't read {path}: it is not a regular file", remedy=_MOVE)
            return path.read_bytes()
        except FileNotFoundError:
            return None


def replace_file(path: Path, content: bytes) -> None:
    """Replace the content atomically and durably."""
    with os_errors("write", path), _beside(path) as file:
        file.write(content)


@contextmanager
def writing(path: Path, noted: Callable[[Path], None] = lambda _: None) -> Iterator[BinaryIO]:
    """Replace the content in pieces. `noted` receives the path of the temporary file before it exists."""
    with os_errors("write", path), _beside(path, noted) as file:
        yield file


def create_file(path: Path, content: bytes) -> None:
    """Create a file, unless another process has created it."""
    with os_errors("write", path), suppress(FileExistsError):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_UNFINISHED, dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        try:
            os.link(name, path)
            sync_directory(path.parent)
        finally:
            Path(name).unlink()


def check_room(path: Path, size: int) -> None:
    """Check that this many bytes can be written next to `path` and renamed; changes nothing."""
    with os_errors("write", path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_UNFINISHED, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(bytes(size))
                file.flush()
                os.fsync(handle)
        finally:
            Path(name).unlink()


def copy_file(source: Path, path: Path) -> None:
    """Copy atomically and durably: `path` is absent or complete."""
    with os_errors("read", source):
        original = source.open("rb")
    with original, os_errors("write", path), _beside(path) as file:
        shutil.copyfileobj(original, file, _PIECE)


def remove_file(path: Path) -> None:
    """Remove a file, if it exists."""
    with os_errors("remove", path), suppress(FileNotFoundError):
        path.unlink()
        sync_directory(path.parent)


def names_in(directory: Path) -> set[str]:
    """Return file names, without hidden files; none if there is no such directory."""
    with os_errors("list", directory):
        try:
            return {path.name for path in directory.iterdir() if not path.name.startswith(".")}
        except FileNotFoundError:
            return set()


def remove_temporary_files(directory: Path, name: str = "") -> None:
    """Remove unfinished files of a killed writer, and sync finished ones.

    Only for the holder of the lock: of all files in the directory, or of the file of that name.
    """
    unfinished = re.compile(rf"\.{re.escape(name) if name else '.*'}\.[^.]{{8}}{re.escape(_UNFINISHED)}")
    with os_errors("clean", directory):
        for path in directory.iterdir():
            if unfinished.fullmatch(path.name):
                path.unlink()
        sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Sync the names in a directory to disk."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _beside(path: Path, noted: Callable[[Path], None] = lambda _: None) -> Iterator[BinaryIO]:
    unfinished = path.parent / f".{path.name}.{secrets.token_hex(4)}{_UNFINISHED}"
    noted(unfinished)
    handle = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, PRIVATE_FILE)
            yield file
            file.flush()
            os.fsync(handle)
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    sync_directory(path.parent)
