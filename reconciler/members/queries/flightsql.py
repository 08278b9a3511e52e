"""Arrow Flight SQL, through its driver of Arrow in a process of its own.

The protocol has no session that only reads. So each statement stands in a FROM clause, where a server accepts
nothing but a query, and what else a user may do is up to its rights.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.core.database import Server, TlsMode
from reconciler.members.queries.arrow import numbered, renamed
from reconciler.members.queries.child import GRACE, ended, output, started
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.moments import moment
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Account, Limits, Rows
from reconciler.members.watcher import WATCHER

if TYPE_CHECKING:
    import pyarrow

PROCESS = "reconciler.members.queries.flightsql_process"
CONNECTING = 10
"""Seconds that a connection may take."""
LARGEST = 256 << 20
"""Bytes of the largest batch."""
_PASSED = ("LD_LIBRARY_PATH", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE")
"""The variables that the process gets. Others change what the driver exports, and where it connects to."""
_PARAMETER = "CAST(? AS DATE)"
_STATUSES: Mapping[str, QueryProblem] = {
    "CANCELLED": QueryProblem.LOST,
    "ELSEWHERE": QueryProblem.ELSEWHERE,
    "INVALID_ARGUMENT": QueryProblem.INVALID,
    "IO": QueryProblem.LOST,
    "NOT_FOUND": QueryProblem.UNKNOWN_NAME,
    "NOT_IMPLEMENTED": QueryProblem.UNSUPPORTED,
    "TIMEOUT": QueryProblem.TIME,
    "UNAUTHENTICATED": QueryProblem.LOGIN,
    "UNAUTHORIZED": QueryProblem.FORBIDDEN,
}
"""What a status of the driver means. Servers choose among these with little agreement."""


class FlightSqlSession:
    """Implements `Session` over a process that has one connection."""

    def __init__(self, server: Server, account: Account, limits: Limits, authorities: Path | None) -> None:
        self.limits = limits
        passed = {key: os.environ[key] for key in _PASSED if key in os.environ}
        self._child = started(PROCESS, passed)
        try:
            self._write(_address(server, account, limits, authorities))
            self._few("SELECT 1")
        except QueryError as error:
            self.close()
            if error.problem in (QueryProblem.TIME, QueryProblem.ELSEWHERE):
                raise
            raise QueryError(QueryProblem.LOGIN, error.code) from None

    def close(self) -> None:
        if self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()
        ended(self._child)

    def moment(self, statement: Statement, today: date) -> datetime:
        return moment(self._few(f"{_text(statement)} LIMIT 2", _days(statement, today)))

    def missing_rights(self, tables: tuple[str, ...], /) -> tuple[str, ...]:
        return tuple(one for one in tables if self._is_missing(one))

    def _is_missing(self, table: str) -> bool:
        try:
            self._few(f"SELECT 1 FROM {table} WHERE 1 = 0")
        except QueryError as error:
            return error.problem is QueryProblem.FORBIDDEN
        return False

    def columns(self, statement: Statement, today: date) -> tuple[str, ...]:
        return tuple(self._schema(statement, today).names)

    @contextlib.contextmanager
    def described(self, statement: Statement, today: date) -> Iterator[Rows]:
        schema = self._schema(statement, today)
        yield Rows(numbered(schema).empty_table(), tuple(schema.names), {}, lambda: None)

    @contextlib.contextmanager
    def rows(self, statement: Statement, today: date) -> Iterator[Rows]:
        import pyarrow

        found: list[QueryError] = []
        sql = f"{_text(statement)}{self.limits.clause}"
        with self._asked(sql, _days(statement, today)) as (schema, stream):

            def batches() -> Iterator["pyarrow.RecordBatch"]:
                try:
                    for one in stream:
                        yield renamed(one, numbered(schema))
                except QueryError as error:
                    found.append(error)
                    raise

            reader = pyarrow.RecordBatchReader.from_batches(numbered(schema), batches())
            yield Rows(reader, tuple(schema.names), {}, lambda: found[0] if found else None)

    def _schema(self, statement: Statement, today: date) -> "pyarrow.Schema":
        with self._asked(_text(statement), _days(statement, today), run=False) as (schema, stream):
            list(stream)
            return schema

    def _few(self, sql: str, days: list[str] | None = None) -> list[tuple[object, ...]]:
        """Return the few rows of a statement of ours, or of one that returns a moment."""
        with self._asked(sql, days or []) as (_, stream):
            return [tuple(row.values()) for batch in stream for row in batch.to_pylist()]

    @contextlib.contextmanager
    def _asked(
        self, sql: str, days: list[str], *, run: bool = True
    ) -> Iterator[tuple["pyarrow.Schema", Iterator["pyarrow.RecordBatch"]]]:
        """Ask the process, which is ended if a user asks to stop or the server is silent for too long."""
        import pyarrow

        end = time.monotonic() + self.limits.time.total_seconds()

        def look() -> None:
            if time.monotonic() >= end + GRACE or self.limits.are_to_end():
                self._child.kill()

        with WATCHER.watching(look):
            self._write({"sql": sql, "dates": days, "run": run})
            self._require_success(end)
            try:
                reader = pyarrow.ipc.open_stream(output(self._child))
            except (pyarrow.ArrowInvalid, OSError):
                raise self._lost(end) from None
            yield reader.schema, self._batches(reader, end)

    def _batches(self, reader: "pyarrow.RecordBatchReader", end: float) -> Iterator["pyarrow.RecordBatch"]:
        import pyarrow

        with contextlib.suppress(pyarrow.ArrowInvalid, OSError):
            for batch in reader:
                self.limits.check()
                yield batch
        self._require_success(end)

    def _require_success(self, end: float) -> None:
        """Raise QueryError if the process states a status, or nothing."""
        try:
            status = json.loads(output(self._child).readline())["status"]
        except ValueError:
            raise self._lost(end) from None
        if status:
            problem = _STATUSES.get(status, QueryProblem.OTHER)
            raise QueryError(problem, "" if problem is QueryProblem.ELSEWHERE else status)

    def _lost(self, end: float) -> QueryError:
        self.limits.check()
        return QueryError(QueryProblem.TIME if time.monotonic() >= end else QueryProblem.LOST)

    def _write(self, asked: Mapping[str, Any]) -> None:
        if self._child.stdin is None:
            raise AssertionError("the process was started with a pipe")
        with contextlib.suppress(BrokenPipeError):  # its end shows when it is to answer
            self._child.stdin.write(json.dumps(asked).encode() + b"\n")
            self._child.stdin.flush()


def _text(statement: Statement) -> str:
    return f"SELECT * FROM (\n{statement.with_today(_PARAMETER)}\n) AS rows_"


def _days(statement: Statement, today: date) -> list[str]:
    return [today.isoformat() for _ in statement.spots]


def _address(server: Server, account: Account, limits: Limits, authorities: Path | None) -> dict[str, Any]:
    """Return what the driver connects with. Without `authorities`, those of the system are trusted."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    scheme = "grpc" if server.tls is TlsMode.DISABLE else "grpc+tls"
    prefix, seconds = "adbc.flight.sql", str(limits.time.total_seconds())
    return {
        "uri": f"{scheme}://{host}:{server.port}",
        "options": {
            **_login(account),
            **({f"{prefix}.rpc.call_header.database": server.database} if server.database else {}),
            **({f"{prefix}.client_option.tls_root_certs": authorities.read_text()} if authorities else {}),
            **({f"{prefix}.client_option.tls_skip_verify": "true"} if server.tls is TlsMode.REQUIRE else {}),
            f"{prefix}.client_option.with_max_msg_size": str(LARGEST),
            f"{prefix}.rpc.timeout_seconds.connect": str(CONNECTING),
            f"{prefix}.rpc.timeout_seconds.query": seconds,
            f"{prefix}.rpc.timeout_seconds.fetch": seconds,
            f"{prefix}.rpc.timeout_seconds.update": seconds,
            f"{prefix}.rpc.with_cookie_middleware": "true",
        },
    }


def _login(account: Account) -> dict[str, str]:
    if token := account.token.reveal():
        return {"adbc.flight.sql.authorization_header": f"Bearer {token}"}
    return {"username": account.user.reveal(), "password": account.password.reveal()}
