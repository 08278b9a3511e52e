"""The same rows give the same members and the same digests, whatever kind of source they are in."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from support import bigquery as bigquery_server
from support import databases as files
from support import flightsql as flightsql_server
from support import mariadb as mariadb_server
from support import roapi as roapi_server
from support.databases import Row, SqlServer, database, query, values, write_duckdb, write_sqlite
from support.delta_tables import write_table
from support.snowflake import snowflake
from support.source_project import CUSTOMER, EMAIL, Project, make

from reconciler.core.database import Driver
from reconciler.core.members import TargetMembers
from reconciler.core.model import Hashing

ROWS: list[Row] = [
    *((None, 10 + number, "2026-01-01") for number in range(1100)),  # more than a driver guesses types by
    ("Ann@Example.com", 1, "2026-01-01"),
    (" bo@example.com\t", 2, "2026-11-23"),
    ("bo@example.com", 2, "2026-11-24"),
    ("\u00a0cleo@example.com\u2003", 3, "2026-01-01"),
    ("\u0130pek@example.com", 4, "2026-01-01"),
    ("\u039f\u0394\u039f\u03a3@example.com", 5, "2026-01-01"),
    ("jose\u0301@example.com", 6, "2026-01-01"),
    ("\U0001f600@example.com", 7, "2026-01-01"),
    ("o'neil@example.com", 8, "2026-01-01"),
    ("no address", None, "2026-01-01"),
]
KINDS = ((EMAIL, Hashing.NONE), (EMAIL, Hashing.SHA256), (CUSTOMER, Hashing.NONE))
SQL = "SELECT email, id FROM customers"


def in_csv(project: Project) -> Project:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["email", "id"])
    lines.writerows([email, id_] for email, id_, _ in ROWS)
    project.write("people.csv", text.getvalue())
    return project.reads("people.csv")


def in_parquet(project: Project) -> Project:
    project.parquet("people.parquet", f"FROM (VALUES {values(ROWS)}) AS t(email, id, day)")
    return project.reads("people.parquet")


def in_delta(project: Project) -> Project:
    """Half of the rows are in one version, and half in the next."""
    for some in (ROWS[:600], ROWS[600:]):
        columns = {"email": [one[0] for one in some], "id": [one[1] for one in some]}
        write_table(project.root / "people", columns, types={"email": pa.string()})
    return project.delta("people")


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


SOURCES = {"csv": in_csv, "parquet": in_parquet, "delta": in_delta, "sqlite": in_sqlite, "duckdb": in_duckdb}
SERVERS = {
    "postgresql": (files.INSTALLED, files.postgresql),
    "mariadb-server": (mariadb_server.INSTALLED, mariadb_server.mariadb),
    "flightsql": (flightsql_server.INSTALLED, flightsql_server.flightsql),
    "roapi": (roapi_server.INSTALLED, roapi_server.roapi),
    "bigquery": (bigquery_server.INSTALLED, bigquery_server.bigquery),
    "a double of Snowflake": (True, snowflake),
}


def totals(project: Project) -> list[tuple[object, ...]]:
    """Return what a plan and an apply take from a target, with each hashing."""

    def of(one: TargetMembers) -> tuple[object, ...]:
        return (one.members.digest, one.members.count, one.rows, sorted(one.drops), sorted(one.malformed))

    return [of(target) for _, target in project.build(*KINDS)]


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
