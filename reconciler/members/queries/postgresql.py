"""PostgreSQL through its driver of Arrow: one read-only transaction, whose rows come as batches.

All of a session is one transaction, so that its queries see the same rows. `:today` is a setting of that
transaction: with a bound parameter, the driver would hold all rows in memory.
"""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core.database import Server, TlsMode
from reconciler.members.database import literal
from reconciler.members.queries.arrow import numbered, renamed
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.moments import moment
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Account, Limits, Rows
from reconciler.members.watcher import WATCHER

if TYPE_CHECKING:
    import adbc_driver_manager as adbc
    import pyarrow

CONNECTING = 10
"""Seconds that one address may take to accept a connection and a login."""
_TODAY = "reconciler.today"
_PARAMETER = f"current_setting({literal(_TODAY)})::date"
_CODES: Mapping[str, QueryProblem] = {
    "42501": QueryProblem.FORBIDDEN,
    "57014": QueryProblem.TIME,
    "25006": QueryProblem.WRITES,
    "42P01": QueryProblem.UNKNOWN_NAME,
    "42703": QueryProblem.UNKNOWN_NAME,
    "42883": QueryProblem.UNKNOWN_NAME,
    "3F000": QueryProblem.UNKNOWN_NAME,
}
_CLASSES: Mapping[str, QueryProblem] = {
    "08": QueryProblem.LOST,
    "57": QueryProblem.LOST,
    "22": QueryProblem.VALUE,
    "42": QueryProblem.INVALID,
    "53": QueryProblem.BUSY,
    "55": QueryProblem.BUSY,
}
"""What a code means by its first two characters, where it has no meaning of its own here."""


