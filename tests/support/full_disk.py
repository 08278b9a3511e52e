"""The real command line in a process whose disk is full from the nth file on.

python -m support.full_disk 7 apply sandbox --yes
"""

import errno
import sys

from support.fakes.disk import watched

from reconciler.cli import main

NEEDS_ROOM = frozenset({"write", "pwrite", "mkdir"})


class Full:
    """Files can be created, as on many file systems, but not filled: a write fails in the middle."""

    def __init__(self, first: int) -> None:
        self._left = first

    def __call__(self, name: str) -> None:
        self._left -= name == "create"
        if self._left <= 0 and name in NEEDS_ROOM:
            raise OSError(errno.ENOSPC, "full")


if __name__ == "__main__":
    first = int(sys.argv.pop(1))
    with watched(Full(first)):
        main()
