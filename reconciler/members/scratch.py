"""A private folder for one process: spilled rows, drafts, sorted changes. Gone when the process ends."""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

SETTLING = 60.0  # seconds in which a folder may exist before its lock is held


class Scratch:
    """Made with a lock inside, so that what a killed process left behind can be told from what is in use."""

    def __init__(self, work: Path) -> None:
        for left in work.glob("scratch-*"):
            _remove_unused(left)
        self.folder = Path(tempfile.mkdtemp(dir=work, prefix="scratch-"))
        self._lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """May be called twice."""
        if self._lock >= 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _remove_unused(folder: Path) -> None:
    try:
        if time.time() - folder.stat().st_mtime < SETTLING:
            return
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # in use
    finally:
        os.close(lock)
