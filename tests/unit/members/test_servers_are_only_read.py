"""Queries of servers that the tests start: Flight SQL, and PostgreSQL and MariaDB where installed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from support import databases as postgresql_server
from support import flightsql as flightsql_server
from support import mariadb as mariadb_server
from support.databases import CERTIFICATES, READER, Row, SqlServer, query
from support.full_disk import largest_file
from support.server_sources import SQL, crm, links
from support.source_project import CUSTOMER, EMAIL, TODAY

from reconciler.core.database import DatabaseRole, Driver, TlsMode
from reconciler.core.errors import AuthenticationError, StorageError
from reconciler.core.members import AudienceRequest
from reconciler.core.model import Hashing
from reconciler.core.secret import Secret
from reconciler.members.queries.databases import Databases
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Rows

ROWS: list[Row] = [
    ("Ann@Example.com", 1, "2026-01-01"),
    ("bo@example.com", 2, "2026-11-23"),
    ("cleo.marker@example", 3, "2026-01-01"),
    (None, 4, "2026-11-24"),
]
SERVERS = {
    Driver.POSTGRESQL: (postgresql_server.INSTALLED, postgresql_server.postgresql, "postgresql"),
    Driver.MYSQL: (mariadb_server.INSTALLED, mariadb_server.mariadb, "mariadb-server"),
    Driver.FLIGHTSQL: (flightsql_server.INSTALLED, flightsql_server.flightsql, ""),
}
REFUSED = {
    Driver.POSTGRESQL: {
        "SELECT mail, id FROM customers": "does not exist (42703)",
        "SELECT email, id FROM nobody": "does not exist (42P01)",
        "SELECT email, id FROM customers WHERE 1 / (id - 3) > 0": "fails on a value (22012)",
        "SELECT email, id FROM customers WHERE email::int > 0": "fails on a value (22P02)",
        "SELECT email::bytea AS email, id FROM customers": "stored as blob in the query of crm",
        "SELECT id::numeric AS email, id FROM customers": "stored as numeric in the query of crm",
        "SELECT id::float8 AS email, id FROM customers": "stored as floating point",
        "SELECT email AS mail, id, pg_typeof(1 / 0) FROM customers": "did you mean mail?",
    },
    Driver.MYSQL: {
        "SELECT mail, id FROM customers": "does not exist (1054)",
        "SELECT email, id FROM nobody": "does not exist (1146)",
        "SELECT email, id, nothing(id) FROM customers": "does not exist (1305)",
        "SELECT email, id, CAST(0 AS UNSIGNED) - id AS less FROM customers": "fails on a value (1690)",
        "SELECT email, id, (SELECT id FROM customers) AS many FROM customers": "fails on a value (1242)",
        "SELECT email, id, CAST('0000-00-00' AS DATE) AS day FROM customers": "fails on a value",
        "SELECT CAST(email AS BINARY) AS email, id FROM customers": "stored as binary in the query of crm",
        "SELECT CAST(id AS DECIMAL(9, 1)) AS email, id FROM customers": "stored as decimal in the query of",
        "SELECT id + 0e0 AS email, id FROM customers": "stored as floating point",
        "SELECT email AS mail, id, CAST(0 AS UNSIGNED) - id AS less FROM customers": "did you mean mail?",
        "SELECT email, id, email FROM customers": "two columns have one name (1060)",
    },
    Driver.FLIGHTSQL: {
        "SELECT mail, id FROM customers": "can't run the statement (INVALID_ARGUMENT)",
        "SELECT email, id FROM nobody": "does not exist (NOT_FOUND)",
        "SELECT CAST(email AS INT) AS email, id FROM customers": "can't run the statement (INVALID_ARGUMENT)",
        "SELECT CAST(email AS BLOB) AS email, id FROM customers": "stored as blob in the query of crm",
        "SELECT CAST(id AS DECIMAL(9, 1)) AS email, id FROM customers": "stored as decimal in the query of",
        "SELECT CAST(id AS DOUBLE) AS email, id FROM customers": "stored as floating point",
        "SELECT email AS mail, id, CAST(email AS INT) AS n FROM customers": "did you mean mail?",
    },
}
"""What a server refuses to run, or to bring, and what is said about it."""
GRANTED = f"GRANT SELECT, UPDATE, DELETE ON customers TO {READER}"
WRITING = {
    Driver.POSTGRESQL: (
        "UPDATE customers SET id = 1",
        "WITH gone AS (DELETE FROM customers RETURNING *) SELECT * FROM gone",
        "SELECT 1; DELETE FROM customers",
        "SELECT writes()",
        "SELECT set_config('transaction_read_only', 'off', true), writes()",
    ),
    Driver.MYSQL: (
        "UPDATE customers SET id = 1",
        "DELETE FROM customers RETURNING id",
        "SELECT 1; DELETE FROM customers",
        "SELECT 1) AS rows_; DELETE FROM customers; SELECT * FROM (SELECT 1",
        "SELECT writes() AS n",
        "SELECT /*! writes(), */ 1",
    ),
    Driver.FLIGHTSQL: (
        "UPDATE customers SET id = 1",
        "DELETE FROM customers RETURNING id",
        "SELECT 1; DELETE FROM customers",
        "SELECT 1) AS rows_; DELETE FROM customers; SELECT * FROM (SELECT 1",
        "WITH gone AS (DELETE FROM customers RETURNING *) SELECT * FROM gone",
        "FROM query('DELETE FROM customers')",
    ),
}
"""Statements that write, past the parser. `writes()` deletes rows."""
WRITABLE = {
    Driver.POSTGRESQL: "CREATE OR REPLACE FUNCTION writes() RETURNS int LANGUAGE sql AS"
    f" 'DELETE FROM customers RETURNING 1'; {GRANTED}",
    Driver.MYSQL: "DELIMITER //\nCREATE OR REPLACE FUNCTION writes() RETURNS int MODIFIES SQL DATA BEGIN"
    f" DELETE FROM customers; RETURN 1; END//\nDELIMITER ;\n; {GRANTED}",
    Driver.FLIGHTSQL: "SELECT 1",
}
"""What lets the reader write. The server of Flight SQL refuses no reader's writes."""
BINARY = {
    Driver.POSTGRESQL: ("ALTER TABLE customers ALTER email TYPE bytea USING email::bytea", "stored as blob"),
    Driver.MYSQL: ("ALTER TABLE customers MODIFY email varbinary(200)", "stored as binary"),
    Driver.FLIGHTSQL: ("ALTER TABLE customers ALTER email TYPE BLOB USING encode(email)", "stored as blob"),
}
SLOW = {
    Driver.POSTGRESQL: "SELECT email, id FROM customers, generate_series(1, 1000000000) WHERE id < 0",
    Driver.MYSQL: "SELECT email, id FROM customers, seq_1_to_1000000000 WHERE id + seq < 0",
    Driver.FLIGHTSQL: "SELECT email, id FROM customers, range(100000000000) AS t(n) WHERE id + n < 0",
}
MANY = {
    Driver.POSTGRESQL: "SELECT repeat('x', 1000) AS email, n AS id FROM generate_series(1, 1000000) AS n",
    Driver.MYSQL: "SELECT repeat('x', 1000) AS email, seq AS id FROM seq_1_to_300000",
    Driver.FLIGHTSQL: "SELECT repeat('x', 1000) AS email, n AS id FROM range(1000000) AS t(n)",
}
LONG = {
    Driver.POSTGRESQL: MANY[Driver.POSTGRESQL],
    Driver.MYSQL: "SELECT repeat('x', 1000) AS email, seq + sleep(if(seq < 20000, 0, 0.01)) AS id"
    " FROM seq_1_to_1000000",
    Driver.FLIGHTSQL: MANY[Driver.FLIGHTSQL],
}
"""Rows that do not end while a test looks, of which some come at once."""
LACKING = {Driver.POSTGRESQL: "42501", Driver.MYSQL: "1142", Driver.FLIGHTSQL: "UNAUTHORIZED"}
"""The code of a missing right."""
ACCEPTED = dict.fromkeys(SERVERS, "accepted, and the session only reads") | {Driver.FLIGHTSQL: "accepted"}


