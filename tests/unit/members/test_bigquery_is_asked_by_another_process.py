"""BigQuery, against a double over DuckDB: what it costs, what it refuses, and who asks."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from support.bigquery import INSTALLED, BigQueryServer, bigquery
from support.databases import Row
from support.server_sources import SQL, crm, links
from support.source_project import CUSTOMER, EMAIL, TODAY

from reconciler.core.database import Driver
from reconciler.core.errors import CancelledError, ConfigurationError
from reconciler.core.model import Hashing
from reconciler.members.queries import conversation, installed
from reconciler.members.queries.bigquery import BigQuerySession
from reconciler.members.queries.databases import Databases
from reconciler.members.queries.guard import Statement, guarded
from reconciler.members.queries.problems import QueryError, QueryProblem

pytestmark = pytest.mark.skipif(not INSTALLED, reason="the extra [bigquery] is not installed")
ROWS: list[Row] = [
    ("Ann@Example.com", 1, "2026-01-01"),
    ("bo@example.com", 2, "2026-11-23"),
    ("cleo.marker@example", 3, "2026-01-01"),
    (None, 4, "2026-11-24"),
]
MANY = "UNNEST(GENERATE_ARRAY(1, 10000))"
SLOW = f"SELECT email, id FROM customers, {MANY} AS a, {MANY} AS b, {MANY} AS c WHERE a + b + c < 0"
LONG = "SELECT REPEAT('x', 1000) AS email, n AS id FROM UNNEST(GENERATE_ARRAY(1, 30000)) AS n"


@pytest.fixture(scope="module")
def running() -> Iterator[BigQueryServer]:
    with bigquery() as started:
        yield started


@pytest.fixture
def server(running: BigQueryServer) -> BigQueryServer:
    running.write(ROWS)
    return running


@pytest.fixture(scope="module")
def opened(running: BigQueryServer) -> Iterator[BigQuerySession]:
    """A session for all tests that need none of their own: its process takes a second to start."""
    running.write(ROWS)
    with session(running.databases()) as one:
        yield one


@contextmanager
def session(databases: Databases, stop: list[bool] | None = None) -> Iterator[BigQuerySession]:
    def check() -> None:
        if stop:
            raise CancelledError("stopped")

    with databases.session("crm", Path(), Path(), check) as one:
        assert isinstance(one, BigQuerySession)
        yield one


def read(one: BigQuerySession, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a statement that no parser looked at."""
    with one.rows(Statement(sql, (), ()), TODAY) as rows:
        return [tuple(row.values()) for batch in rows.stream for row in batch.to_pylist()]  # type: ignore[attr-defined] # a reader


def refused(one: BigQuerySession, sql: str) -> QueryError:
    with pytest.raises(QueryError) as found:
        read(one, sql)
    return found.value


def opening(databases: Databases) -> QueryError:
    """Return why no session opens."""
    with pytest.raises(QueryError) as found, session(databases):
        pass
    return found.value


def test_rows_and_their_age_are_asked_with_the_run_date(tmp_path: Path, server: BigQueryServer) -> None:
    fresh = "SELECT max(last_order) FROM customers WHERE last_order < :today; -- of all"
    project = crm(tmp_path, server.databases(), f"{SQL} WHERE last_order < :today -- of all", fresh)
    [(ids, target)] = project.build((CUSTOMER, Hashing.NONE))
    assert ids == {"1", "2", "3"}
    assert target.newest == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.usefixtures("server")
