"""An end to queries that would take for ever."""

import contextlib
import threading
from collections.abc import Iterator

import duckdb

CHECKING, READING = 10, 3_600
"""Seconds that the check of a `where` may take, and the reading of the rows that it chooses from."""


class OverdueError(Exception):
    """A query was ended because its time was over."""


@contextlib.contextmanager
def time_limit(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Raise OverdueError where the cursor is still at work then; others may interrupt it before."""
    over = threading.Event()

    def end() -> None:
        over.set()
        cursor.interrupt()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        if over.is_set():
            raise OverdueError from None
        raise
    finally:
        timer.cancel()
