"""The same rows give the same members and the same digests, whatever kind of source they are in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from support import bigquery as bigquery_server
from support import databases as files
from support import databricks as databricks_server
from support import flightsql as flightsql_server
from support import mariadb as mariadb_server
from support import roapi as roapi_server
from support.databases import SqlServer, database, query, write_duckdb, write_sqlite
from support.same_people import FILES, ROWS, in_csv, totals
from support.snowflake import snowflake
from support.source_project import Project, make

from reconciler.core.database import Driver

SQL = "SELECT email, id FROM customers"


def in_sqlite(project: Project) -> Project:
    write_sqlite(project.root / "crm.sqlite", ROWS)
    return project.queries(database(Driver.SQLITE, "crm.sqlite"), query(SQL))


def in_duckdb(project: Project) -> Project:
    write_duckdb(project.root / "crm.duckdb", ROWS)
    return project.queries(database(Driver.DUCKDB, "crm.duckdb"), query(SQL))


def on(start: Callable[[], AbstractContextManager[SqlServer]], project: Project) -> Iterator[Project]:
    with start() as server:
        server.write(ROWS)
        yield project.queries(server.databases(), query(SQL))


SOURCES = {**FILES, "sqlite": in_sqlite, "duckdb": in_duckdb}
SERVERS = {
    "postgresql": (files.INSTALLED, files.postgresql),
    "mariadb-server": (mariadb_server.INSTALLED, mariadb_server.mariadb),
    "flightsql": (flightsql_server.INSTALLED, flightsql_server.flightsql),
    "roapi": (roapi_server.INSTALLED, roapi_server.roapi),
    "bigquery": (bigquery_server.INSTALLED, bigquery_server.bigquery),
    "a double of Snowflake": (True, snowflake),
    "a double of Databricks": (databricks_server.INSTALLED, databricks_server.databricks),
}


@contextmanager
def source(name: str, project: Project) -> Iterator[Project]:
    if name in SOURCES:
        yield SOURCES[name](project)
    else:
        yield from on(SERVERS[name][1], project)


@pytest.mark.parametrize("name", [*list(SOURCES)[1:], *SERVERS])
def test_the_same_people_give_one_digest_from_every_source(tmp_path: Path, name: str) -> None:
    if name in SERVERS and not SERVERS[name][0]:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    for folder in ("csv", "other"):
        (tmp_path / folder).mkdir()
    expected = totals(in_csv(make(tmp_path / "csv")))
    assert expected[0][1] != 0
    with source(name, make(tmp_path / "other")) as project:
        assert totals(project) == expected
