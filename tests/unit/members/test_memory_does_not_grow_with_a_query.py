"""The rows of a query are never in memory together. `QUERY_ROWS` sets their number."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from support import bigquery as bigquery_server
from support import databricks as databricks_server
from support import flightsql as flightsql_server
from support import mariadb as mariadb_server
from support import query_memory
from support.databases import INSTALLED, PASSWORD, READER, postgresql, write_duckdb, write_sqlite

ROWS = int(os.environ.get("QUERY_ROWS", "100000"))
MOST = 96
"""Megabytes that ten times the rows may need more: batches, and what libraries keep of them."""
NUMBERS = {
    "sqlite": (
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {rows})"
        " SELECT {items} FROM t"
    ),
    "duckdb": "SELECT {items} FROM range(1, {rows} + 1) AS t(n)",
    "postgresql": "SELECT {items} FROM generate_series(1, {rows}) AS t(n)",
    "flightsql": "SELECT {items} FROM range(1, {rows} + 1) AS t(n)",
    "bigquery": "SELECT {items} FROM UNNEST(GENERATE_ARRAY(1, {rows})) AS n",
    "databricks": "SELECT {items} FROM range(1, {rows} + 1) AS t(n)",
    "mysql": "SELECT {items} FROM (SELECT seq AS n FROM seq_1_to_{rows}) AS t",
}
JOINED = {"mysql": "concat('person', n, '@a-rather-long-domain.example.com') AS email, n AS id"}
ITEMS = "'person' || n || '@a-rather-long-domain.example.com' AS email, n AS id"
SCRIPT = Path(query_memory.__file__)


def peak(folder: Path, driver: str, port: int, rows: int, key: str = "") -> int:
    """Return the most memory of a process that brings so many rows, in megabytes."""
    sql = NUMBERS[driver].format(rows=rows, items=JOINED.get(driver, ITEMS))
    known = {"user": READER, "password": PASSWORD, "key": key, "token": databricks_server.TOKEN}
    environ: Mapping[str, str] = os.environ | known
    words = [sys.executable, str(SCRIPT), str(folder), driver, str(port), sql]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    brought, megabytes = map(int, done.stdout.split())
    assert brought == rows
    return megabytes


def compared(folder: Path, driver: str, port: int = 0, key: str = "") -> None:
    few, many = (peak(folder, driver, port, rows, key) for rows in (ROWS // 10, ROWS))
    sys.stdout.write(f"{driver}: {few} MB with {ROWS // 10:,} rows, {many} MB with {ROWS:,}\n")
    assert many - few < MOST


def test_of_a_file(tmp_path: Path) -> None:
    write_sqlite(tmp_path / "crm.sqlite", [(None, 1, "2026-11-01")])
    write_duckdb(tmp_path / "crm.duckdb", [(None, 1, "2026-11-01")])
    for driver in ("sqlite", "duckdb"):
        compared(tmp_path, driver)


@pytest.mark.skipif(not INSTALLED, reason="PostgreSQL is not installed (apt-get install postgresql)")
def test_of_postgresql(tmp_path: Path) -> None:
    with postgresql() as server:
        compared(tmp_path, "postgresql", server.port)


@pytest.mark.skipif(
    not mariadb_server.INSTALLED, reason="MariaDB is not installed (apt-get install mariadb-server)"
)
def test_of_mariadb(tmp_path: Path) -> None:
    """What reads the rows is a process of its own, whose memory counts too."""
    with mariadb_server.mariadb() as server:
        server.write([(None, 1, "2026-11-01")])
        compared(tmp_path, "mysql", server.port)


@pytest.mark.skipif(not flightsql_server.INSTALLED, reason="the extra [flightsql] is not installed")
def test_of_flight_sql(tmp_path: Path) -> None:
    """The driver is in a process of its own, whose memory counts too."""
    with flightsql_server.flightsql() as server:
        compared(tmp_path, "flightsql", server.port)


@pytest.mark.skipif(not bigquery_server.INSTALLED, reason="the extra [bigquery] is not installed")
def test_of_bigquery(tmp_path: Path) -> None:
    """Google's clients are in a process of its own, whose memory counts too."""
    with bigquery_server.bigquery() as server:
        compared(tmp_path, "bigquery", server.port, server.key())


@pytest.mark.skipif(not databricks_server.INSTALLED, reason="the extra [databricks] is not installed")
def test_of_databricks(tmp_path: Path) -> None:
    with databricks_server.databricks() as server:
        compared(tmp_path, "databricks", server.port)
