"""Snowflake: a process of ours loads its driver, and brings rows as batches of Arrow.

Snowflake has no read-only session. A session has the rights of one role and of no secondary role, so the role
is what limits it. `:today` is a variable of the session.
"""

import contextlib
import math
import time
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

from reconciler.core.database import Login, Server, TlsMode
from reconciler.members.database import literal
from reconciler.members.queries.conversation import Conversation, Meanings
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.moments import moment
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Account, Limits, Rows
from reconciler.members.queries.snowflake_types import numbered, stored, unfit

if TYPE_CHECKING:
    import pyarrow

CONNECTING = 20
"""Seconds that a login may take."""
DRIVER = "reconciler.members.queries.snowflake_process"
_ONE_LIBRARY = "SF_DISABLE_MINICORE"
"""Without it, the driver unpacks a second library and loads it."""
_TODAY = "RECONCILER_TODAY"
_PASSED = (
    *("HOME", "LD_LIBRARY_PATH", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE"),
    *("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"),
)
"""Variables that the process gets."""
_CODES: Mapping[str, QueryProblem] = {
    "000604": QueryProblem.TIME,
    "000606": QueryProblem.NO_WAREHOUSE,
    "000630": QueryProblem.TIME,
    "000904": QueryProblem.UNKNOWN_NAME,
    "002003": QueryProblem.UNSEEN,
    "002140": QueryProblem.UNKNOWN_NAME,
    "003001": QueryProblem.FORBIDDEN,
}
_CLASSES: Mapping[str, QueryProblem] = {
    "08": QueryProblem.LOST,
    "22": QueryProblem.VALUE,
    "42": QueryProblem.INVALID,
    "57": QueryProblem.TIME,
}
"""What SQLSTATE means by its first two characters, where a code has no meaning of its own here."""
_NOT_GRANTED = frozenset({"390189", "390201"})
"""Numbers of a login with a role, a warehouse or a database that the user may not use."""
_OF_THE_CLIENT = range(260_000, 290_000)
"""Numbers that the driver gives to requests without an answer."""


class SnowflakeSession:
    """Implements `Session` over one process, to a server that can be reached."""

    def __init__(self, server: Server, login: Login, account: Account, limits: Limits) -> None:
        self.limits = limits
        self._process = Conversation(DRIVER, _PASSED, limits, _Numbers(_CODES, {}), {_ONE_LIBRARY: "true"})
        try:
            self._log_in(_options(server, login, account))
            seconds = math.ceil(limits.time.total_seconds())
            self._answer(f"ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = {seconds}")
            self._answer("ALTER SESSION SET TIMEZONE = 'UTC'")
            self._answer("USE SECONDARY ROLES NONE")
        except QueryError:
            self.close()
            raise

    def close(self) -> None:
        self._process.close()

    def moment(self, statement: Statement, today: date) -> datetime:
        self._set_today(statement, today)
        return moment(self._answer(f"SELECT * FROM (\n{_text(statement)}\n) LIMIT 2"))

    def missing_rights(self, tables: tuple[str, ...], /) -> tuple[str, ...]:
        return tuple(one for one in tables if self._is_missing(one))

    def _is_missing(self, table: str) -> bool:
        try:
            self._schema(f"SELECT * FROM {table}")
        except QueryError as error:
            return error.problem in (QueryProblem.UNSEEN, QueryProblem.FORBIDDEN)
        return False

    def columns(self, statement: Statement, today: date) -> tuple[str, ...]:
        return tuple(self._described(statement, today).names)

    @contextlib.contextmanager
    def described(self, statement: Statement, today: date) -> Iterator[Rows]:
        schema = self._described(statement, today)
        yield Rows(numbered(schema).empty_table(), tuple(schema.names), unfit(schema), lambda: None)

    @contextlib.contextmanager
    def rows(self, statement: Statement, today: date) -> Iterator[Rows]:
        self._set_today(statement, today)
        text = _text(statement)
        if clause := self.limits.clause:
            text = f"SELECT * FROM (\n{text}\n){clause}"
        with self._asked(text) as (schema, batches):
            found: list[QueryError] = []
            stream = _recorded(batches, numbered(schema), found)
            yield Rows(stream, tuple(schema.names), unfit(schema), lambda: found[0] if found else None)

    def _described(self, statement: Statement, today: date) -> "pyarrow.Schema":
        self._set_today(statement, today)
        return self._schema(_text(statement))

    def _set_today(self, statement: Statement, today: date) -> None:
        if statement.spots:
            self._answer(f"SET {_TODAY} = {literal(today.isoformat())}::DATE")

    def _log_in(self, options: Mapping[str, str]) -> None:
        try:
            self._process.answer(options, time.monotonic() + CONNECTING)
        except QueryError as error:
            refused = QueryProblem.NOT_GRANTED if error.code in _NOT_GRANTED else QueryProblem.LOGIN
            raise QueryError(refused, error.code) from None

    def _answer(self, sql: str) -> list[tuple[object, ...]]:
        """Return the few rows of a statement of ours, or of one that returns a moment."""
        with self._asked(sql) as (_, batches):
            return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]

    def _schema(self, sql: str) -> "pyarrow.Schema":
        with self._asked(sql, describe=True) as (schema, batches):
            for _ in batches:
                raise AssertionError("a description has no rows")
            return schema

    @contextlib.contextmanager
    def _asked(
        self, sql: str, *, describe: bool = False
    ) -> Iterator[tuple["pyarrow.Schema", Iterator["pyarrow.RecordBatch"]]]:
        """Yield columns and rows of a statement. Rows are read to their end, or the session ends."""
        asked = {"sql": sql, "describe": describe}
        with self._process.streamed(asked, self._process.end()) as answered:
            yield answered


