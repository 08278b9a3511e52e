"""Directories for personal data: readable only by their owner, and ignored by git."""

from pathlib import Path

from reconciler.disk.atomic import PRIVATE_FILE, os_errors, sync_directory

WORK_DIR = ".reconciler"
PRIVATE_DIRECTORY = 0o700


def private_directory(path: Path) -> Path:
    """Makes `path` and what is missing above it, mode 0700 whatever the umask.

    Under a `.reconciler` folder all modes are tightened, that folder's too. A `.gitignore` is written there
    before any other file. Elsewhere a directory that exists keeps the mode its owner gave it.
    """
    with os_errors("make", path):
        resolved = path.resolve()
        chain = (resolved, *resolved.parents)
        home = next((one for one in chain if one.name == WORK_DIR), None)
        for directory in reversed(chain):
            if home and directory.is_relative_to(home):
                _make(directory)
                _tighten(directory)
            elif not directory.exists():
                _make(directory)
            if directory == home:
                _hide_from_git(directory)
    return path


def _make(directory: Path) -> None:
    if directory.is_dir():
        return
    directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    _tighten(directory)
    sync_directory(directory.parent)


def _tighten(directory: Path) -> None:
    if directory.stat().st_mode & 0o777 != PRIVATE_DIRECTORY:
        directory.chmod(PRIVATE_DIRECTORY)


def _hide_from_git(directory: Path) -> None:
    """Write `.gitignore`, unless it has content: an empty file is left by a crash."""
    ignore = directory / ".gitignore"
    if not ignore.exists() or not ignore.stat().st_size:
        ignore.write_bytes(b"*\n")
        ignore.chmod(PRIVATE_FILE)