@pytest.fixture(scope="module", params=SERVERS, ids=str)
def running(request: pytest.FixtureRequest) -> Iterator[SqlServer]:
    is_installed, start, package = SERVERS[request.param]
    if not is_installed:
        pytest.skip(f"{request.param} is not installed (apt-get install {package})")
    with start() as server:
        yield server


@pytest.fixture
def server(running: SqlServer) -> SqlServer:
    running.write(ROWS)
    return running


@contextmanager
def reading(tmp_path: Path, server: SqlServer, sql: str) -> Iterator[Rows]:
    """Run a statement that no parser looked at."""
    with (
        server.databases().session("crm", tmp_path, tmp_path, lambda: None) as session,
        session.rows(Statement(sql, (), ()), TODAY) as rows,
    ):
        yield rows


def test_today_and_the_age_of_rows_are_asked_in_one_session(tmp_path: Path, server: SqlServer) -> None:
    sql, fresh = (
        f"{SQL} WHERE last_order < :today",
        "SELECT max(last_order) FROM customers WHERE last_order < :today",
    )
    project = crm(tmp_path, server.databases(), sql, fresh)
    [(ids, target)] = project.build((CUSTOMER, Hashing.NONE))
    assert ids == {"1", "2", "3"}
    assert target.newest == datetime(2026, 11, 23, tzinfo=UTC)


