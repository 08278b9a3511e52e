"""Queries of Databricks by its REST API. The workspace is a double: the real one was never asked."""

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.databases import CERTIFICATES, PASSWORD, Row
from support.databricks import INSTALLED, TOKEN, WAREHOUSE, DatabricksServer, databricks
from support.server_sources import SQL, crm, links
from support.source_project import CUSTOMER, EMAIL, TODAY

from reconciler.core.database import Driver, TlsMode
from reconciler.core.errors import CancelledError, ConfigurationError
from reconciler.core.model import Hashing
from reconciler.members.queries import databricks_api as api
from reconciler.members.queries import databricks_login, installed
from reconciler.members.queries.databases import Databases
from reconciler.members.queries.databricks import DatabricksSession
from reconciler.members.queries.guard import Statement, guarded
from reconciler.members.queries.problems import QueryError, QueryProblem

pytestmark = pytest.mark.skipif(not INSTALLED, reason="the extra [databricks] is not installed")
ROWS: list[Row] = [
    ("Ann@Example.com", 1, "2026-01-01"),
    ("bo@example.com", 2, "2026-11-23"),
    ("cleo.marker@example", 3, "2026-01-01"),
    (None, 4, "2026-11-24"),
]
LONG = "SELECT repeat('x', 100) AS email, id FROM range(12000) AS t(id)"
SLOW = "SELECT email, customers.id FROM customers, range(1000000000000) AS r(n) WHERE customers.id + n < 0"
ENDLESS = {
    "statement_id": "a",
    "status": {"state": "SUCCEEDED"},
    "manifest": {"schema": {"columns": []}, "total_row_count": float("inf")},
}
REFUSED = {
    "SELECT mail, id FROM customers": "does not exist (42703)",
    "SELECT email, id FROM nobody": "does not exist (42P01)",
    "SELECT CAST(email AS BIGINT) AS id, email FROM customers": "fails on a value (22018)",
    "SELECT CAST(1.5 AS DECIMAL(9, 1)) AS email, id FROM customers": "stored as decimal in the query of crm",
    "SELECT CAST(id AS DOUBLE) AS email, id FROM customers": "stored as floating point",
    "SELECT CAST(email AS BINARY) AS email, id FROM customers": "stored as blob in the query of crm",
    "SELECT array(email) AS email, id FROM customers": "stored as array in the query of crm",
    "SELECT email AS mail, id FROM customers": "did you mean mail?",
}


@pytest.fixture(scope="module")
def running() -> Iterator[DatabricksServer]:
    with databricks() as started:
        yield started


@pytest.fixture
def server(running: DatabricksServer, monkeypatch: pytest.MonkeyPatch) -> DatabricksServer:
    """Return the double as it is at its start, with the rows."""
    monkeypatch.setattr(api, "PAUSE", 0.01)
    monkeypatch.setattr(api, "FIRST_POLL", 0.005)
    fresh = DatabricksServer(port=running.port, storage=running.storage, database=running.database)
    for one in fields(running):
        setattr(running, one.name, getattr(fresh, one.name))
    running.write(ROWS)
    return running


@contextmanager
def session(databases: Databases, stop: list[bool] | None = None) -> Iterator[DatabricksSession]:
    def check() -> None:
        if stop:
            raise CancelledError("stopped")

    with databases.session("crm", Path(), Path(), check) as one:
        assert isinstance(one, DatabricksSession)
        yield one


