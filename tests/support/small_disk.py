"""A small disk mounted on a folder, filled up to a few bytes, and emptied again."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SIZE = 16 << 20


@dataclass(frozen=True)
class LimitedDisk:
    folder: Path

    @classmethod
    @contextlib.contextmanager
    def under(cls, folder: Path) -> Iterator["LimitedDisk"]:
        """Mount a small disk; skip the test without the permission to mount."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = f"size={SIZE},mode=700"
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("a disk can't be mounted here; the faulting writes and limits below stand in for it")
        try:
            yield cls(folder)
        finally:
            subprocess.run(["umount", str(folder)], check=True)  # noqa: S607 - found as mount was

    @property
    def used(self) -> int:
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bavail) * found.f_bsize

    @contextlib.contextmanager
    def but(self, free: int) -> Iterator[None]:
        """While this lasts, only so many bytes are free."""
        filler = self.folder / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, SIZE - self.used - free)
        try:
            yield
        finally:
            filler.unlink()
