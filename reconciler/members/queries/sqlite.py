"""SQLite: its own parser allows reading only, and what is read is copied before it is brought.

SQLite has no types of columns. The copy lets each column be looked at as a whole, and be brought as one type:
a driver of Arrow guesses the type from the first rows. SQLite can also be stopped while it copies.
"""

import contextlib
import errno
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from urllib.parse import quote

from reconciler.members.database import literal, name
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.moments import moment
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Limits, Rows

COPY = "staged"
"""What the database of the copy is called."""
STEPS = 20_000
"""Steps of SQLite's machine between two looks whether to stop: about a millisecond."""
SAMPLE = 1_000
"""Rows whose types stand for those of a query that is only described."""
_READING = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_FUNCTION,
}
_TYPES = {"blob": "x''", "text": "''", "real": "0.0", "integer": "0"}
"""The types of values, the one first that holds all that follow, with a value of each."""
_CASTS = {"blob": "BLOB", "text": "TEXT", "real": "REAL", "integer": "INTEGER"}
_PROBLEMS = {
    sqlite3.SQLITE_AUTH: QueryProblem.WRITES,
    sqlite3.SQLITE_READONLY: QueryProblem.WRITES,
    sqlite3.SQLITE_NOTADB: QueryProblem.NO_DATABASE,
    sqlite3.SQLITE_CORRUPT: QueryProblem.NO_DATABASE,
    sqlite3.SQLITE_CANTOPEN: QueryProblem.NO_FILE,
    sqlite3.SQLITE_BUSY: QueryProblem.BUSY,
    sqlite3.SQLITE_LOCKED: QueryProblem.BUSY,
    sqlite3.SQLITE_ERROR: QueryProblem.INVALID,
}

