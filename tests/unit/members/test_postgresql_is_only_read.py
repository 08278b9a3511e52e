"""Queries of a real PostgreSQL server, which the tests start. Skipped where it is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from support.databases import INSTALLED, READER, PostgresqlServer, Row, postgresql, query
from support.source_project import CUSTOMER, EMAIL, TODAY, Project, make

from reconciler.core.database import DatabaseRole, TlsMode
from reconciler.core.errors import AuthenticationError
from reconciler.core.model import Hashing
from reconciler.core.secret import Secret
from reconciler.members.queries.databases import Databases
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.links import DatabaseLinks
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.session import Rows

pytestmark = pytest.mark.skipif(
    not INSTALLED, reason="PostgreSQL is not installed (apt-get install postgresql)"
)

SQL = "SELECT email, id FROM customers"
ROWS: list[Row] = [
    ("Ann@Example.com", 1, "2026-01-01"),
    ("bo@example.com", 2, "2026-11-23"),
    ("cleo.marker@example", 3, "2026-01-01"),
    (None, 4, "2026-11-24"),
]


@pytest.fixture(scope="module")
def running() -> Iterator[PostgresqlServer]:
    with postgresql() as server:
        yield server


@pytest.fixture
def server(running: PostgresqlServer) -> PostgresqlServer:
    running.write(ROWS)
    return running


def crm(tmp_path: Path, databases: Databases, sql: str = SQL, freshness: str = "") -> Project:
    tmp_path.mkdir(exist_ok=True)
    return make(tmp_path).queries(databases, query(sql, freshness))


@contextmanager
def reading(tmp_path: Path, server: PostgresqlServer, sql: str) -> Iterator[Rows]:
    """Run a statement that no parser looked at."""
    with (
        server.databases().session("crm", tmp_path, tmp_path, lambda: None) as session,
        session.rows(Statement(sql, (), ()), TODAY) as rows,
    ):
        yield rows


def test_its_people_are_those_of_a_file(tmp_path: Path, server: PostgresqlServer) -> None:
    kinds = ((EMAIL, Hashing.SHA256), (CUSTOMER, Hashing.NONE))
    project = crm(tmp_path, server.databases())
    found = [target.members for _, target in project.build(*kinds)]
    project.write("people.csv", "email,id\n" + "".join(f"{email or ''},{id_}\n" for email, id_, _ in ROWS))
    assert found == [target.members for _, target in project.reads("people.csv").build(*kinds)]


def test_today_and_the_age_of_rows_are_asked_in_one_session(tmp_path: Path, server: PostgresqlServer) -> None:
    sql, fresh = (
        f"{SQL} WHERE last_order < :today",
        "SELECT max(last_order) FROM customers WHERE last_order < :today",
    )
    project = crm(tmp_path, server.databases(), sql, fresh)
    [(ids, target)] = project.build((CUSTOMER, Hashing.NONE))
    assert ids == {"1", "2", "3"}
    assert target.newest == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE customers SET id = 1",
        "WITH gone AS (DELETE FROM customers RETURNING *) SELECT * FROM gone",
        "SELECT 1; DELETE FROM customers",
        "SELECT writes()",
        "SELECT set_config('transaction_read_only', 'off', true), writes()",
    ],
)
def test_the_session_refuses_what_no_parser_saw(tmp_path: Path, server: PostgresqlServer, sql: str) -> None:
    server.admin(
        f"GRANT ALL ON customers TO {READER};"
        "CREATE OR REPLACE FUNCTION writes() RETURNS int LANGUAGE sql AS 'DELETE FROM customers RETURNING 1'"
    )
    with suppress(QueryError), reading(tmp_path, server, sql) as rows:
        list(rows.stream)  # type: ignore[call-overload] # a reader of batches
    assert server.admin("SELECT count(*) FROM customers WHERE id <> 1") == "3"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT mail, id FROM customers", "does not exist (42703)"),
        ("SELECT email, id FROM nobody", "does not exist (42P01)"),
        ("SELECT email, id FROM customers WHERE 1 / (id - 3) > 0", "fails on a value (22012)"),
        ("SELECT email, id FROM customers WHERE email::int > 0", "fails on a value (22P02)"),
        ("SELECT email::bytea AS email, id FROM customers", "stored as blob in the query of crm"),
        ("SELECT id::numeric AS email, id FROM customers", "stored as numeric in the query of crm"),
        ("SELECT id::float8 AS email, id FROM customers", "stored as floating point"),
        ("SELECT email AS mail, id, pg_typeof(1 / 0) FROM customers", "did you mean mail?"),
    ],
)
def test_what_it_refuses_is_reported_by_its_code(
    tmp_path: Path, server: PostgresqlServer, sql: str, said: str
) -> None:
    found = crm(tmp_path, server.databases(), sql).refusal()
    assert said in found
    assert "marker" not in found


def test_a_type_that_changes_between_runs_is_refused(tmp_path: Path, server: PostgresqlServer) -> None:
    project = crm(tmp_path, server.databases())
    assert len(project.emails()) == 2
    server.admin("ALTER TABLE customers ALTER email TYPE bytea USING email::bytea")
    assert "stored as blob" in project.refusal()


def test_a_revoked_right_is_named(tmp_path: Path, server: PostgresqlServer) -> None:
    server.admin(f"REVOKE SELECT ON customers FROM {READER}")
    databases = server.databases()
    assert "the user lacks a right (42501)" in crm(tmp_path, databases).refusal()
    [*_, last] = links(tmp_path, databases)
    assert last == ("rights", "the user lacks a right: SELECT on customers")


def test_a_statement_ends_at_its_time_limit(tmp_path: Path, server: PostgresqlServer) -> None:
    slow = "SELECT email, id FROM customers, generate_series(1, 1000000000) WHERE id < 0"
    databases = server.databases(time_limit=timedelta(milliseconds=300))
    assert "longer than its time limit (57014)" in crm(tmp_path, databases, slow).refusal()


def test_a_connection_that_breaks_off_in_the_middle_is_reported(
    tmp_path: Path, server: PostgresqlServer
) -> None:
    many = "SELECT repeat('x', 1000) AS email, n AS id FROM generate_series(1, 1000000) AS n"
    with reading(tmp_path, server, many) as rows:
        batches = iter(rows.stream)  # type: ignore[call-overload] # a reader of batches
        next(batches)
        server.admin(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{READER}'")
        with pytest.raises(QueryError) as lost:
            list(batches)
        assert lost.value.problem is QueryProblem.LOST
        assert rows.failure() is lost.value


def links(tmp_path: Path, databases: Databases) -> list[tuple[str, str]]:
    """Return each link that was tried, and what was found."""
    tried = DatabaseLinks(databases, [query(SQL)], tmp_path, tmp_path / "links", lambda: None)
    found = tried.of(databases.roles.values())
    return [(one.link, one.found if isinstance(one.found, str) else one.found.problem) for one in found]


def test_doctor_tries_each_link_until_one_does_not_hold(tmp_path: Path, server: PostgresqlServer) -> None:
    holds = [("driver", "installed"), ("address", "a server answers")]
    assert links(tmp_path, server.databases()) == [
        *holds,
        ("login", "accepted, and the session only reads"),
        ("rights", "tables of queries that can be read: 1"),
    ]
    refused = "crm: the server refused the login or its TLS mode"
    assert links(tmp_path, server.databases(password="wrong")) == [*holds, ("login", refused)]
    assert links(tmp_path, server.databases(user="nobody")) == [*holds, ("login", refused)]
    no_port = "crm: no server answers at this host and port"
    assert links(tmp_path, server.databases(port=1)) == [holds[0], ("address", no_port)]
    no_host = "crm: the host name has no address"
    assert links(tmp_path, server.databases(host="db.invalid")) == [holds[0], ("address", no_host)]


def test_a_server_is_authenticated_by_its_certificate(tmp_path: Path, server: PostgresqlServer) -> None:
    def login(certificate: str, tls: TlsMode, ca_file: str = "") -> str:
        server.serves(certificate)
        databases = server.databases(host="localhost", tls=tls, ca_file=ca_file)
        return dict(links(tmp_path, databases))["login"]

    accepted = "accepted, and the session only reads"
    refused = "crm: the server refused the login or its TLS mode"
    assert login("good.pem", TlsMode.VERIFY_FULL, "authority.pem") == accepted
    assert login("good.pem", TlsMode.VERIFY_FULL) == refused
    assert login("elsewhere.pem", TlsMode.VERIFY_FULL, "authority.pem") == refused
    assert login("elsewhere.pem", TlsMode.REQUIRE) == accepted
    missing = "crm: there is no file of that name in the project"
    assert login("good.pem", TlsMode.VERIFY_FULL, "none.pem") == missing


def test_a_login_without_its_secret_is_a_finding(tmp_path: Path, server: PostgresqlServer) -> None:
    def fetch(_: str) -> Secret:
        raise AuthenticationError("env: there is no variable of that name", remedy="set it")

    databases = Databases(server.databases().roles, fetch)
    assert "crm: env: there is no variable of that name" in crm(tmp_path, databases).refusal()
    assert links(tmp_path, databases)[-1] == ("login", "env: there is no variable of that name")


def test_nothing_of_a_password_is_printed(server: PostgresqlServer) -> None:
    [role] = server.databases().roles.values()
    assert isinstance(role, DatabaseRole)
    assert "not-a-secret" not in repr(server.databases())
    assert date(2026, 11, 24) == TODAY


def test_a_statement_may_end_in_a_comment(tmp_path: Path, server: PostgresqlServer) -> None:
    fresh = "SELECT date '2026-11-01' -- fixed"
    assert len(crm(tmp_path, server.databases(), f"{SQL}; -- of all", fresh).emails()) == 2
    assert len(crm(tmp_path / "b", server.databases(), f"{SQL} -- of all").emails()) == 2
