"""A hook at every call that changes a disk, to fail it or to record it."""

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CHANGING = ("chmod", "fchmod", "fsync", "ftruncate", "mkdir", "pwrite", "replace", "unlink")


@contextmanager
def watched(at: Callable[[str], None]) -> Iterator[None]:
    """Calls `at` with the name of each such call before it happens; what that raises, the call raises.

    A file is written in halves, so that one can break in the middle.
    """

    class Raw(io.FileIO):
        def write(self, content: Any) -> int:
            at("write")
            return super().write(memoryview(content)[: len(content) // 2 + 1])

    def creating(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT:
            at("create")
        return int(real["open"](path, flags, *rest, **more))

    def before(name: str) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            at(f"{name} directory" if name == "fsync" and os.path.isdir(given[0]) else name)  # noqa: PTH112 - a handle
            return real[name](*given, **more)

        return call

    real = {name: getattr(os, name) for name in (*CHANGING, "open", "fdopen")}
    ours = {name: before(name) for name in CHANGING}
    ours |= {"open": creating, "fdopen": lambda handle, mode: io.BufferedWriter(Raw(handle, mode))}
    try:
        for name, function in ours.items():
            setattr(os, name, function)
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


class Fault:
    """The disk is full from the `first` call on, for `calls` calls."""

    def __init__(self, first: int, calls: int) -> None:
        self.first, self.calls, self.seen = first, calls, 0

    @property
    def happened(self) -> bool:
        return self.seen >= self.first

    def __call__(self, name: str) -> None:
        self.seen += 1
        if self.first <= self.seen < self.first + self.calls:
            raise OSError(errno.ENOSPC, "full")
