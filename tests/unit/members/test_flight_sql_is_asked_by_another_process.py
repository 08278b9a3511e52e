"""Arrow Flight SQL: what the driver prints reaches nobody, and its process ends with the session."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from support.databases import PASSWORD, Row, query
from support.flight_sql_server import ELSEWHERE, TOKEN
from support.flightsql import INSTALLED, FlightSqlServer, flightsql
from support.source_project import TODAY, make

from reconciler.core.database import DatabaseConnection, Driver, Login, Server, TlsMode
from reconciler.core.errors import CancelledError
from reconciler.core.secret import Secret
from reconciler.members.queries.databases import Databases
from reconciler.members.queries.flightsql import FlightSqlSession
from reconciler.members.queries.guard import Statement, guarded
from reconciler.members.queries.problems import QueryError, QueryProblem

pytestmark = pytest.mark.skipif(not INSTALLED, reason="the extra [flightsql] is not installed")
ROWS: list[Row] = [("ann.marker@example.com", 1, "2026-01-01"), ("bo@example.com", 2, "2026-11-23")]
FAILS = "SELECT CAST(email AS INT) AS email, id FROM customers"
SLOW = "SELECT max(a.n * b.n) FROM range(10000000) AS a(n), range(10000000) AS b(n)"


@pytest.fixture(scope="module")
def server() -> Iterator[FlightSqlServer]:
    with flightsql() as started:
        started.write(ROWS)
        yield started


@contextmanager
def session(
    server: FlightSqlServer,
    token: str = TOKEN,
    database: str = "",
    stop: list[bool] | None = None,
    time_limit: timedelta = timedelta(minutes=1),
) -> Iterator[FlightSqlSession]:
    def check() -> None:
        if stop:
            raise CancelledError("stopped")

    login = Login(token="env:TOKEN", time_limit=time_limit)
    place = Server("127.0.0.1", server.port, database, TlsMode.DISABLE)
    connection = DatabaseConnection("crm", Driver.FLIGHTSQL, server=place, login=login)
    databases = Databases({"crm": connection.writing}, lambda _: Secret(token))
    with databases.session("crm", Path(), Path(), check) as opened:
        assert isinstance(opened, FlightSqlSession)
        yield opened


def read(opened: FlightSqlSession, sql: str) -> list[tuple[object, ...]]:
    with opened.rows(Statement(sql, (), ()), TODAY) as rows:
        batches = list(rows.stream)  # type: ignore[call-overload] # a reader of batches
        return [tuple(row.values()) for one in batches for row in one.to_pylist()]


def test_a_token_is_a_login(server: FlightSqlServer) -> None:
    with session(server) as opened:
        assert len(read(opened, "SELECT email, id FROM customers")) == 2
    with pytest.raises(QueryError) as refused, session(server, token="another"):
        pass
    assert (refused.value.problem, refused.value.code) == (QueryProblem.LOGIN, "UNAUTHENTICATED")


def test_the_name_of_a_database_is_a_header(server: FlightSqlServer) -> None:
    with session(server, database="crm") as opened:
        assert read(opened, "SELECT CAST(getvariable('database') AS VARCHAR) AS name") == [("crm",)]


def test_a_session_asks_again_after_an_error(server: FlightSqlServer) -> None:
    with session(server) as opened:
        for _ in range(2):
            with pytest.raises(QueryError):
                read(opened, FAILS)
            assert opened.columns(Statement("SELECT 1 AS one", (), ()), TODAY) == ("one",)
            assert read(opened, "SELECT 1 AS one") == [(1,)]


def test_today_is_bound_each_time(server: FlightSqlServer) -> None:
    statement = guarded("SELECT :today AS a, :today - 1 AS b WHERE :today > '2026-01-01'", Driver.FLIGHTSQL)
    with session(server) as opened, opened.rows(statement, TODAY) as rows:
        [batch] = rows.stream  # type: ignore[attr-defined] # a reader of batches
        assert batch.to_pylist() == [{"c0": TODAY, "c1": TODAY - timedelta(days=1)}]


def test_a_server_that_binds_nothing_is_named(server: FlightSqlServer) -> None:
    statement = guarded("SELECT :today AS a -- unbound", Driver.FLIGHTSQL)
    with session(server) as opened, pytest.raises(QueryError) as refused, opened.rows(statement, TODAY):
        pass
    assert (refused.value.problem, refused.value.code) == (QueryProblem.UNSUPPORTED, "NOT_IMPLEMENTED")


def test_a_from_clause_keeps_a_reader_from_writing(server: FlightSqlServer) -> None:
    """The server itself would run it."""
    with session(server) as opened:
        with pytest.raises(QueryError):
            read(opened, "CREATE TABLE written AS SELECT 1 AS n")
        opened._few("CREATE TABLE written AS SELECT 1 AS n")
        assert read(opened, "SELECT n FROM written") == [(1,)]
        opened._few("DROP TABLE written")


def test_texts_of_a_server_are_neither_printed_nor_exported(
    server: FlightSqlServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("GRPC_GO_LOG_SEVERITY_LEVEL", "info")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with session(server) as opened:
        with pytest.raises(QueryError) as refused:
            read(opened, FAILS)
        environ = Path(f"/proc/{opened._process.child.pid}/environ").read_text()
        words = Path(f"/proc/{opened._process.child.pid}/cmdline").read_text()
    assert "marker" not in repr(refused.value)
    assert capfd.readouterr() == ("", "")
    assert "OTEL" not in environ
    assert not [one for one in (PASSWORD, TOKEN) if one in environ + words]


def test_a_user_who_asks_to_stop_does_not_wait(server: FlightSqlServer) -> None:
    stop: list[bool] = []
    with session(server, stop=stop) as opened:
        begun = time.monotonic()
        stop.append(True)
        with pytest.raises(CancelledError):
            read(opened, SLOW)
        assert time.monotonic() - begun < 5


def test_rows_end_at_the_time_limit(server: FlightSqlServer) -> None:
    with pytest.raises(QueryError) as late, session(server, time_limit=timedelta(seconds=1)) as opened:
        read(opened, "SELECT repeat('x', 1000) AS email FROM range(100000000000) AS t(n)")
    assert (late.value.problem, late.value.code) == (QueryProblem.TIME, "TIMEOUT")


def test_a_process_that_dies_is_a_lost_connection(server: FlightSqlServer) -> None:
    with session(server) as opened:
        opened._process.child.kill()
        with pytest.raises(QueryError) as lost:
            read(opened, "SELECT 1 AS one")
    assert lost.value.problem is QueryProblem.LOST
    assert not os.path.exists(f"/proc/{opened._process.child.pid}")  # noqa: PTH110 - a process, not a file


def test_texts_in_dictionaries_are_texts(tmp_path: Path, server: FlightSqlServer) -> None:
    """InfluxDB sends tags so."""
    sql = "SELECT CAST('ann@example.com' AS ENUM('ann@example.com')) AS email, 1 AS id"
    assert make(tmp_path).queries(server.databases(), query(sql)).emails() == {"ann@example.com"}


def test_a_login_goes_to_no_other_host_without_tls(server: FlightSqlServer) -> None:
    with session(server) as opened:
        with pytest.raises(QueryError) as refused:
            read(opened, f"SELECT 1 AS one {ELSEWHERE}grpc://db.invalid:1")
        here = f"grpc://127.0.0.1:{server.port}"
        assert read(opened, f"SELECT 1 AS one {ELSEWHERE}{here}") == [(1,)]
        assert read(opened, f"SELECT 1 AS one {ELSEWHERE}arrow-flight-reuse-connection://?") == [(1,)]
    assert (refused.value.problem, refused.value.code) == (QueryProblem.ELSEWHERE, "")


def test_a_batch_may_be_large(server: FlightSqlServer) -> None:
    with session(server) as opened:
        [row] = read(opened, "SELECT repeat('x', 20000000) AS email")
        assert len(str(row[0])) == 20_000_000