def test_the_session_refuses_what_no_parser_saw(tmp_path: Path, server: SqlServer) -> None:
    server.admin(WRITABLE[server.driver])
    for sql in WRITING[server.driver]:
        with suppress(QueryError), reading(tmp_path, server, sql) as rows:
            list(rows.stream)  # type: ignore[call-overload] # a reader of batches
        assert server.admin("SELECT count(*) FROM customers WHERE id <> 1") == "3", sql


def test_what_it_refuses_is_reported_by_its_code(tmp_path: Path, server: SqlServer) -> None:
    for number, (sql, said) in enumerate(REFUSED[server.driver].items()):
        found = crm(tmp_path / str(number), server.databases(), sql).refusal()
        assert said in found, sql
        assert "marker" not in found


def test_a_type_that_changes_between_runs_is_refused(tmp_path: Path, server: SqlServer) -> None:
    project = crm(tmp_path, server.databases())
    assert len(project.emails()) == 2
    change, said = BINARY[server.driver]
    server.admin(change)
    assert said in project.refusal()


def test_a_revoked_right_is_named(tmp_path: Path, server: SqlServer) -> None:
    server.revoke()
    databases = server.databases()
    assert f"the user lacks a right ({LACKING[server.driver]})" in crm(tmp_path, databases).refusal()
    [*_, last] = links(tmp_path, databases)
    assert last == ("rights", "the user lacks a right: SELECT on customers")


def test_a_statement_ends_at_its_time_limit(tmp_path: Path, server: SqlServer) -> None:
    databases = server.databases(time_limit=timedelta(milliseconds=300))
    found = crm(tmp_path, databases, SLOW[server.driver]).refusal()
    assert "longer than its time limit" in found


def test_a_query_with_more_rows_than_its_login_may_read_is_refused(tmp_path: Path, server: SqlServer) -> None:
    project = crm(tmp_path, server.databases(max_rows=4), "SELECT email, id, id + 1 AS n FROM customers;")
    assert len(project.emails()) == 2
    project.databases = server.databases(max_rows=3)
    assert "more rows than this login may read (limit 3)" in project.refusal()


def test_a_connection_that_breaks_off_in_the_middle_is_reported(tmp_path: Path, server: SqlServer) -> None:
    with reading(tmp_path, server, LONG[server.driver]) as rows:
        batches = iter(rows.stream)  # type: ignore[call-overload] # a reader of batches
        next(batches)
        server.disconnect()
        with pytest.raises(QueryError) as lost:
            list(batches)
        assert lost.value.problem is QueryProblem.LOST
        assert rows.failure() is lost.value


