"""BigQuery, through Google's own clients in a process of their own.

BigQuery has no session that only reads. A dry run states what kind of statement it is, how many bytes it
reads, and which columns it returns. Only then a query runs.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from reconciler.core.database import DatabaseConnection, Server, TlsMode
from reconciler.members.queries.bigquery_errors import OWN, PROBLEMS
from reconciler.members.queries.bigquery_types import Field, schema, unfit
from reconciler.members.queries.child import typed
from reconciler.members.queries.conversation import Conversation, Meanings
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.moments import moment
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Account, Limits, Rows

if TYPE_CHECKING:
    import pyarrow

PROCESS = "reconciler.members.queries.bigquery_process"
OPENING = 60.0
"""Seconds that the clients may take to start and to log in."""
TODAY = "reconciler_today"
_PASSED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CLOUDSDK_CONFIG",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HOME",
    "LD_LIBRARY_PATH",
    "NO_GCE_CHECK",
    "PATH",
)
"""The variables that the process gets: those of credentials. Others change where the clients connect to."""
_PROJECT = (QueryProblem.FORBIDDEN, QueryProblem.UNKNOWN_NAME, QueryProblem.INVALID)
"""What is wrong with the project if `SELECT 1` is refused."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A statement with the value of its parameter."""

    sql: str
    today: str

    def of(self, step: str) -> dict[str, Any]:
        return {"step": step, "sql": self.sql, "today": self.today}


class BigQuerySession:
    """Implements `Session` over a process that has one login."""

    def __init__(
        self, connection: DatabaseConnection, server: Server, account: Account, limits: Limits
    ) -> None:
        self.limits = limits
        self._process = Conversation(PROCESS, _PASSED, limits, Meanings(PROBLEMS, OWN))
        try:
            self._process.write(_address(connection, server, account, limits))
            self._columns(_Asked("SELECT 1", ""), max(self._process.end(), time.monotonic() + OPENING))
        except QueryError as error:
            self.close()
            if error.problem in _PROJECT:
                raise QueryError(QueryProblem.NO_JOBS, error.code) from None
            raise

    def close(self) -> None:
        self._process.close()

    def moment(self, statement: Statement, today: date) -> datetime:
        with self.rows(statement, today) as rows:
            found: list[dict[str, object]] = []
            for batch in rows.stream:  # type: ignore[attr-defined] # a reader of batches
                found += batch.slice(0, 2).to_pylist()
            return moment([tuple(one.values()) for one in found])

    def missing_rights(self, tables: tuple[str, ...], /) -> tuple[str, ...]:
        self._read_one()
        return tuple(one for one in tables if self._is_missing(one))

    def _read_one(self) -> None:
        """Raise QueryError if this login may run queries and not read their results."""
        end = self._process.end()
        self._process.answer(_Asked("SELECT 1", "").of("run"), end)
        with self._process.streamed({"step": "read"}, end) as (_, batches):
            list(batches)

    def _is_missing(self, table: str) -> bool:
        try:
            self._columns(_Asked(f"SELECT 1 FROM {table}", ""), self._process.end())
        except QueryError as error:
            return error.problem is QueryProblem.FORBIDDEN
        return False

    def columns(self, statement: Statement, today: date) -> tuple[str, ...]:
        return _names(self._columns(_asked(statement, today), self._process.end()))

    @contextlib.contextmanager
    def described(self, statement: Statement, today: date) -> Iterator[Rows]:
        fields = self._columns(_asked(statement, today), self._process.end())
        yield Rows(schema(fields).empty_table(), _names(fields), unfit(fields), lambda: None)

    @contextlib.contextmanager
    def rows(self, statement: Statement, today: date) -> Iterator[Rows]:
        import pyarrow

        asked, end, found = _asked(statement, today), self._process.end(), list[QueryError]()
        fields = self._columns(asked, end)
        self.limits.require(self._process.answer(asked.of("run"), end)["rows"])
        columns = schema(fields)
        with self._process.streamed({"step": "read"}, end) as (_, stream):

            def batches() -> Iterator["pyarrow.RecordBatch"]:
                try:
                    for one in stream:
                        yield typed(one, columns)
                except QueryError as error:
                    found.append(error)
                    raise

            reader = pyarrow.RecordBatchReader.from_batches(columns, batches())
            yield Rows(reader, _names(fields), unfit(fields), lambda: found[0] if found else None)

    def _columns(self, asked: _Asked, end: float) -> Sequence[Field]:
        """Return the columns of a statement that may run. It reads nothing and costs nothing."""
        answer = self._process.answer(asked.of("describe"), end)
        if answer["kind"] != "SELECT":
            raise QueryError(QueryProblem.WRITES)
        if self.limits.bytes is not None and answer["bytes"] > self.limits.bytes:
            raise QueryError(QueryProblem.COST, limit=self.limits.bytes, amount=answer["bytes"])
        fields: Sequence[Field] = answer["columns"]
        return fields


def _asked(statement: Statement, today: date) -> _Asked:
    return _Asked(statement.with_today(f"@{TODAY}"), today.isoformat() if statement.spots else "")


def _names(fields: Sequence[Field]) -> tuple[str, ...]:
    return tuple(one["name"] for one in fields)


def _address(
    connection: DatabaseConnection, server: Server, account: Account, limits: Limits
) -> dict[str, Any]:
    """Return what the clients connect with. Each host of Google's has one beside it, which reads results."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    reads = host.replace("bigquery", "bigquerystorage", 1)
    encrypted = server.tls is not TlsMode.DISABLE
    return {
        "api": f"{'https' if encrypted else 'http'}://{host}:{server.port}",
        "reads": f"{reads}:{server.port}",
        "encrypted": encrypted,
        "key": account.key.reveal(),
        "project": connection.project,
        "location": connection.location or None,
        "dataset": server.database,
        "seconds": limits.time.total_seconds(),
        "bytes": limits.bytes,
    }