def test_what_it_refuses_is_reported_by_its_code(opened: BigQuerySession) -> None:
    for sql, problem, code in (
        ("SELECT mail FROM customers", QueryProblem.INVALID, "invalidQuery"),
        ("SELECT email FROM nobody", QueryProblem.UNKNOWN_NAME, "notFound"),
        ("SELECT CAST(email AS INT64) AS id FROM customers", QueryProblem.INVALID, "invalidQuery"),
        ("SELECT 'fails_with_responseTooLarge'", QueryProblem.RESULT, "responseTooLarge"),
        ("SELECT 'fails_with_quotaExceeded'", QueryProblem.QUOTA, "quotaExceeded"),
        ("SELECT 'fails_with_billingTierLimitExceeded'", QueryProblem.RESOURCES, "billingTierLimitExceeded"),
        ("SELECT 'fails_with_stopped'", QueryProblem.LOST, "stopped"),
        ("SELECT 'fails_with_marker'", QueryProblem.LOST, "500"),
    ):
        found = refused(opened, sql)
        assert (found.problem, found.code) == (problem, code), sql
        assert "marker" not in repr(found)
    assert read(opened, "SELECT 1 AS one") == [(1,)]


def test_a_dry_run_refuses_what_is_no_select(opened: BigQuerySession, server: BigQueryServer) -> None:
    for sql in (
        "UPDATE customers SET id = 1 WHERE TRUE",
        "DELETE FROM customers WHERE TRUE",
        "SELECT 1; DELETE FROM customers WHERE TRUE",
        "CREATE TABLE written AS SELECT 1 AS n",
    ):
        assert refused(opened, sql).problem is QueryProblem.WRITES, sql
    assert server.admin("SELECT count(*) FROM customers WHERE id <> 1") == "3"


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("EXPORT DATA OPTIONS (uri = 'gs://a/*') AS SELECT 1", QueryProblem.WRITES),
        ("SELECT * FROM EXTERNAL_QUERY('p.eu.c', 'DELETE FROM t')", QueryProblem.ACTS),
        ("MERGE t USING s ON FALSE WHEN NOT MATCHED THEN INSERT ROW", QueryProblem.WRITES),
        ("EXECUTE IMMEDIATE 'DELETE FROM t'", QueryProblem.WRITES),
        ("DECLARE n INT64; SELECT n", QueryProblem.SEVERAL),
        ("SELECT @today", QueryProblem.PARAMETER),
        ("SELECT @@project_id", QueryProblem.PARAMETER),
        ("SELECT ?", QueryProblem.PARAMETER),
    ],
)
def test_the_guard_reads_its_dialect(
    sql: str, problem: QueryProblem, caplog: pytest.LogCaptureFixture
) -> None:
    """The parser itself would log a statement that it does not know."""
    with pytest.raises(QueryError) as found:
        guarded(sql, Driver.BIGQUERY)
    assert found.value.problem is problem
    assert not caplog.records


def test_the_guard_reads_names_and_pipes() -> None:
    statement = guarded(
        "FROM `other-project.crm.customers` |> WHERE day < DATE_SUB(:today, INTERVAL 90 DAY) |> SELECT id",
        Driver.BIGQUERY,
    )
    assert statement.tables == ("`other-project`.`crm`.`customers`",)
    assert "DATE_SUB(@t, INTERVAL" in statement.with_today("@t")


def test_a_plan_has_a_limit_of_cost(tmp_path: Path, server: BigQueryServer) -> None:
    """Two checks: the estimate of a dry run, and BigQuery's own, which bills at least 10 MB for a table."""
    databases = server.databases(max_bytes=400)
    server.admin("INSERT INTO customers VALUES (NULL, 5, '2026-01-01')")
    before = len(server.configs())
    found = crm(tmp_path, databases).refusal()
    assert "the query reads more bytes than this login may (500, limit 400)" in found
    assert "raise `plan.maxBytesBilled` of the connection" in found
    configs = server.configs()[before:]
    assert configs
    assert all(one["dryRun"] for one in configs)
    server.write(ROWS)
    with session(databases) as one:
        own = refused(one, SQL)
    assert (own.problem, own.code) == (QueryProblem.COST, "bytesBilledLimitExceeded")
    ran = server.configs()[-1]
    assert ran["query"]["maximumBytesBilled"] == "400"
    assert (ran["jobTimeoutMs"], ran["labels"]) == ("60000", {"application": "criteo-reconciler"})


