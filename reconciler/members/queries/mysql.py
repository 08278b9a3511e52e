"""MySQL and MariaDB: one client asks and names errors, another process brings rows as batches of Arrow.

No driver of Arrow for MySQL reports errors by a code, so a session has two connections: `pymysql` describes
statements, and `mysql_rows` reads them. Both transactions are read-only. `:today` is a variable of each.
"""

import contextlib
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from reconciler.core.database import Server, TlsMode
from reconciler.members.database import literal
from reconciler.members.queries.child import GRACE, ChildRows
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.moments import moment
from reconciler.members.queries.mysql_types import Column, column
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Account, Limits, Rows
from reconciler.members.queries.wire import Wire
from reconciler.members.watcher import WATCHER

if TYPE_CHECKING:
    import pyarrow

CONNECTING = 10
"""Seconds that a connection and a login may take."""
READER = "reconciler.members.queries.mysql_rows"
_PARAMETER = "CAST(@reconciler_today AS DATE)"
_MODE = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
"""The same everywhere: other modes change what is a text and what is a name, and the guard would not know."""
_TLS = {TlsMode.VERIFY_FULL: "VERIFY_IDENTITY", TlsMode.REQUIRE: "REQUIRED", TlsMode.DISABLE: "DISABLED"}
_CODES: Mapping[QueryProblem, tuple[int, ...]] = {
    QueryProblem.FORBIDDEN: (1044, 1142, 1143, 1227, 1370),
    QueryProblem.TIME: (1969, 3024),
    QueryProblem.WRITES: (1290, 1792),
    QueryProblem.UNKNOWN_NAME: (1046, 1049, 1054, 1146, 1305),
    QueryProblem.TWICE: (1060,),
    QueryProblem.VALUE: (1242, 1292, 1365, 1411, 1690),
    QueryProblem.LOST: (1053, 1077, 1080, 1317, 1927, 2006, 2013, 2014, 2055),
    QueryProblem.BUSY: (1021, 1040, 1203, 1205, 1213, 1226),
}
_CLASSES = {"08": QueryProblem.LOST, "22": QueryProblem.VALUE, "42": QueryProblem.INVALID}
"""What a code means by the first two characters of its SQLSTATE, where it has no meaning of its own here."""


@dataclass(frozen=True, slots=True)
class _Login:
    server: Server
    account: Account
    authorities: Path | None

    def tls(self) -> ssl.SSLContext | None:
        if self.server.tls is TlsMode.DISABLE:
            return None
        context = ssl.create_default_context(cafile=str(self.authorities) if self.authorities else None)
        if self.server.tls is TlsMode.REQUIRE:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def address(self) -> str:
        """Return the address of the server with the login, for the process that reads."""
        user, password, database = (
            quote(one, safe="")
            for one in (self.account.user.reveal(), self.account.password.reveal(), self.server.database)
        )
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        trusted = self.authorities or ssl.get_default_verify_paths().cafile
        options = {
            "prefer_socket": "false",
            "ssl-mode": _TLS[self.server.tls],
            **({"ssl-ca": str(trusted)} if trusted and self.server.tls is TlsMode.VERIFY_FULL else {}),
        }
        place = f"{host}:{self.server.port}/{database}?{urlencode(options)}"
        return f"mysql://{user}:{password}@{place}"


