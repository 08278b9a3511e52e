"""What leaves a command's process without room: a disk that is full from the nth file on, or a limit."""

import contextlib
import errno
import resource
from collections.abc import Iterator

from support.fakes.disk import watched

_for_good = contextlib.ExitStack()
NEEDS_ROOM = frozenset({"write", "pwrite", "mkdir"})


class Full:
    """Files can be created, as on many file systems, but not filled: a write fails in the middle."""

    def __init__(self, first: int) -> None:
        self._left = first

    def __call__(self, name: str) -> None:
        self._left -= name == "create"
        if self._left <= 0 and name in NEEDS_ROOM:
            raise OSError(errno.ENOSPC, "full")


def fail_from(first: int) -> None:
    """From the given file on, this process can't write a byte."""
    _for_good.enter_context(watched(Full(first)))


def limit_files(largest: int) -> None:
    """No file of this process may become larger, in bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Within, no file of this process can grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