class PostgresqlSession:
    """Implements `Session` over one connection, to a server that can be reached."""

    def __init__(self, server: Server, account: Account, limits: Limits, authorities: Path | None) -> None:
        import adbc_driver_manager as adbc
        import adbc_driver_postgresql

        self.limits = limits
        self._open = contextlib.ExitStack()
        library = adbc_driver_postgresql._driver_path()  # noqa: SLF001 - no other name for it
        try:
            database = self._open.enter_context(
                adbc.AdbcDatabase(driver=library, uri=_address(server, account, authorities))
            )
            self._connection = self._open.enter_context(adbc.AdbcConnection(database))
        except adbc.Error as error:
            self._open.close()
            raise QueryError(QueryProblem.LOGIN, error.sqlstate or "") from None
        try:
            self._begin()
        except QueryError:
            self.close()
            raise

    def close(self) -> None:
        self._open.close()

    def moment(self, statement: Statement, today: date) -> datetime:
        self._set_today(statement, today)
        return moment(self._answer(_text(statement)))

    def missing_rights(self, tables: tuple[str, ...], /) -> tuple[str, ...]:
        return tuple(one for one in tables if self._is_missing(one))

    def _is_missing(self, table: str) -> bool:
        found = f"to_regclass({literal(table)})"
        return self._answer(f"SELECT has_table_privilege({found}, 'SELECT')") == [(False,)]

    def columns(self, statement: Statement, today: date) -> tuple[str, ...]:
        return tuple(self._schema(statement, today).names)

    @contextlib.contextmanager
    def described(self, statement: Statement, today: date) -> Iterator[Rows]:
        schema = self._schema(statement, today)
        table = numbered(schema).empty_table()
        yield Rows(table, tuple(schema.names), _unfit(schema), lambda: None)

    @contextlib.contextmanager
    def rows(self, statement: Statement, today: date) -> Iterator[Rows]:
        self._set_today(statement, today)
        text = _text(statement)
        if clause := self.limits.clause:
            text = f"SELECT * FROM (\n{text}\n) AS rows{clause}"
        with self._streamed(text) as reader:
            found: list[QueryError] = []
            schema = reader.schema
            stream = _recorded(reader, numbered(schema), self.limits, found)
            yield Rows(stream, tuple(schema.names), _unfit(schema), lambda: found[0] if found else None)

    def _schema(self, statement: Statement, today: date) -> "pyarrow.Schema":
        import pyarrow

        self._set_today(statement, today)
        with self._prepared(_text(statement)) as prepared, _translated():
            return pyarrow.schema(prepared.execute_schema())

    def _begin(self) -> None:
        milliseconds = int(self.limits.time.total_seconds() * 1000)
        with _translated():
            self._connection.set_autocommit(False)
        self._answer("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        self._answer(f"SET LOCAL statement_timeout = {milliseconds}")
        if self._answer("SELECT current_setting('transaction_read_only')") != [("on",)]:
            raise QueryError(QueryProblem.WRITABLE)

    def _set_today(self, statement: Statement, today: date) -> None:
        if statement.spots:
            self._answer(f"SELECT set_config({literal(_TODAY)}, {literal(today.isoformat())}, true)")

    def _answer(self, sql: str) -> list[tuple[object, ...]]:
        """Return the few rows of a statement of ours, or of one that returns a moment."""
        with self._streamed(sql) as reader, _translated():
            columns = [column.to_pylist() for column in reader.read_all().columns]
            return list(zip(*columns, strict=True))

    @contextlib.contextmanager
    def _streamed(self, sql: str) -> Iterator["pyarrow.RecordBatchReader"]:
        """Run a statement, which ends if a user asks to stop."""
        from adbc_driver_manager._reader import AdbcRecordBatchReader

        with self._prepared(sql) as prepared, WATCHER.watching(lambda: self._look(prepared)):
            with _translated():
                handle, _ = prepared.execute_query()
            yield AdbcRecordBatchReader._import_from_c(handle.address)  # noqa: SLF001 - keeps codes of errors

    def _look(self, prepared: "adbc.AdbcStatement") -> None:
        if self.limits.are_to_end():
            with _ended():
                prepared.cancel()

    @contextlib.contextmanager
    def _prepared(self, sql: str) -> Iterator["adbc.AdbcStatement"]:
        import adbc_driver_manager as adbc

        with adbc.AdbcStatement(self._connection) as prepared:
            prepared.set_sql_query(sql)
            yield prepared


def _text(statement: Statement) -> str:
    """Return the text for the driver, which puts it between brackets: a comment at its end must end too."""
    return f"{statement.with_today(_PARAMETER)}\n"


def _address(server: Server, account: Account, authorities: Path | None) -> str:
    """Return a connection string of libpq. Without `authorities`, those of the system are trusted."""
    parts = {
        "host": server.host,
        "port": str(server.port),
        "dbname": server.database,
        "user": account.user.reveal(),
        "password": account.password.reveal(),
        "sslmode": server.tls.value,
        **({"sslrootcert": str(authorities or "system")} if server.tls is TlsMode.VERIFY_FULL else {}),
        "connect_timeout": str(CONNECTING),
        "client_encoding": "UTF8",
        "application_name": "criteo-reconciler",
        "keepalives_idle": "30",
        "tcp_user_timeout": "60000",
    }
    return " ".join(f"{key}={_quoted(value)}" for key, value in parts.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _recorded(
    reader: "pyarrow.RecordBatchReader", schema: "pyarrow.Schema", limits: Limits, found: list[QueryError]
) -> "pyarrow.RecordBatchReader":
    """Return the batches under other names; why they end early is put into `found`."""
    import pyarrow

    def batches() -> Iterator["pyarrow.RecordBatch"]:
        try:
            with _translated():
                for batch in reader:
                    limits.check()
                    yield renamed(batch, schema)
        except QueryError as error:
            found.append(error)
            raise

    return pyarrow.RecordBatchReader.from_batches(schema, batches())


def _unfit(schema: "pyarrow.Schema") -> dict[int, str]:
    """Return the types that the driver brings as text or bytes, such as `numeric`."""
    return {
        index: one.type.type_name.upper()
        for index, one in enumerate(schema)
        if getattr(one.type, "type_name", "") and one.type.type_name != "uuid"
    }


@contextlib.contextmanager
def _ended() -> Iterator[None]:
    """What was cancelled may be over already."""
    import adbc_driver_manager as adbc

    with contextlib.suppress(adbc.Error):
        yield


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    import adbc_driver_manager as adbc

    try:
        yield
    except adbc.Error as error:
        code = error.sqlstate or ""
        lost = QueryProblem.LOST if error.status_code is adbc.AdbcStatusCode.IO and not code else None
        problem = lost or _CODES.get(code) or _CLASSES.get(code[:2], QueryProblem.OTHER)
        raise QueryError(problem, code) from None
