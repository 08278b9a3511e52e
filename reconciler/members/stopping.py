"""Queries that end when somebody asks to stop, however long they would take."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import duckdb

from reconciler.core.errors import CancelledError

POLL = 0.1
"""Seconds between two looks whether somebody has asked to stop."""


@contextlib.contextmanager
def stoppable(
    database: duckdb.DuckDBPyConnection, check: Callable[[], None]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor. CancelledError, which `check` raises, for whatever fails once it is to stop."""
    with contextlib.closing(database.cursor()) as cursor:
        try:
            with _interrupted(cursor, check):
                yield cursor
        except Exception:
            stopped = _asked(check)
            if stopped is None:
                raise
            raise stopped from None


@contextlib.contextmanager
def _interrupted(cursor: duckdb.DuckDBPyConnection, check: Callable[[], None]) -> Iterator[None]:
    """Time and again: what comes before a query begins is not heard by it."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL):
            if _asked(check):
                cursor.interrupt()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def _asked(check: Callable[[], None]) -> CancelledError | None:
    try:
        check()
    except CancelledError as error:
        return error
    return None
