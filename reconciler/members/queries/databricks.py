"""Databricks, through the Statement Execution API of a SQL warehouse.

It has no session that only reads. So each statement stands in a FROM clause, where nothing but a query can
stand, and what else a token may do is up to the rights of its owner.
"""

import contextlib
import time
from collections.abc import Generator, Iterator
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING

from reconciler.members.queries.child import typed
from reconciler.members.queries.databricks_api import Result, Workspace
from reconciler.members.queries.databricks_types import Column, received, schema, unfit
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.moments import moment
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Limits, Rows

if TYPE_CHECKING:
    import pyarrow

_TODAY = ":today"


class DatabricksSession:
    """Implements `Session` over the requests of a workspace, which it closes."""

    def __init__(self, workspace: Workspace, limits: Limits) -> None:
        self.limits = limits
        self._workspace = workspace
        try:
            self._workspace.run("SELECT 1", None, self._end(), inline=True)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._workspace.close()

    def moment(self, statement: Statement, today: date) -> datetime:
        with self._read(f"{_text(statement)} LIMIT 2", _day(statement, today)) as rows:
            batches = rows.stream
            found = [one for batch in batches for one in batch.to_pylist()]  # type: ignore[attr-defined] # a reader
            return moment([tuple(one.values()) for one in found])

    def missing_rights(self, tables: tuple[str, ...], /) -> tuple[str, ...]:
        return tuple(one for one in tables if self._is_missing(one))

    def _is_missing(self, table: str) -> bool:
        try:
            self._workspace.run(f"SELECT 1 FROM {table} WHERE 1 = 0", None, self._end(), inline=True)
        except QueryError as error:
            return error.problem is QueryProblem.FORBIDDEN
        return False

    def columns(self, statement: Statement, today: date) -> tuple[str, ...]:
        return tuple(one.name for one in self._columns(statement, today))

    @contextlib.contextmanager
    def described(self, statement: Statement, today: date) -> Iterator[Rows]:
        columns = self._columns(statement, today)
        names = tuple(one.name for one in columns)
        yield Rows(schema(columns).empty_table(), names, unfit(columns), lambda: None)

    def rows(self, statement: Statement, today: date) -> contextlib.AbstractContextManager[Rows]:
        return self._read(f"{_text(statement)}{self.limits.clause}", _day(statement, today))

    @contextlib.contextmanager
    def _read(self, sql: str, today: date | None) -> Iterator[Rows]:
        import pyarrow

        end, found = self._end(), list[QueryError]()
        result = self._workspace.run(sql, today, end)
        self.limits.require(result.rows)
        opened = [_opened(self._workspace.chunk(result, 0, end))] if result.rows else []
        columns = received(opened[0].schema) if opened else schema(result.columns)
        if len(columns) != len(result.columns):
            raise QueryError(QueryProblem.TYPES)

        def batches() -> Iterator["pyarrow.RecordBatch"]:
            try:
                yield from map(partial(typed, schema=columns), self._batches(result, opened, end))
            except QueryError as error:
                found.append(error)
                raise

        reader = pyarrow.RecordBatchReader.from_batches(columns, batches())
        names = tuple(one.name for one in result.columns)
        yield Rows(reader, names, unfit(result.columns), lambda: found[0] if found else None)

    def _batches(
        self, result: Result, opened: list["pyarrow.RecordBatchReader"], end: float
    ) -> Iterator["pyarrow.RecordBatch"]:
        """Yield all rows. Raises QueryError if rows are missing. `opened` has the first part, and loses it.

        Nothing here refers to a part when the next one is fetched, so that its memory is free.
        """
        rows = 0
        for index in range(result.chunks if result.rows else 0):
            rows += yield from self._counted(
                opened.pop() if opened else _opened(self._workspace.chunk(result, index, end))
            )
        if rows != result.rows:
            raise QueryError(QueryProblem.LOST)

    def _counted(self, part: "pyarrow.RecordBatchReader") -> Generator["pyarrow.RecordBatch", None, int]:
        """Yield the rows of a part. Return their number."""
        rows = 0
        for batch in _read(part):
            self.limits.check()
            rows += batch.num_rows
            yield batch
        return rows

    def _columns(self, statement: Statement, today: date) -> tuple[Column, ...]:
        """Return the columns of a query, which does not run."""
        asked = f"DESCRIBE QUERY {_text(statement)}"
        found = self._workspace.run(asked, _day(statement, today), self._end(), inline=True)
        if len(found.values) != found.rows or any(len(one) < 2 for one in found.values):
            raise QueryError(QueryProblem.NOT_A_WORKSPACE)
        return tuple(Column(str(one[0]), str(one[1])) for one in found.values)

    def _end(self) -> float:
        """Return when a statement that begins now has to end."""
        return time.monotonic() + self.limits.time.total_seconds()


def _text(statement: Statement) -> str:
    return f"SELECT * FROM (\n{statement.with_today(_TODAY)}\n)"


def _day(statement: Statement, today: date) -> date | None:
    return today if statement.spots else None


def _opened(content: bytearray) -> "pyarrow.RecordBatchReader":
    import pyarrow

    try:
        return pyarrow.ipc.open_stream(pyarrow.py_buffer(content))
    except (pyarrow.ArrowInvalid, OSError):
        raise QueryError(QueryProblem.TYPES) from None


def _read(part: "pyarrow.RecordBatchReader") -> Iterator["pyarrow.RecordBatch"]:
    import pyarrow

    try:
        yield from part
    except (pyarrow.ArrowInvalid, OSError):
        raise QueryError(QueryProblem.TYPES) from None