class _Numbers(Meanings):
    """What an answer means: Snowflake's number of an error, a space, and SQLSTATE."""

    def problem(self, status: str) -> tuple[QueryProblem, str]:
        code, _, state = status.partition(" ")
        number = int(code)
        if not number or number in _OF_THE_CLIENT:
            return QueryProblem.LOST, code if number else state
        known = self.codes.get(code) or _CLASSES.get(state[:2], QueryProblem.OTHER)
        return known, code


def _recorded(
    batches: Iterator["pyarrow.RecordBatch"], schema: "pyarrow.Schema", found: list[QueryError]
) -> "pyarrow.RecordBatchReader":
    """Return the batches with another schema; why they end early is put into `found`."""
    import pyarrow

    def recorded() -> Iterator["pyarrow.RecordBatch"]:
        try:
            for one in batches:
                yield stored(one, schema)
        except QueryError as error:
            found.append(error)
            raise

    return pyarrow.RecordBatchReader.from_batches(schema, recorded())


def _text(statement: Statement) -> str:
    return statement.with_today(f"${_TODAY}")


def _options(server: Server, login: Login, account: Account) -> dict[str, str]:
    proof = (
        {
            "adbc.snowflake.sql.auth_type": "auth_jwt",
            "adbc.snowflake.sql.client_option.jwt_private_key_pkcs8_value": account.password.reveal(),
        }
        if login.by_key
        else {"password": account.password.reveal()}
    )
    return {
        "username": account.user.reveal(),
        **proof,
        "adbc.snowflake.sql.account": server.host.partition(".")[0],
        "adbc.snowflake.sql.uri.host": server.host,
        "adbc.snowflake.sql.uri.port": str(server.port),
        "adbc.snowflake.sql.uri.protocol": "http" if server.tls is TlsMode.DISABLE else "https",
        "adbc.snowflake.sql.db": server.database,
        "adbc.snowflake.sql.warehouse": login.warehouse,
        "adbc.snowflake.sql.role": login.role,
        "adbc.snowflake.sql.client_option.app_name": "criteo-reconciler",
        "adbc.snowflake.sql.client_option.disable_telemetry": "true",
        "adbc.snowflake.sql.client_option.keep_session_alive": "false",
        "adbc.snowflake.sql.client_option.login_timeout": f"{CONNECTING}s",
    }
