"""An end to queries that would take for ever."""

import contextlib
import threading
import time
from collections.abc import Iterator

import duckdb

from reconciler.members.watcher import WATCHER

CHECKING, READING = 10, 3_600
"""Seconds that the check of a `where` may take, and the reading of the rows that it chooses from."""


class OverdueError(Exception):
    """A query was ended because its time was over."""


@contextlib.contextmanager
def time_limit(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Raise OverdueError where the cursor is still at work then; others may interrupt it before."""
    over, end = threading.Event(), time.monotonic() + seconds

    def look() -> None:
        if time.monotonic() >= end:
            over.set()
            cursor.interrupt()

    try:
        with WATCHER.watching(look):
            yield
    except duckdb.InterruptException:
        if over.is_set():
            raise OverdueError from None
        raise