def test_more_rows_than_a_login_may_read_are_not_read(server: BigQueryServer) -> None:
    with session(server.databases(max_rows=3)) as one:
        found = refused(one, SQL)
        assert (found.problem, found.limit) == (QueryProblem.MANY, 3)
        assert len(read(one, f"{SQL} LIMIT 3")) == 3


def test_a_query_ends_at_its_time_limit(server: BigQueryServer) -> None:
    with session(server.databases(time_limit=timedelta(milliseconds=300))) as one:
        assert refused(one, SLOW).problem is QueryProblem.TIME
    assert server.configs()[-1]["jobTimeoutMs"] == "300"


def test_a_query_that_a_user_stops_is_cancelled(
    server: BigQueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "ENDING", 30)  # a busy machine
    stop: list[bool] = []
    with session(server.databases(), stop) as one:
        before, cancelled = server.waits(), server.cancellations()

        def stopping() -> None:
            end = time.monotonic() + 60
            while server.waits() == before and time.monotonic() < end:
                time.sleep(0.02)
            stop.append(True)

        watcher = threading.Thread(target=stopping)
        watcher.start()
        with pytest.raises(CancelledError):
            read(one, SLOW)
        watcher.join()
    assert server.cancellations() == cancelled + 1


def test_every_type_of_a_column_arrives_or_is_named(opened: BigQuerySession) -> None:
    sql = (
        "SELECT [1, 2] AS numbers, STRUCT('a' AS name) AS part, DATE '2026-01-02' AS day, TRUE AS yes,"
        " TIMESTAMP '2026-01-02 03:04:05+00' AS at, DATETIME '2026-01-02 03:04:05' AS clock, 1.5e0 AS ratio,"
        " CAST('1.5' AS NUMERIC) AS price, b'ab' AS raw, JSON '{}' AS more, CAST(NULL AS STRING) AS nothing"
    )
    with opened.rows(Statement(sql, (), ()), TODAY) as rows:
        [batch] = rows.stream  # type: ignore[attr-defined] # a reader
    with opened.described(Statement(sql, (), ()), TODAY) as described:
        assert described.stream.schema == batch.schema  # type: ignore[attr-defined] # a table
        assert described.unfit == rows.unfit == {9: "JSON"}
    [row] = batch.to_pylist()
    assert list(row.values())[:3] == [[1, 2], {"name": "a"}, datetime(2026, 1, 2, tzinfo=UTC).date()]
    assert str(batch.schema.types[4]) == "timestamp[us, tz=UTC]"
    assert str(batch.schema.types[7]) == "decimal128(38, 9)"


def test_no_rows_have_columns_too(opened: BigQuerySession) -> None:
    assert read(opened, f"{SQL} WHERE id > 99") == []


def test_identifiers_are_texts_or_whole_numbers(tmp_path: Path, server: BigQueryServer) -> None:
    for items, stored in (
        ("CAST(email AS BYTES) AS email, CAST(id AS FLOAT64) AS id", ("blob", "floating point")),
        ("JSON '{}' AS email, CAST(id AS NUMERIC) AS id", ("json", "decimal")),
    ):
        project = crm(tmp_path / stored[0], server.databases(), f"SELECT {items} FROM customers")
        with pytest.raises(ConfigurationError) as found:
            project.build((EMAIL, Hashing.NONE), (CUSTOMER, Hashing.NONE))
        problems = "; ".join(one.problem for one in found.value.findings)
        assert [one for one in stored if f"stored as {one} in the query of crm" not in problems] == []


def test_a_type_that_changes_between_runs_is_refused(tmp_path: Path, server: BigQueryServer) -> None:
    project = crm(tmp_path, server.databases())
    assert len(project.emails()) == 2
    server.admin("ALTER TABLE customers ALTER email TYPE BLOB USING encode(email)")
    assert "stored as blob" in project.refusal()


