"""Queries that end when somebody asks to stop, however long they would take."""

import contextlib
from collections.abc import Callable, Iterator

import duckdb

from reconciler.core.errors import CancelledError
from reconciler.members.watcher import WATCHER


@contextlib.contextmanager
def stoppable(
    database: duckdb.DuckDBPyConnection, check: Callable[[], None]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor. CancelledError, which `check` raises, for whatever fails once it is to stop."""
    with contextlib.closing(database.cursor()) as cursor:

        def look() -> None:
            """Time and again: what comes before a query begins is not heard by it."""
            if _asked(check):
                cursor.interrupt()

        try:
            with WATCHER.watching(look):
                yield cursor
        except Exception:
            stopped = _asked(check)
            if stopped is None:
                raise
            raise stopped from None


def _asked(check: Callable[[], None]) -> CancelledError | None:
    try:
        check()
    except CancelledError as error:
        return error
    return None