def read(one: DatabricksSession, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a statement that no parser looked at."""
    with one.rows(Statement(sql, (), ()), TODAY) as rows:
        return [tuple(row.values()) for batch in rows.stream for row in batch.to_pylist()]  # type: ignore[attr-defined] # a reader


def refused(one: DatabricksSession, sql: str = SQL) -> QueryError:
    with pytest.raises(QueryError) as found:
        read(one, sql)
    assert "marker" not in repr(found.value)
    return found.value


def opening(databases: Databases) -> QueryError:
    """Return why no session opens."""
    with pytest.raises(QueryError) as found, session(databases):
        pass
    return found.value


def test_rows_and_their_age_are_asked_with_the_run_date(tmp_path: Path, server: DatabricksServer) -> None:
    fresh = "SELECT max(last_order) FROM customers WHERE last_order < :today; -- of all"
    project = crm(tmp_path, server.databases(), f"{SQL} WHERE last_order < :today -- of all", fresh)
    [(ids, target)] = project.build((CUSTOMER, Hashing.NONE))
    assert ids == {"1", "2", "3"}
    assert target.newest == datetime(2026, 11, 23, tzinfo=UTC)
    asked = server.asked[-1]
    assert asked["statement"].startswith("SELECT * FROM (\nSELECT email, id")
    assert asked["parameters"] == [{"name": "today", "value": TODAY.isoformat(), "type": "DATE"}]
    assert [asked[one] for one in ("warehouse_id", "catalog", "schema")] == [WAREHOUSE, "memory", "main"]


def test_a_query_is_described_before_it_runs(tmp_path: Path, server: DatabricksServer) -> None:
    found = crm(tmp_path, server.databases(), "SELECT id AS mail, id FROM customers").refusal()
    assert "did you mean mail?" in found
    ran = [one["statement"] for one in server.asked if "customers" in one["statement"]]
    assert ran
    assert all(one.startswith("DESCRIBE QUERY SELECT * FROM (") for one in ran)
    assert not server.fetched


def test_what_it_refuses_is_reported_by_its_code(tmp_path: Path, server: DatabricksServer) -> None:
    for number, (sql, said) in enumerate(REFUSED.items()):
        found = crm(tmp_path / str(number), server.databases(), sql).refusal()
        assert said in found, sql
        assert "marker" not in found
        assert TOKEN not in found


def test_a_statement_that_writes_stands_where_only_a_query_can(server: DatabricksServer) -> None:
    with session(server.databases()) as one:
        for sql in (
            "UPDATE customers SET id = 1",
            "SELECT 1; DELETE FROM customers",
            "SELECT 1) ; DROP TABLE x",
        ):
            assert refused(one, sql).problem is QueryProblem.INVALID, sql
    assert server.admin("SELECT count(*) FROM customers WHERE id <> 1") == "3"


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT 1; SELECT 2", QueryProblem.SEVERAL),
        ("UPDATE t SET a = 1", QueryProblem.WRITES),
        ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", QueryProblem.WRITES),
        ("COPY INTO t FROM 's3://a'", QueryProblem.WRITES),
        ("EXECUTE IMMEDIATE 'DELETE FROM t'", QueryProblem.WRITES),
        ("BEGIN DELETE FROM t; END", QueryProblem.UNPARSED),
        ("FROM t INSERT INTO x SELECT *", QueryProblem.WRITES),
        ("OPTIMIZE t", QueryProblem.WRITES),
        ("CALL clear()", QueryProblem.WRITES),
        ("USE CATALOG other", QueryProblem.WRITES),
        ("SELECT http_request(conn => 'c', method => 'POST')", QueryProblem.ACTS),
        ("SELECT * FROM remote_query('c', query => 'DELETE FROM t')", QueryProblem.ACTS),
        ("SELECT ai_query('m', email) FROM t", QueryProblem.ACTS),
        ("SELECT reflect('java.lang.System', 'exit')", QueryProblem.ACTS),
        ("SELECT secret('scope', 'key')", QueryProblem.ACTS),
        ("SELECT raw:today FROM t", QueryProblem.PARAMETER),
        ("SELECT ${today}", QueryProblem.PARAMETER),
        ("SELECT ?", QueryProblem.PARAMETER),
    ],
)
def test_the_guard_reads_its_dialect(sql: str, problem: QueryProblem) -> None:
    with pytest.raises(QueryError) as found:
        guarded(sql, Driver.DATABRICKS)
    assert found.value.problem is problem


def test_the_guard_reads_names_and_pipes() -> None:
    text = "FROM `my-catalog`.crm.customers |> WHERE raw:a.b::string < :today - INTERVAL 90 DAYS |> SELECT id"
    statement = guarded(text, Driver.DATABRICKS)
    assert statement.tables == ("`my-catalog`.crm.customers",)
    assert len(statement.spots) == 1


def test_rows_come_in_parts_and_storage_gets_no_token(server: DatabricksServer) -> None:
    server.headers = {"x-key-of-the-storage": "yes"}
    with session(server.databases(max_rows=12_000)) as one:
        assert len(read(one, LONG)) == 12_000
    assert [one["x-key-of-the-storage"] for one in server.fetched] == ["yes"] * 3
    assert not [one for one in server.fetched if "authorization" in one or TOKEN in str(one)]
    with session(server.databases(max_rows=11_999)) as one:
        found = refused(one, LONG)
    assert (found.problem, found.limit) == (QueryProblem.MANY, 11_999)
    assert server.asked[-1]["statement"].endswith(") LIMIT 12000")
    assert len(server.fetched) == 3


def test_a_part_is_let_go_before_the_next_one_is_fetched(
    server: DatabricksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Part(bytearray):
        """Unlike its base, it can be referred to weakly."""

    fetch, fetched, alive = api.Workspace.chunk, list[weakref.ref[Part]](), list[int]()

    def chunk(*asked: Any) -> Part:
        alive.append(sum(one() is not None for one in fetched))
        part = Part(fetch(*asked))
        fetched.append(weakref.ref(part))
        return part

    monkeypatch.setattr(api.Workspace, "chunk", chunk)
    with session(server.databases()) as one, one.rows(Statement(LONG, (), ()), TODAY) as rows:
        assert sum(map(len, rows.stream)) == 12_000  # type: ignore[call-overload] # a reader
    assert alive == [0, 0, 0]


def test_a_type_that_changes_between_runs_is_refused(tmp_path: Path, server: DatabricksServer) -> None:
    project = crm(tmp_path, server.databases())
    assert len(project.emails()) == 2
    server.admin("ALTER TABLE customers ALTER email TYPE BLOB USING encode(email)")
    assert "stored as blob" in project.refusal()


def test_every_type_of_a_column_arrives_or_is_named(server: DatabricksServer) -> None:
    sql = (
        "SELECT DATE '2026-01-02' AS day, TRUE AS yes, CAST('2026-01-02 03:04:05' AS TIMESTAMP_NTZ) AS clock,"
        " CAST('2026-01-02 03:04:05+00:00' AS TIMESTAMP) AS at, CAST(1.5 AS DOUBLE) AS ratio,"
        " CAST(1.5 AS DECIMAL(9, 2)) AS price, CAST('ab' AS BINARY) AS raw, CAST(1 AS INT) AS small,"
        " CAST(NULL AS STRING) AS nothing, CAST(2 AS BIGINT) AS large"
    )
    with session(server.databases()) as one:
        with one.rows(Statement(sql, (), ()), TODAY) as rows:
            [batch] = rows.stream  # type: ignore[attr-defined] # a reader
        with one.described(Statement(sql, (), ()), TODAY) as described:
            assert described.stream.schema == batch.schema  # type: ignore[attr-defined] # a table
        nested = Statement("SELECT array(1, 2) AS numbers, named_struct('a', 1) AS part", (), ())
        with one.described(nested, TODAY) as described:
            assert described.unfit == {0: "ARRAY", 1: "STRUCT"}
        assert read(one, nested.text) == [([1, 2], {"a": 1})]
        assert read(one, f"{SQL} WHERE id > 99") == []


def test_the_warehouse_is_asked_to_end_a_query_at_its_time_limit(server: DatabricksServer) -> None:
    with session(server.databases(time_limit=timedelta(seconds=1))) as one:
        assert refused(one, SLOW).problem is QueryProblem.TIME
    assert len(server.cancelled) == 1


def test_a_query_that_a_user_stops_is_cancelled(server: DatabricksServer) -> None:
    stop: list[bool] = []

    def stopping() -> None:
        end = time.monotonic() + 30
        while len(server.asked) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        stop.append(True)

    with session(server.databases(), stop) as one:
        watcher = threading.Thread(target=stopping)
        watcher.start()
        with pytest.raises(CancelledError):
            read(one, SLOW)
        watcher.join()
    assert len(server.cancelled) == 1


def test_a_connection_that_breaks_off_in_the_middle_is_reported(
    tmp_path: Path, server: DatabricksServer
) -> None:
    server.is_cut = True
    with session(server.databases()) as one, one.rows(Statement(LONG, (), ()), TODAY) as rows:
        batches = iter(rows.stream)  # type: ignore[call-overload] # a reader
        next(batches)
        with pytest.raises(QueryError) as lost:
            list(batches)
        assert lost.value.problem is QueryProblem.LOST
        assert rows.failure() is lost.value
    assert "crm: the connection broke off" in crm(tmp_path, server.databases(), LONG).refusal()


def test_an_address_that_has_expired_is_asked_for_again(server: DatabricksServer) -> None:
    server.expired = 2
    with session(server.databases()) as one:
        assert len(read(one, SQL)) == 4
        server.expired = 3
        assert refused(one).problem is QueryProblem.LOST


def test_a_result_that_is_not_whole_is_refused(server: DatabricksServer) -> None:
    with session(server.databases()) as one:
        server.loses_rows = True
        assert refused(one).problem is QueryProblem.LOST
        server.truncates = True
        assert refused(one).problem is QueryProblem.RESULT


def test_a_link_to_another_part_is_not_followed(
    server: DatabricksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = server.link
    monkeypatch.setattr(server, "link", lambda id_, index: link(id_, index + 1))
    with session(server.databases()) as one:
        assert refused(one).problem is QueryProblem.NOT_A_WORKSPACE
    assert not server.fetched


def test_rows_with_other_columns_than_are_stated_are_refused(
    server: DatabricksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = server.stated

    def more(id_: str) -> dict[str, Any]:
        answer = stated(id_)
        for one in answer.get("manifest", {}).get("schema", {}).get("columns", [])[:1]:
            answer["manifest"]["schema"] = {"columns": [one, *answer["manifest"]["schema"]["columns"]]}
        return answer

    monkeypatch.setattr(server, "stated", more)
    with session(server.databases()) as one:
        assert refused(one).problem is QueryProblem.TYPES


def test_a_description_that_lacks_columns_is_refused(
    server: DatabricksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = server.stated

    def fewer(id_: str) -> dict[str, Any]:
        answer = stated(id_)
        return {**answer, "result": {"data_array": [["email", "string"]]}}

    with session(server.databases()) as one:
        monkeypatch.setattr(server, "stated", fewer)
        with pytest.raises(QueryError) as found:
            one.columns(Statement(SQL, (), ()), TODAY)
    assert found.value.problem is QueryProblem.NOT_A_WORKSPACE


def test_an_address_without_tls_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage is on this machine: from a workspace with TLS, that does not make it fit."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
    with databricks(encrypted=(True, True)) as server:
        server.write(ROWS)
        databases = server.databases(host="localhost", tls=TlsMode.VERIFY_FULL)
        with session(databases) as one:
            assert len(read(one, SQL)) == 4
            assert len(server.fetched) == 1
            server.storage = server.storage.replace("https", "http")
            found = refused(one)
            assert (found.problem, found.code) == (QueryProblem.OPEN_ADDRESS, "")
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "elsewhere.pem"))
        assert opening(databases).problem is QueryProblem.CERTIFICATE
    assert len(server.fetched) == 1


@pytest.mark.parametrize("storage", ["http://192.0.2.1", "ftp://localhost", "http://[", "file:///etc"])
def test_other_addresses_are_not_fetched(
    storage: str, server: DatabricksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "storage", storage)
    with session(server.databases()) as one:
        assert refused(one).problem in (QueryProblem.OPEN_ADDRESS, QueryProblem.NOT_A_WORKSPACE)


@pytest.mark.parametrize(
    ("answers", "problem", "code"),
    [
        ([(302, "")], QueryProblem.NOT_A_WORKSPACE, "302"),
        ([(200, "<html>Sign in</html>")], QueryProblem.NOT_A_WORKSPACE, ""),
        ([(200, [])], QueryProblem.NOT_A_WORKSPACE, ""),
        ([(200, "[" * 100_000)], QueryProblem.NOT_A_WORKSPACE, ""),
        ([(200, ENDLESS)], QueryProblem.NOT_A_WORKSPACE, ""),
        ([(200, {"statement_id": "../../marker"})], QueryProblem.NOT_A_WORKSPACE, ""),
        ([(200, {"statement_id": "a", "status": {"state": "marker"}})], QueryProblem.NOT_A_WORKSPACE, ""),
        ([(200, {"statement_id": "a", "status": {"state": "CANCELED"}})], QueryProblem.LOST, "CANCELED"),
        ([(404, {"error_code": "ENDPOINT_NOT_FOUND"})], QueryProblem.NOT_A_WORKSPACE, "404"),
        ([(401, {"error_code": "marker"})], QueryProblem.TOKEN, "401"),
        ([(403, {"error_code": "PERMISSION_DENIED"})], QueryProblem.SQL_WAREHOUSE, "PERMISSION_DENIED"),
        (
            [(400, {"error_code": "INVALID_PARAMETER_VALUE"})],
            QueryProblem.NO_FILES,
            "INVALID_PARAMETER_VALUE",
        ),
        ([(501, {"error_code": "NOT_IMPLEMENTED"})], QueryProblem.NO_FILES, "NOT_IMPLEMENTED"),
        ([(400, {"error_code": ["marker"]})], QueryProblem.NOT_A_WORKSPACE, "400"),
        ([(429, {})] * 3, QueryProblem.BUSY, "429"),
        ([(503, {})] * 3, QueryProblem.LOST, "503"),
        ([(500, {})], QueryProblem.LOST, "500"),
    ],
)
def test_an_answer_is_not_believed(
    answers: list[tuple[int, object]], problem: QueryProblem, code: str, server: DatabricksServer
) -> None:
    server.answers = list(answers)
    found = opening(server.databases())
    assert (found.problem, found.code) == (problem, code)
    assert not server.answers


@pytest.mark.parametrize(
    ("status", "problem", "code"),
    [
        ({"sql_state": "57KD0"}, QueryProblem.TIME, "57KD0"),
        ({"sql_state": "XX000"}, QueryProblem.OTHER, "XX000"),
        ({"sql_state": "a marker"}, QueryProblem.OTHER, ""),
        ({"error": {"error_code": "RESOURCE_EXHAUSTED"}}, QueryProblem.BUSY, "RESOURCE_EXHAUSTED"),
        ({"error": {"error_code": "marker", "message": "marker"}}, QueryProblem.OTHER, ""),
        ({"error": "marker"}, QueryProblem.OTHER, ""),
    ],
)
def test_a_statement_that_fails_has_a_reason_or_none(
    status: dict[str, object], problem: QueryProblem, code: str, server: DatabricksServer
) -> None:
    server.answers = [(200, {"statement_id": "a", "status": {"state": "FAILED", **status}})]
    found = opening(server.databases())
    assert (found.problem, found.code) == (problem, code)


def test_a_request_that_was_not_taken_is_sent_again(server: DatabricksServer) -> None:
    server.answers = [(429, {}), (503, {})]
    with session(server.databases()) as one:
        assert len(read(one, SQL)) == 4


def test_a_statement_whose_answer_is_lost_is_not_sent_again(
    server: DatabricksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []

    def lost(asked: object) -> None:
        sent.append(asked)
        raise ConnectionResetError

    with session(server.databases()) as one:
        monkeypatch.setattr(server, "begin", lost)
        assert refused(one).problem is QueryProblem.LOST
    assert len(sent) == 1


def test_doctor_tries_each_link_until_one_does_not_hold(tmp_path: Path, server: DatabricksServer) -> None:
    holds = [("driver", "installed"), ("address", "a server answers")]
    accepted = [*holds, ("login", "accepted")]
    assert links(tmp_path, server.databases()) == [
        *accepted,
        ("rights", "tables of queries that can be read: 1"),
    ]
    refused_token = "crm: Databricks refused the token (403)"
    assert links(tmp_path, server.databases(token="dapi-other")) == [*holds, ("login", refused_token)]
    for broken in ("dapi\nmarker", "dapi-é", ""):
        found = links(tmp_path, server.databases(token=broken))
        assert found == [*holds, ("login", "crm: Databricks refused the token")]
    none = "crm: the SQL warehouse does not exist, or this login may not use it (RESOURCE_DOES_NOT_EXIST)"
    assert links(tmp_path, server.databases(warehouse="0")) == [*holds, ("login", none)]
    closed = "crm: no server answers at this host and port"
    assert links(tmp_path, server.databases(port=1)) == [holds[0], ("address", closed)]
    no_host = "crm: the host name has no address"
    assert links(tmp_path, server.databases(host="dbc-0.invalid")) == [holds[0], ("address", no_host)]
    server.revoke()
    lacks = "the user lacks a right: SELECT on customers"
    assert links(tmp_path, server.databases()) == [*accepted, ("rights", lacks)]
    assert "the user lacks a right (42501)" in crm(tmp_path, server.databases()).refusal()


def test_a_service_principal_gets_tokens_that_end(server: DatabricksServer) -> None:
    with session(server.databases(secret=PASSWORD)) as one:
        assert len(read(one, SQL)) == 4
    assert server.logins == 1
    server.seconds = 60
    with session(server.databases(secret=PASSWORD)) as one:
        before = server.logins
        read(one, SQL)
        assert server.logins > before
    found = opening(server.databases(secret="another"))
    assert (found.problem, found.code) == (QueryProblem.PRINCIPAL, "401")


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"<html>", b"[]", b'{"access_token": 1, "expires_in": 60}']
)
def test_a_token_is_read_from_no_other_answer(content: bytes) -> None:
    with pytest.raises(QueryError) as found:
        databricks_login._granted(httpx.Response(200, content=content))
    assert found.value.problem is QueryProblem.NOT_A_WORKSPACE


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 10**400])
def test_a_token_without_a_usable_end_is_refused(server: DatabricksServer, seconds: float) -> None:
    server.seconds = seconds
    assert opening(server.databases(secret=PASSWORD)).problem is QueryProblem.NOT_A_WORKSPACE


def test_an_answer_that_is_too_large_is_no_lost_connection(
    server: DatabricksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "LARGEST_ANSWER", 10)
    assert opening(server.databases()).problem is QueryProblem.NOT_A_WORKSPACE


def test_an_extra_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise ModuleNotFoundError

    monkeypatch.setattr(installed, "find_spec", missing)
    monkeypatch.setattr(installed, "_are_there", installed._are_there.__wrapped__)
    found = crm(tmp_path, DatabricksServer(port=1).databases()).refusal()
    assert "crm: what reads databricks is not installed" in found
    assert "pip install 'criteo-reconciler[databricks]'" in found


def test_headers_of_the_storage_that_cannot_be_sent_are_a_lost_connection(server: DatabricksServer) -> None:
    with session(server.databases()) as one:
        for value in ("é", "a\nb"):
            server.headers = {"x-key": value}
            assert refused(one).problem is QueryProblem.LOST


def test_several_columns_of_a_wrong_type_are_all_named(tmp_path: Path, server: DatabricksServer) -> None:
    sql = "SELECT CAST(email AS BINARY) AS email, CAST(id AS DOUBLE) AS id FROM customers"
    with pytest.raises(ConfigurationError) as found:
        crm(tmp_path, server.databases(), sql).build((EMAIL, Hashing.NONE), (CUSTOMER, Hashing.NONE))
    assert len(found.value.findings) == 2