def test_a_connection_that_breaks_off_in_the_middle_is_reported(server: BigQueryServer) -> None:
    with session(server.databases()) as one, one.rows(Statement(LONG, (), ()), TODAY) as rows:
        batches = iter(rows.stream)  # type: ignore[call-overload] # a reader
        next(batches)
        server.disconnect()
        with pytest.raises(QueryError) as lost:
            list(batches)
        assert lost.value.problem is QueryProblem.LOST
        assert rows.failure() is lost.value


def test_an_extra_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise ModuleNotFoundError

    monkeypatch.setattr(installed, "find_spec", missing)
    monkeypatch.setattr(installed, "_are_there", installed._are_there.__wrapped__)
    found = crm(tmp_path, BigQueryServer(tmp_path, 1).databases()).refusal()
    assert "crm: what reads bigquery is not installed" in found
    assert "pip install 'criteo-reconciler[bigquery]'" in found


def test_credentials_that_are_refused_or_missing_are_named(
    tmp_path: Path, server: BigQueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = server.key(rsa.generate_private_key(65537, 2048))
    found = opening(server.databases(key=another))
    assert (found.problem, found.code) == (QueryProblem.CREDENTIALS, "")
    found = opening(server.databases(key='{"private_key": "secret.marker"}'))
    assert (found.problem, found.code) == (QueryProblem.NO_CREDENTIALS, "")
    assert "marker" not in repr(found)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    found = opening(server.databases(key=""))
    assert (found.problem, found.code) == (QueryProblem.NO_CREDENTIALS, "")


def test_a_machine_has_an_identity_of_its_own(
    tmp_path: Path, server: BigQueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workload identity federation: the token of a CI job is exchanged for one of Google."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(server.identity(tmp_path)))
    with session(server.databases(key="")) as one:
        assert len(read(one, SQL)) == 4


def test_doctor_names_the_right_that_is_missing(tmp_path: Path, server: BigQueryServer) -> None:
    holds = [("driver", "installed"), ("address", "a server answers")]
    accepted = [*holds, ("login", "accepted")]
    databases = server.databases()
    assert links(tmp_path, databases) == [*accepted, ("rights", "tables of queries that can be read: 1")]
    server.revoke()
    lacks = "the user lacks a right: roles/bigquery.dataViewer on customers"
    assert links(tmp_path, databases) == [*accepted, ("rights", lacks)]
    assert "the user lacks a right (accessDenied)" in crm(tmp_path, databases).refusal()
    server.take("bigquery.readsessions.create")
    lacks = "crm: this login can't read results (PERMISSION_DENIED)"
    assert links(tmp_path, databases) == [*accepted, ("rights", lacks)]
    server.take("bigquery.jobs.create")
    lacks = "crm: this login can't run queries in the project (accessDenied)"
    assert links(tmp_path, databases) == [*holds, ("login", lacks)]
    no_port = "crm: no server answers at this host and port"
    assert links(tmp_path, server.databases(port=1)) == [holds[0], ("address", no_port)]
    no_host = "crm: the host name has no address"
    assert links(tmp_path, server.databases(host="bigquery.invalid")) == [holds[0], ("address", no_host)]


def test_its_process_gets_no_secret_by_its_environment_and_prints_nothing(
    server: BigQueryServer, opened: BigQuerySession, capfd: pytest.CaptureFixture[str]
) -> None:
    refused(opened, "SELECT CAST(email AS INT64) AS id FROM customers")
    process = Path(f"/proc/{opened._process.child.pid}")
    words = (process / "environ").read_text() + (process / "cmdline").read_text()
    assert json.loads(server.key())["private_key"][:40] not in words
    assert not [one for one in ("PYTHONPATH", "BIGQUERY_EMULATOR_HOST", "OTEL", "PROXY") if one in words]
    assert capfd.readouterr() == ("", "")