_NO_ROOM = {"SQLITE_IOERR_WRITE", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_FSYNC"}
"""Only the copy is written: the working folder has no room for it."""


class SqliteSession:
    """Implements `Session` over a file. The copy is a file of `folder`, removed after use."""

    def __init__(self, file: Path, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self.limits = limits
        self._end = float("inf")
        self._is_over = False
        with _translated():
            self._database = sqlite3.connect(
                f"file:{quote(str(file))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def close(self) -> None:
        self._database.close()

    def missing_rights(self, _: tuple[str, ...], /) -> tuple[str, ...]:
        """A file is read as a whole."""
        return ()

    def moment(self, statement: Statement, today: date) -> datetime:
        with self._guarded():
            found = self._database.execute(statement.text, _bound(statement, today)).fetchmany(2)
        return moment([(found[0][0],)] if len(found) == 1 and len(found[0]) == 1 else [])

    def columns(self, statement: Statement, today: date) -> tuple[str, ...]:
        inner, bound = f"(\n{statement.text}\n)", _bound(statement, today)
        with self._guarded():
            described = self._database.execute(f"SELECT * FROM {inner} LIMIT 0", bound).description
        return tuple(map(_stated, (str(one[0]) for one in described)))

    @contextlib.contextmanager
    def described(self, statement: Statement, today: date) -> Iterator[Rows]:
        with self._copied(statement, today, SAMPLE) as rows:
            yield Rows(rows.stream, rows.columns, rows.unfit, rows.failure, "false")

    @contextlib.contextmanager
    def rows(self, statement: Statement, today: date) -> Iterator[Rows]:
        most = -1 if self.limits.rows is None else self.limits.rows + 1
        with self._copied(statement, today, most) as rows:
            yield rows

    @contextlib.contextmanager
    def _copied(self, statement: Statement, today: date, most: int) -> Iterator[Rows]:
        """Copy up to `most` rows, all with -1, and read the copy."""
        file = self._folder / "rows.sqlite"
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        try:
            with self._attached(file):
                names = self._copy(statement, today, most)
                types = self._types(len(names))
            with _stream(file, types) as stream:
                yield Rows(stream, names, {}, lambda: None, "kept = 1")
        finally:
            file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _attached(self, file: Path) -> Iterator[None]:
        with _translated():
            self._database.execute(f"ATTACH {literal(f'file:{quote(str(file))}?mode=rw')} AS {COPY}")
            self._database.execute(f"PRAGMA {COPY}.journal_mode = OFF")
            self._database.execute(f"PRAGMA {COPY}.synchronous = OFF")
        try:
            yield
        finally:
            self._database.execute(f"DETACH {COPY}")

    def _copy(self, statement: Statement, today: date, most: int) -> tuple[str, ...]:
        names = self.columns(statement, today)
        columns = ", ".join(f"c{index}" for index in range(len(names)))
        with _translated():
            self._database.execute(f"CREATE TABLE {COPY}.rows ({columns})")
        with self._guarded():
            query = f"SELECT * FROM (\n{statement.text}\n) LIMIT {most}"
            self._database.execute(f"INSERT INTO {COPY}.rows {query}", _bound(statement, today))
        return names

    def _types(self, columns: int) -> tuple[str, ...]:
        """Return the type of each column that holds all of its values; text for one without any."""
        tests = [f"max(typeof(c{index}) = {literal(one)})" for index in range(columns) for one in _TYPES]
        with _translated():
            [found] = self._database.execute(f"SELECT {', '.join(tests)} FROM {COPY}.rows").fetchall()
        flags = iter(found)
        seen = [[one for one in _TYPES if next(flags)] for _ in range(columns)]
        return tuple(one[0] if one else "text" for one in seen)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """SQLite asks for each thing that a statement would do, and now and then whether to go on."""
        self._end, self._is_over = time.monotonic() + self.limits.time.total_seconds(), False
        self._database.set_authorizer(_authorize)
        self._database.set_progress_handler(self._stops, STEPS)
        try:
            with _translated():
                yield
        except QueryError:
            self.limits.check()
            if self._is_over:
                raise QueryError(QueryProblem.TIME) from None
            raise
        finally:
            self._database.set_authorizer(None)
            self._database.set_progress_handler(None, 0)

    def _stops(self) -> bool:
        """An error here ends the statement too; the check that follows raises it again."""
        self.limits.check()
        self._is_over = time.monotonic() >= self._end
        return self._is_over


def _stated(column: str) -> str:
    """Return the name that a query states: SQLite numbers those that are there twice, such as `email:1`."""
    return re.sub(r":[0-9]+$", "", column)


def _authorize(
    action: int, first: str | None, second: str | None, database: str | None, _: str | None
) -> int:
    if action == sqlite3.SQLITE_FUNCTION and second == "load_extension":
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_INSERT and (first, database) == ("rows", COPY):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _bound(statement: Statement, today: date) -> dict[str, str]:
    return {"today": today.isoformat()} if statement.spots else {}


@contextlib.contextmanager
def _stream(file: Path, types: tuple[str, ...]) -> Iterator[object]:
    """Read the copy. Its first row has a value of each type, and is not kept: it decides the types."""
    import adbc_driver_manager as adbc
    import adbc_driver_sqlite

    library = adbc_driver_sqlite._driver_path()  # noqa: SLF001 - no other name for it
    sample = ", ".join(f"{_TYPES[one]} AS c{index}" for index, one in enumerate(types))
    cast = ", ".join(f"CAST(c{index} AS {_CASTS[one]})" for index, one in enumerate(types))
    query = f"SELECT 0 AS kept, {sample} UNION ALL SELECT 1, {cast} FROM {name('rows')}"
    try:
        with (
            adbc.AdbcDatabase(driver=library, uri=f"file:{quote(str(file))}") as database,
            adbc.AdbcConnection(database) as connection,
            adbc.AdbcStatement(connection) as statement,
        ):
            statement.set_sql_query(query)
            stream, _ = statement.execute_query()
            yield stream
    except adbc.Error:
        raise QueryError(QueryProblem.TYPES) from None


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        label = str(getattr(error, "sqlite_errorname", ""))
        if code == sqlite3.SQLITE_FULL or label in _NO_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
        raise QueryError(_PROBLEMS.get(code, QueryProblem.OTHER), label) from None
