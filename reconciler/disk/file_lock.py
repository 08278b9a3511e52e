"""One holder per file on one machine: `flock`, which ends with the process that holds it."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from reconciler.core.errors import LockedError
from reconciler.disk.atomic import PRIVATE_FILE, os_errors

_LONGEST = 500


@contextmanager
def file_lock(path: Path, problem: str, who: str, since: datetime) -> Iterator[None]:
    """Raises LockedError at once when it is taken: `problem`, and who holds it.

    The file stays when the lock is gone: removing it would let two runs lock two files.
    """
    with os_errors("lock", path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        with os_errors("lock", path):
            _take(handle, problem)
            _sign(handle, who, since)
        try:
            yield
        finally:
            _release(handle)
    finally:
        os.close(handle)


def holder_of(path: Path) -> str:
    """Return the current holder's signature; "" if there is none. Changes nothing."""
    with os_errors("read", path):
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(handle)
    else:
        return ""
    finally:
        os.close(handle)


def _take(handle: int, problem: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(
            f"{problem}: {_holder(handle)}",
            remedy="wait for it to end; if it hangs, end that process, and its lock ends with it",
        ) from None


def _sign(handle: int, who: str, since: datetime) -> None:
    line = f"{who}, process {os.getpid()} on {socket.gethostname()}, since {since:%Y-%m-%d %H:%M:%S} UTC\n"
    os.fchmod(handle, PRIVATE_FILE)
    os.ftruncate(handle, 0)
    os.pwrite(handle, line.encode(), 0)


def _holder(handle: int) -> str:
    """Return the holder's signature, which may not be written yet."""
    text = os.pread(handle, _LONGEST, 0).decode(errors="replace")
    return "".join(one for one in text if one.isprintable()) or "it has just begun"


def _release(handle: int) -> None:
    """Unlock explicitly: a child process may have inherited the handle."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
    fcntl.flock(handle, fcntl.LOCK_UN)
