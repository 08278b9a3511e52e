"""A DuckDB file, read by a database of its own that has no way to files, networks or extensions."""

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from reconciler.members.queries.guard import Statement
from reconciler.members.queries.moments import moment
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Limits, Rows
from reconciler.members.watcher import WATCHER

MEMORY = "512MB"
_MAGIC = b"DUCK"
"""What stands in each database after its first checksum."""
_PROBLEMS: tuple[tuple[type[duckdb.Error], QueryProblem], ...] = (
    (duckdb.CatalogException, QueryProblem.UNKNOWN_NAME),
    (duckdb.BinderException, QueryProblem.UNKNOWN_NAME),
    (duckdb.PermissionException, QueryProblem.FORBIDDEN),
    (duckdb.ParserException, QueryProblem.INVALID),
    (duckdb.SyntaxException, QueryProblem.INVALID),
    (duckdb.ConversionException, QueryProblem.VALUE),
    (duckdb.OutOfRangeException, QueryProblem.VALUE),
    (duckdb.InvalidInputException, QueryProblem.VALUE),
    (duckdb.OutOfMemoryException, QueryProblem.BUSY),
)


class Relation:
    """Arrow batches of a relation, for a reader in another database."""

    def __init__(self, relation: Any) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


class DuckDbSession:
    """Implements `Session` over a file; `folder` is where it may spill."""

    def __init__(self, file: Path, folder: Path, limits: Limits) -> None:
        self.limits = limits
        if not file.is_file():
            raise QueryError(QueryProblem.NO_FILE)
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "threads": "2",
            "temp_directory": str(folder),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        try:
            self._database = duckdb.connect(str(file), read_only=True, config=settings)
        except duckdb.Error:
            raise QueryError(QueryProblem.IN_USE if _is_ours(file) else QueryProblem.NO_DATABASE) from None
        locked = {
            "TimeZone": "'UTC'",
            "python_enable_replacements": "false",
            "enable_external_access": "false",
            "lock_configuration": "true",
        }
        self._database.execute("; ".join(f"SET GLOBAL {one} = {value}" for one, value in locked.items()))

    def close(self) -> None:
        self._database.close()

    def missing_rights(self, _: tuple[str, ...], /) -> tuple[str, ...]:
        """A file is read as a whole."""
        return ()

    def moment(self, statement: Statement, today: date) -> datetime:
        over = threading.Event()
        with self._watched(over), self._translated(over):
            found = self._relation(statement, today).limit(2).fetchall()
        return moment(found)

    def columns(self, statement: Statement, today: date) -> tuple[str, ...]:
        over = threading.Event()
        with self._watched(over), self._translated(over):
            return tuple(self._relation(statement, today).columns)

    @contextlib.contextmanager
    def described(self, statement: Statement, today: date) -> Iterator[Rows]:
        with self._read(statement, today, " LIMIT 0") as rows:
            yield rows

    @contextlib.contextmanager
    def rows(self, statement: Statement, today: date) -> Iterator[Rows]:
        with self._read(statement, today, self.limits.clause) as rows:
            yield rows

    @contextlib.contextmanager
    def _read(self, statement: Statement, today: date, limit: str) -> Iterator[Rows]:
        over = threading.Event()
        with self._watched(over):
            with self._translated(over):
                columns = tuple(self._relation(statement, today).columns)
                numbered = ", ".join(f"c{index}" for index in range(len(columns)))
                wrapped = f"SELECT * FROM (\n{statement.with_today('$today')}\n) AS rows({numbered}){limit}"
                relation = self._query(wrapped, statement, today)

            def failure() -> QueryError:
                return QueryError(QueryProblem.TIME if over.is_set() else QueryProblem.VALUE)

            yield Rows(Relation(relation), columns, {}, failure)

    def _relation(self, statement: Statement, today: date) -> duckdb.DuckDBPyRelation:
        return self._query(statement.with_today("$today"), statement, today)

    def _query(self, text: str, statement: Statement, today: date) -> duckdb.DuckDBPyRelation:
        """A relation has its columns before any row is read."""
        return self._database.sql(text, params={"today": today} if statement.spots else None)

    @contextlib.contextmanager
    def _watched(self, over: threading.Event) -> Iterator[None]:
        """Interrupt what runs past its time."""
        end = time.monotonic() + self.limits.time.total_seconds()

        def look() -> None:
            if time.monotonic() >= end:
                over.set()
            if over.is_set() or self.limits.are_to_end():
                self._database.interrupt()

        with WATCHER.watching(look):
            yield

    @contextlib.contextmanager
    def _translated(self, over: threading.Event) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            self.limits.check()
            raise QueryError(QueryProblem.TIME if over.is_set() else _problem(error)) from None


def _is_ours(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(12)[8:] == _MAGIC


def _problem(error: duckdb.Error) -> QueryProblem:
    return next((problem for kind, problem in _PROBLEMS if isinstance(error, kind)), QueryProblem.OTHER)
