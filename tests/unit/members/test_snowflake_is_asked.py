"""Queries of Snowflake through its real driver. The server is a double: the real one was never asked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.databases import PASSWORD, Row
from support.server_sources import SQL, crm, links
from support.snowflake import ROLE, WAREHOUSE, SnowflakeServer, snowflake
from support.source_project import CUSTOMER, TODAY

from reconciler.core.errors import CancelledError
from reconciler.core.model import Hashing
from reconciler.members.queries import conversation
from reconciler.members.queries import snowflake as session_module
from reconciler.members.queries.guard import Statement
from reconciler.members.queries.problems import QueryError, QueryProblem

MANY = "SELECT repeat('x', 100) AS email, n AS id FROM range(20000) AS r(n)"
SLOW = "SELECT email, id FROM customers, range(1000000000000) AS r(n) WHERE id + n < 0"
ROWS: list[Row] = [
    ("Ann@Example.com", 1, "2026-01-01"),
    ("bo@example.com", 2, "2026-11-23"),
    ("cleo.marker@example", 3, "2026-01-01"),
    (None, 4, "2026-11-24"),
]
REFUSED = {
    "SELECT mail, id FROM customers": "does not exist (000904)",
    "SELECT email, id FROM nobody": "does not exist, or the role may not see it (002003)",
    "SELECT email::int AS email, id FROM customers": "fails on a value (100038)",
    "SELECT 1.5::number(9, 1) AS email, id FROM customers": "stored as decimal in the query of crm",
    "SELECT id::float AS email, id FROM customers": "stored as floating point",
    "SELECT email::binary AS email, id FROM customers": "stored as blob in the query of crm",
    "SELECT array_construct(email) AS email, id FROM customers": "stored as array in the query of crm",
    "SELECT email, 99999999999999999999::number(38, 0) AS id FROM customers": "fails on a value",
    "SELECT email AS mail, id FROM customers": "did you mean MAIL?",
}


@pytest.fixture
def server() -> Iterator[SnowflakeServer]:
    with snowflake() as made:
        made.write(ROWS)
        yield made


def test_today_and_the_age_of_rows_are_asked_in_one_limited_session(
    tmp_path: Path, server: SnowflakeServer
) -> None:
    fresh = "SELECT max(last_order) FROM customers WHERE last_order < :today"
    project = crm(tmp_path, server.databases(), f"{SQL} WHERE last_order < :today", fresh)
    [(ids, target)] = project.build((CUSTOMER, Hashing.NONE))
    assert ids == {"1", "2", "3"}
    assert target.newest == datetime(2026, 11, 23, tzinfo=UTC)
    assert server.asked[:3] == [
        "ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 60",
        "ALTER SESSION SET TIMEZONE = 'UTC'",
        "USE SECONDARY ROLES NONE",
    ]
    [login] = server.logins
    assert (login["roleName"], login["warehouse"], login["databaseName"]) == ([ROLE], [WAREHOUSE], ["CRM"])


def test_a_key_pair_takes_the_place_of_a_password(tmp_path: Path, server: SnowflakeServer) -> None:
    key = rsa.generate_private_key(65537, 2048)
    server.key = key.public_key()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    assert len(crm(tmp_path, server.databases(password=pem, by_key=True)).emails()) == 2
    assert "PASSWORD" not in server.logins[0]
    assert links(tmp_path, server.databases(password="no key", by_key=True))[-1][0] == "login"


def test_what_it_refuses_is_reported_by_its_code(tmp_path: Path, server: SnowflakeServer) -> None:
    for number, (sql, said) in enumerate(REFUSED.items()):
        found = crm(tmp_path / str(number), server.databases(), sql).refusal()
        assert said in found, sql
        assert "marker" not in found
        assert PASSWORD not in found


def test_doctor_tries_each_link_until_one_does_not_hold(tmp_path: Path, server: SnowflakeServer) -> None:
    holds = [("driver", "installed"), ("address", "a server answers")]
    accepted = ("login", "accepted")
    assert links(tmp_path, server.databases()) == [
        *holds,
        accepted,
        ("rights", "tables of queries that can be read: 1"),
    ]
    refused = "crm: the server refused the login or its TLS mode"
    assert links(tmp_path, server.databases(password="wrong")) == [*holds, ("login", f"{refused} (390100)")]
    *_, (link, found) = links(tmp_path, server.databases(role="OTHER"))
    assert (link, found.partition(",")[0]) == ("login", "crm: the role")
    assert found.endswith("may not use it (390189)")
    server.revoked = True
    assert links(tmp_path, server.databases())[-1] == (
        "rights",
        "the user lacks a right: SELECT on customers",
    )
    closed = "crm: no server answers at this host and port"
    assert links(tmp_path, server.databases(port=1))[-1] == ("address", closed)


def test_rows_come_in_parts(tmp_path: Path, server: SnowflakeServer) -> None:
    [(ids, _)] = crm(tmp_path, server.databases(), MANY).build((CUSTOMER, Hashing.NONE))
    assert len(ids) == 20_000
    assert len(server.parts) == 19
    few = crm(tmp_path / "few", server.databases(max_rows=19_999), MANY)
    assert "more rows than this login may read (limit 19,999)" in few.refusal()


def test_a_statement_ends_at_the_time_limit_of_the_server(tmp_path: Path, server: SnowflakeServer) -> None:
    project = crm(tmp_path, server.databases(time_limit=timedelta(seconds=1)), SLOW)
    assert "longer than its time limit (000630)" in project.refusal()


def test_a_server_that_does_not_answer_is_left_at_the_time_limit(
    tmp_path: Path, server: SnowflakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "GRACE", 0.1)
    server.is_deaf = True
    project = crm(tmp_path, server.databases(time_limit=timedelta(seconds=1)))
    assert "longer than its time limit" in project.refusal()


def test_a_part_that_breaks_off_is_a_lost_connection(tmp_path: Path, server: SnowflakeServer) -> None:
    server.is_cut = True
    assert "crm: the connection broke off" in crm(tmp_path, server.databases(), MANY).refusal()


def test_a_user_who_asks_to_stop_ends_the_process(tmp_path: Path, server: SnowflakeServer) -> None:
    server.is_deaf, asked = True, list[str]()

    def check() -> None:
        if asked:
            raise CancelledError("stopped")

    with server.databases().session("crm", tmp_path, tmp_path, check) as session:
        asked.append("stop")
        with pytest.raises(CancelledError):
            session.columns(Statement(SQL, (), ()), TODAY)


def test_a_driver_that_dies_is_a_lost_connection(tmp_path: Path, server: SnowflakeServer) -> None:
    with server.databases().session("crm", tmp_path, tmp_path, lambda: None) as session:
        assert isinstance(session, session_module.SnowflakeSession)
        with session.rows(Statement(MANY, (), ()), TODAY) as rows:
            batches = iter(rows.stream)  # type: ignore[call-overload] # a reader of batches
            next(batches)
            session._process.child.kill()
            with pytest.raises(QueryError) as lost:
                list(batches)
            assert lost.value.problem is QueryProblem.LOST
            assert rows.failure() is lost.value