class MysqlSession:
    """Implements `Session` over a connection that asks, and a process that reads."""

    def __init__(self, server: Server, account: Account, limits: Limits, authorities: Path | None) -> None:
        self.limits = limits
        self._login = _Login(server, account, authorities)
        self._connection, self._wire = self._connected()
        try:
            self._limiting = self._limit()
            self._begin()
        except QueryError:
            self.close()
            raise

    def close(self) -> None:
        self._wire.close()
        self._connection._force_close()  # noqa: SLF001 - `close` sends a message, for which it may wait

    def moment(self, statement: Statement, today: date) -> datetime:
        self._set_today(today)
        return moment(self._answer(f"SELECT * FROM (\n{_text(statement)}\n) AS rows_ LIMIT 2"))

    def missing_rights(self, tables: tuple[str, ...], /) -> tuple[str, ...]:
        return tuple(one for one in tables if self._is_missing(one))

    def _is_missing(self, table: str) -> bool:
        try:
            self._answer(f"SELECT 1 FROM {table} LIMIT 0")
        except QueryError as error:
            return error.problem is QueryProblem.FORBIDDEN
        return False

    def columns(self, statement: Statement, today: date) -> tuple[str, ...]:
        return tuple(one.name for one in self._described(statement, today))

    @contextlib.contextmanager
    def described(self, statement: Statement, today: date) -> Iterator[Rows]:
        columns = self._described(statement, today)
        table = _schema(columns).empty_table()
        yield Rows(table, tuple(one.name for one in columns), _unfit(columns), lambda: None)

    @contextlib.contextmanager
    def rows(self, statement: Statement, today: date) -> Iterator[Rows]:
        columns = self._described(statement, today)
        asked = {
            "address": self._login.address(),
            "settings": self._settings(today),
            "sql": f"SELECT {', '.join(one.item for one in columns)} FROM (\n{_text(statement)}\n) AS rows_"
            + self.limits.clause,
        }

        def cause() -> QueryError:
            """Return why rows did not arrive: the process that reads knows no codes."""
            counted = ", ".join(f"count({one.value})" for one in columns)
            try:
                self._answer(f"SELECT {counted} FROM (\n{_text(statement)}\n) AS rows_")
            except QueryError as error:
                return error
            return QueryError(QueryProblem.LOST)

        with ChildRows(READER, asked, self.limits, cause).reading(_schema(columns)) as (stream, failure):
            yield Rows(stream, tuple(one.name for one in columns), _unfit(columns), failure)

    def _connected(self) -> tuple[Any, Wire]:
        import pymysql

        server, account, tls = self._login.server, self._login.account, self._login.tls()
        connection = pymysql.Connection(
            host=server.host,
            port=server.port,
            user=account.user.reveal(),
            password=account.password.reveal(),
            database=server.database,
            charset="utf8mb4",
            ssl=tls,
            ssl_disabled=tls is None,
            defer_connect=True,
        )
        try:
            wire = Wire(server.host, server.port, CONNECTING)
        except OSError:
            raise QueryError(QueryProblem.UNREACHABLE) from None
        try:
            with self._cutting(wire, CONNECTING):
                connection.connect(wire.socket)
        except (pymysql.MySQLError, OSError) as error:
            wire.close()
            raise QueryError(QueryProblem.LOGIN, _code(error)) from None
        return connection, wire

    def _begin(self) -> None:
        for one in self._settings(date.min):
            self._answer(one)
        found = self._answer(
            "SHOW SESSION VARIABLES WHERE Variable_name IN ('transaction_read_only', 'tx_read_only')"
        )
        if not any(value == "ON" for _, value in found):
            raise QueryError(QueryProblem.WRITABLE)

    def _limit(self) -> str:
        """Return how the server limits the time of a statement: MariaDB in seconds, MySQL in milliseconds."""
        seconds = self.limits.time.total_seconds()
        known = {str(row[0]).lower() for row in self._answer("SHOW VARIABLES LIKE 'max\\_%\\_time'")}
        if "max_statement_time" in known:
            return f"max_statement_time = {seconds:.3f}"
        return f"max_execution_time = {int(seconds * 1000)}"

    def _settings(self, today: date) -> list[str]:
        return [
            f"SET SESSION time_zone = '+00:00', sql_mode = {literal(_MODE)}, {self._limiting}",
            "SET SESSION TRANSACTION READ ONLY",
            f"SET @reconciler_today = {literal(today.isoformat())}",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ]

    def _set_today(self, today: date) -> None:
        self._answer(f"SET @reconciler_today = {literal(today.isoformat())}")

    def _described(self, statement: Statement, today: date) -> list[Column]:
        self._set_today(today)
        sql = f"SELECT * FROM (\n{_text(statement)}\n) AS rows_ LIMIT 0"
        with self._asked(sql) as cursor:
            fields = cursor._result.fields  # noqa: SLF001 - `description` has no character set
            return [column(index, one) for index, one in enumerate(fields)]

    def _answer(self, sql: str) -> list[tuple[object, ...]]:
        """Return the few rows of a statement of ours, or of one that returns a moment."""
        with self._asked(sql) as cursor:
            return list(cursor.fetchall())

    @contextlib.contextmanager
    def _asked(self, sql: str) -> Iterator[Any]:
        """Run a statement, which ends if a user asks to stop or the server is silent for too long."""
        seconds = self.limits.time.total_seconds() + GRACE
        with self._cutting(self._wire, seconds), _translated(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            yield cursor

    @contextlib.contextmanager
    def _cutting(self, wire: Wire, seconds: float) -> Iterator[None]:
        """Cut a connection after some time, or if a user asks to stop."""
        end = time.monotonic() + seconds

        def look() -> None:
            if time.monotonic() >= end or self.limits.are_to_end():
                wire.cut()

        with WATCHER.watching(look):
            yield


def _text(statement: Statement) -> str:
    return statement.with_today(_PARAMETER)


def _schema(columns: list[Column]) -> "pyarrow.Schema":
    import pyarrow

    return pyarrow.schema([(f"c{index}", one.arrow()) for index, one in enumerate(columns)])


def _unfit(columns: list[Column]) -> dict[int, str]:
    return {index: one.unfit for index, one in enumerate(columns) if one.unfit}


def _code(error: BaseException) -> str:
    """Return the number of an error of the server, or of its client."""
    number = error.args[0] if error.args else 0
    return str(number) if isinstance(number, int) and number else ""


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    import pymysql

    try:
        yield
    except (pymysql.MySQLError, OSError, ValueError) as error:
        code, state = _code(error), str(getattr(error, "sqlstate", "") or "")
        known = next((one for one, codes in _CODES.items() if code in map(str, codes)), None)
        problem = known or _CLASSES.get(state[:2]) or (QueryProblem.OTHER if code else QueryProblem.LOST)
        raise QueryError(problem, code) from None
