"""ROAPI, a server of Flight SQL that shares no code with the tests; skipped where it is not installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.databases import Row, query
from support.roapi import INSTALLED, RoapiServer, roapi
from support.source_project import TODAY, Project, make

from reconciler.members.queries.guard import Statement
from reconciler.members.queries.links import DatabaseLinks
from reconciler.members.queries.problems import QueryError

pytestmark = pytest.mark.skipif(not INSTALLED, reason="ROAPI is not installed: `make roapi`")
SQL = "SELECT email, id FROM customers"
ROWS: list[Row] = [("ann.marker@example.com", 1, "2026-01-01"), ("bo@example.com", 2, "2026-11-23")]


@pytest.fixture(scope="module")
def server() -> Iterator[RoapiServer]:
    with roapi() as started:
        started.write(ROWS)
        yield started


def crm(tmp_path: Path, server: RoapiServer, sql: str, freshness: str = "") -> Project:
    return make(tmp_path).queries(server.databases(), query(sql, freshness))


def test_its_rows_are_members(tmp_path: Path, server: RoapiServer) -> None:
    project = crm(tmp_path, server, f"{SQL} WHERE id < 2 -- one", "SELECT max(last_order) FROM customers")
    assert project.emails() == {"ann.marker@example.com"}


def test_no_rows_are_no_error(tmp_path: Path, server: RoapiServer) -> None:
    """It states no columns then."""
    assert crm(tmp_path, server, f"{SQL} WHERE id > 2").emails() == frozenset()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT email, id FROM nobody", "the database refused the statement (INTERNAL)"),
        ("SELECT email, CAST(email AS INT) AS id FROM customers", "refused the statement (INTERNAL)"),
        (f"{SQL} WHERE last_order < :today", "the server lacks a part of Arrow Flight SQL"),
        ("SELECT email AS mail, id FROM customers", "did you mean mail?"),
        ("SELECT CAST(email AS BYTEA) AS email, id FROM customers", "stored as blob in the query of crm"),
    ],
)
def test_what_it_refuses_is_reported(tmp_path: Path, server: RoapiServer, sql: str, said: str) -> None:
    found = crm(tmp_path, server, sql).refusal()
    assert said in found
    assert "marker" not in found


def test_doctor_tries_its_links(tmp_path: Path, server: RoapiServer) -> None:
    databases = server.databases()
    tried = DatabaseLinks(databases, [query(SQL)], tmp_path, tmp_path / "links", lambda: None)
    assert [(one.link, one.found) for one in tried.of(databases.roles.values())] == [
        ("driver", "installed"),
        ("address", "a server answers"),
        ("login", "accepted"),
        ("rights", "tables of queries that can be read: 1"),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE customers",
        "SELECT 1; DROP TABLE customers",
        "SELECT 1) AS rows_; DROP TABLE customers; SELECT * FROM (SELECT 1",
    ],
)
def test_a_from_clause_keeps_a_reader_from_dropping(tmp_path: Path, server: RoapiServer, sql: str) -> None:
    with server.databases().session("crm", tmp_path, tmp_path, lambda: None) as session:
        with pytest.raises(QueryError), session.rows(Statement(sql, (), ()), TODAY):
            pass
        assert session.columns(Statement(SQL, (), ()), TODAY) == ("email", "id")
