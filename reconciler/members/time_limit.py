"""An end to queries that would take for ever."""

import contextlib
import threading
from collections.abc import Iterator

import duckdb

CHECKING, READING = 10, 3_600
"""Seconds that the check of a `where` may take, and the reading of the rows that it chooses from."""


@contextlib.contextmanager
def time_limit(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Raise duckdb.InterruptException in whatever the cursor still does then."""
    timer = threading.Timer(seconds, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
