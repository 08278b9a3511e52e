"""A private folder of one process for temporary files, removed when the process ends."""

import fcntl
import os
import shutil
import stat
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

LOCK = "lock"
ELSEWHERE = "elsewhere"
"""A file in the folder: paths of unfinished files outside of it, which go with it."""


class ScratchDir:
    """A folder with a lock inside, which ends with its process: an unlocked folder may be removed."""

    _present: ClassVar[set["ScratchDir"]] = set()
    _removing: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, work: Path, prefix: str = "scratch-") -> None:
        """Removes what killed processes left there first."""
        remove_unused(work, prefix)
        self.folder, self._lock = _claimed(work, prefix)
        self._present.add(self)

    def remove(self) -> None:
        """Remove the folder; two threads may call it."""
        with self._removing:
            if self._lock < 0:
                return
            with suppress(OSError):  # what a disk holds on to hides no other error; the next process sweeps
                _remove(self.folder)
            os.close(self._lock)
            self._lock = -1
            self._present.discard(self)

    def note(self, unfinished: Path) -> None:
        """Record the path of a file in another folder, so that it is removed if this process is killed."""
        with (self.folder / ELSEWHERE).open("a", encoding="utf-8", errors="surrogateescape") as noted:
            noted.write(f"{unfinished.absolute()}\0")
            noted.flush()
            os.fsync(noted.fileno())

    @classmethod
    def remove_all(cls) -> None:
        """Remove all folders before the process ends with running threads."""
        for one in list(cls._present):
            one.remove()


def remove_unused(work: Path, prefix: str = "") -> None:
    """Remove the folders of killed processes. A folder without our lock file stays."""
    for left in work.glob(f"{prefix}*"):
        with suppress(OSError):
            _remove_unused(left)


def _claimed(work: Path, prefix: str) -> tuple[Path, int]:
    """Create a folder and lock it; retry if a cleanup removed it before the lock."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=work, prefix=prefix))
        try:
            lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / LOCK).exists():
            return folder, lock
        os.close(lock)


def _remove_unused(folder: Path) -> None:
    """Raises OSError when it is in use, or not ours."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return  # somebody else's, or a link to who knows what
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        folder.rmdir()  # its process was killed before the lock was made: then nothing else is in it
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    """Remove the lock file last, so that an interrupted removal can be resumed."""
    with suppress(FileNotFoundError):
        noted = (folder / ELSEWHERE).read_text("utf-8", "surrogateescape")
        for unfinished in noted.split("\0")[:-1]:
            Path(unfinished).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
