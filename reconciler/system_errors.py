"""Turn errors of the operating system and SQLite into errors with an exit code."""

import os
import sqlite3

from reconciler.core.errors import ReconcilerError, StorageError

BUG = 1


def known_error(error: BaseException) -> ReconcilerError | None:
    """Return our error, without the foreign text; None for a bug."""
    if isinstance(error, ReconcilerError):
        return error
    if isinstance(error, sqlite3.Error):
        return StorageError(
            "the emulator's file can't be read or written",
            remedy="check the disk, or remove the file under .reconciler/emulator and start over",
        )
    if isinstance(error, OSError):
        return StorageError(f"the system refuses: {os.strerror(error.errno or 0)}", remedy="check the disk")
    return None