def test_rows_that_fill_the_disk_are_no_fault_of_the_query(tmp_path: Path, server: SqlServer) -> None:
    """Hundreds of megabytes arrive where a file can have 200 kB. Nothing of it stays."""
    project = crm(tmp_path, server.databases(), MANY[server.driver])
    with project.engine() as engine, largest_file(200_000):
        request = AudienceRequest(project.audience, ((EMAIL, Hashing.NONE),))
        with pytest.raises(StorageError, match="larger than this process may write"):
            engine.build([request], TODAY, lambda _: None)
    assert not [*project.work.rglob("*.parquet")]
    assert len(project.queries(server.databases(), query(SQL)).emails()) == 2


def test_doctor_tries_each_link_until_one_does_not_hold(tmp_path: Path, server: SqlServer) -> None:
    holds = [("driver", "installed"), ("address", "a server answers")]
    assert links(tmp_path, server.databases()) == [
        *holds,
        ("login", ACCEPTED[server.driver]),
        ("rights", "tables of queries that can be read: 1"),
    ]
    refused = "crm: the server refused the login or its TLS mode"
    for databases in (server.databases(password="wrong"), server.databases(user="nobody")):
        *before, (link, found) = links(tmp_path, databases)
        assert (before, link) == (holds, "login")
        assert found.startswith(refused)
    no_port = "crm: no server answers at this host and port"
    assert links(tmp_path, server.databases(port=1)) == [holds[0], ("address", no_port)]
    no_host = "crm: the host name has no address"
    assert links(tmp_path, server.databases(host="db.invalid")) == [holds[0], ("address", no_host)]


def test_a_server_is_authenticated_by_its_certificate(tmp_path: Path, server: SqlServer) -> None:
    def login(certificate: str, tls: TlsMode, ca_file: str = "") -> str:
        server.serves(certificate)
        databases = server.databases(host="localhost", tls=tls, ca_file=ca_file)
        return dict(links(tmp_path, databases))["login"].partition(" (")[0]

    accepted = ACCEPTED[server.driver]
    refused = "crm: the server refused the login or its TLS mode"
    assert login("good.pem", TlsMode.VERIFY_FULL, "authority.pem") == accepted
    verified = server.databases(host="localhost", tls=TlsMode.VERIFY_FULL, ca_file="authority.pem")
    assert len(crm(tmp_path / "rows", verified).emails()) == 2
    assert login("good.pem", TlsMode.VERIFY_FULL) == refused
    assert login("elsewhere.pem", TlsMode.VERIFY_FULL, "authority.pem") == refused
    assert login("elsewhere.pem", TlsMode.REQUIRE) == accepted
    missing = "crm: there is no file of that name in the project"
    assert login("good.pem", TlsMode.VERIFY_FULL, "none.pem") == missing


def test_the_authorities_of_the_system_are_trusted(
    tmp_path: Path, server: SqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.serves("good.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "authority.pem"))
    databases = server.databases(host="localhost", tls=TlsMode.VERIFY_FULL)
    assert len(crm(tmp_path, databases).emails()) == 2


def test_a_login_without_its_secret_is_a_finding(tmp_path: Path, server: SqlServer) -> None:
    def fetch(_: str) -> Secret:
        raise AuthenticationError("env: there is no variable of that name", remedy="set it")

    databases = Databases(server.databases().roles, fetch)
    assert "crm: env: there is no variable of that name" in crm(tmp_path, databases).refusal()
    assert links(tmp_path, databases)[-1] == ("login", "env: there is no variable of that name")


def test_nothing_of_a_password_is_printed(server: SqlServer) -> None:
    [role] = server.databases().roles.values()
    assert isinstance(role, DatabaseRole)
    assert "not-a-secret" not in repr(server.databases())
    assert date(2026, 11, 24) == TODAY


def test_a_statement_may_end_in_a_comment(tmp_path: Path, server: SqlServer) -> None:
    fresh = "SELECT date '2026-11-01' -- fixed"
    assert len(crm(tmp_path, server.databases(), f"{SQL}; -- of all", fresh).emails()) == 2
    assert len(crm(tmp_path / "b", server.databases(), f"{SQL} -- of all").emails()) == 2
