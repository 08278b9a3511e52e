"""Arrow Flight SQL, through its driver of Arrow in a process of its own.

The protocol has no session that only reads. So each statement stands in a FROM clause, where a server accepts
nothing but a query, and what else a user may do is up to its rights.
"""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.core.database import Server, TlsMode
from reconciler.members.queries.arrow import numbered, renamed
from reconciler.members.queries.conversation import Conversation, Meanings
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.moments import moment
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Account, Limits, Rows

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
    "INVALID_ARGUMENT": QueryProblem.INVALID,
    "IO": QueryProblem.LOST,
    "NOT_FOUND": QueryProblem.UNKNOWN_NAME,
    "NOT_IMPLEMENTED": QueryProblem.UNSUPPORTED,
    "TIMEOUT": QueryProblem.TIME,
    "UNAUTHENTICATED": QueryProblem.LOGIN,
    "UNAUTHORIZED": QueryProblem.FORBIDDEN,
}
"""What a status of the driver means. Servers choose among these with little agreement."""
_OWN: Mapping[str, QueryProblem] = {"ELSEWHERE": QueryProblem.ELSEWHERE}
"""What a status of the process itself means."""


class FlightSqlSession:
    """Implements `Session` over a process that has one connection."""

    def __init__(self, server: Server, account: Account, limits: Limits, authorities: Path | None) -> None:
        self.limits = limits
        self._process = Conversation(PROCESS, _PASSED, limits, Meanings(_STATUSES, _OWN))
        try:
            self._process.write(_address(server, account, limits, authorities))
            self._few("SELECT 1")
        except QueryError as error:
            self.close()
            if error.problem in (QueryProblem.TIME, QueryProblem.ELSEWHERE):
                raise
            raise QueryError(QueryProblem.LOGIN, error.code) from None

    def close(self) -> None:
        self._process.close()

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
        asked = {"sql": sql, "dates": days, "run": run}
        with self._process.streamed(asked, self._process.end()) as answered:
            yield answered


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
