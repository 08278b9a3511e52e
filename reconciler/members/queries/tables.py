"""Queries as tables: guarded, described, and staged in a file that the engine reads as it reads Parquet.

The rows of a query are brought once for all audiences with that query. The file is private to this process.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import duckdb

from reconciler.core.errors import AuthenticationError, ConfigurationError, Finding
from reconciler.core.model import Query, SourceLocation
from reconciler.core.value_location import place_within
from reconciler.disk.private_dir import private_directory
from reconciler.members.database import is_ours, literal, name, number
from reconciler.members.described import parquet_table, unique
from reconciler.members.file_stamp import stamp
from reconciler.members.parts import File
from reconciler.members.queries.databases import NO_DATABASES, Databases
from reconciler.members.queries.installed import require
from reconciler.members.queries.problems import NotInstalledError, QueryError, QueryProblem
from reconciler.members.queries.session import STREAM, Limits, Rows, Session
from reconciler.members.sources import RowOrigin, Table
from reconciler.members.stopping import stoppable

if TYPE_CHECKING:
    from reconciler.members.queries.guard import Statement

Columns = Collection[str]
Reading = Callable[[Session, "Statement", Columns, date], AbstractContextManager[Rows]]
"""How far a query is read: `described` or `run`."""


class QueryTables(Protocol):
    """How queries are looked at."""

    def looked_up_again(self) -> "QueryTables":
        """Return the same, for another look at what queries return."""
        ...

    def table(
        self, cursor: duckdb.DuckDBPyConnection, query: Query, columns: Columns, today: date
    ) -> Table | None:
        """Return the rows of a query with these identifier columns; None if no database was asked.

        Raises ConfigurationError.
        """
        ...


@dataclass(frozen=True, slots=True)
class GuardedQueries:
    """Looks at the text of queries only."""

    databases: Databases = NO_DATABASES

    def looked_up_again(self) -> "GuardedQueries":
        return self

    def table(
        self,
        cursor: duckdb.DuckDBPyConnection,  # noqa: ARG002 - part of the protocol
        query: Query,
        columns: Columns,  # noqa: ARG002 - part of the protocol
        today: date,  # noqa: ARG002 - part of the protocol
    ) -> None:
        _guard(self.databases, query)


@dataclass(frozen=True, slots=True)
class AskedQueries:
    """Asks databases. `data` is the data root, `folder` a private folder that need not be there yet."""

    databases: Databases
    data: Path
    folder: Path
    check: Callable[[], None]
    read: Reading
    _known: dict[tuple[str, str, str], Table] = field(default_factory=dict)

    def looked_up_again(self) -> "AskedQueries":
        return replace(self, _known={})

    def table(self, cursor: duckdb.DuckDBPyConnection, query: Query, columns: Columns, today: date) -> Table:
        _guard(self.databases, query)
        key = (query.connection, query.sql, query.freshness)
        if key in self._known:
            return replace(self._known[key], place=query.place)
        found = self._asked(cursor, query, columns, today)
        if all(found.has(one) for one in columns):
            self._known[key] = found
        return found

    def _asked(self, cursor: duckdb.DuckDBPyConnection, query: Query, columns: Columns, today: date) -> Table:
        folder = private_directory(self.folder)
        reported = _Reported(query.connection, self.check)
        with (
            reported.at(query.place),
            self.databases.session(query.connection, self.data, folder, self.check) as session,
        ):
            fresh_at = None
            if query.freshness:
                with reported.at(query.freshness_place):
                    fresh_at = session.moment(self._statement(query, query.freshness), today)
            with (
                self.read(session, self._statement(query, query.sql), columns, today) as rows,
                stoppable(cursor, self.check) as unused,
            ):
                staged = _staged(unused, rows, folder, query, session.limits)
                return replace(staged, fresh_at=fresh_at)

    def _statement(self, query: Query, sql: str) -> "Statement":
        from reconciler.members.queries.guard import guarded

        connection = self.databases.connection(query.connection)
        return guarded(sql, connection.driver, connection.dialect)


def described(
    session: Session, statement: "Statement", _: Columns, today: date
) -> AbstractContextManager[Rows]:
    """Bring no row."""
    return session.described(statement, today)


def run(
    session: Session, statement: "Statement", columns: Columns, today: date
) -> AbstractContextManager[Rows]:
    """Bring all rows, unless a column is missing."""
    found = {one.casefold() for one in session.columns(statement, today)}
    if any(one.casefold() not in found for one in columns):
        return session.described(statement, today)
    return session.rows(statement, today)


def _guard(databases: Databases, query: Query) -> None:
    """Raise what is wrong with the texts of a query, all of it."""
    connection, findings = databases.connection(query.connection), list[Finding]()
    try:
        require(connection.driver)
    except NotInstalledError as error:
        raise _refused([error.finding(query.place, query.connection)]) from None
    from reconciler.members.queries.guard import guarded

    for sql, place, written in (
        (query.sql, query.place, query.written),
        (query.freshness, query.freshness_place, query.freshness_written),
    ):
        try:
            if sql:
                guarded(sql, connection.driver, connection.dialect)
        except QueryError as error:
            at = place if error.index is None else place_within(place, written, sql, error.index)
            findings.append(error.finding(at, query.connection))
    if findings:
        raise _refused(findings)


@dataclass(frozen=True, slots=True)
class _Reported:
    """Errors of a database as findings."""

    connection: str
    check: Callable[[], None]

    @contextlib.contextmanager
    def at(self, place: SourceLocation) -> Iterator[None]:
        """Raise ConfigurationError, unless a user asked to stop or the command has to end."""
        try:
            yield
        except (QueryError, NotInstalledError) as error:
            self.check()
            raise _refused([error.finding(place, self.connection)]) from None
        except AuthenticationError as error:
            problem = f"{self.connection}: {error.problem}"
            raise _refused([Finding(str(place), problem, error.remedy)]) from None


def _refused(findings: list[Finding]) -> ConfigurationError:
    return ConfigurationError("a query can't be used", findings=findings)


def _staged(
    cursor: duckdb.DuckDBPyConnection, rows: Rows, folder: Path, query: Query, limits: Limits
) -> Table:
    """Write the rows into a file, under the names of their columns.

    `cursor` has no unfinished result: DuckDB registers nothing beside one.
    """
    names = unique(rows.columns)
    if not names:
        raise QueryError(QueryProblem.TYPES)
    handle, path = tempfile.mkstemp(suffix=".parquet", dir=folder)
    os.close(handle)
    items = ", ".join(f"c{index} AS {name(one)}" for index, one in enumerate(names))
    brought = f"SELECT {items} FROM {STREAM} WHERE {rows.filtered}"
    try:
        cursor.register(STREAM, rows.stream)
        limits.require(number(cursor, f"COPY ({brought}) TO {literal(path)} (FORMAT parquet)"))
    except QueryError:
        Path(path).unlink()
        raise
    except duckdb.Error as error:
        Path(path).unlink()
        if is_ours(error):
            raise
        raise rows.failure() or QueryError(QueryProblem.TYPES) from None
    finally:
        cursor.unregister(STREAM)
    file = File(f"the query of {query.connection}", Path(path), stamp(Path(path)))
    types = {names[index].casefold(): one for index, one in rows.unfit.items()}
    return replace(parquet_table(cursor, file, types, query.place), origin=RowOrigin.QUERY)
