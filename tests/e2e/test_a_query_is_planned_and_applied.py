"""Members of a database, from `validate` to a second plan, with a login of their own for plans."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from support.bigquery import INSTALLED as BIGQUERY
from support.bigquery import bigquery
from support.cli import Project
from support.databases import INSTALLED, PASSWORD, READER, postgresql
from support.databricks import INSTALLED as DATABRICKS
from support.databricks import TOKEN as WORKSPACE_TOKEN
from support.databricks import WAREHOUSE, databricks
from support.flight_sql_server import TOKEN
from support.flightsql import INSTALLED as FLIGHT_SQL
from support.flightsql import flightsql

CONNECTION = "kind: Connection\nname: crm\ndriver: sqlite\nfile: crm.sqlite\n"
QUERY = """\
source:
  query:
    connection: crm
    sql: SELECT email, id FROM customers
    freshness: SELECT max(day) FROM customers\
"""
HEAVY = """
import sys
from reconciler.cli import group
from reconciler.clock import StopSignal
group.main(sys.argv[1:], standalone_mode=False, obj=StopSignal())
print("LOADED", *sys.modules)
"""


def made(root: Path, connection: str = CONNECTION) -> Project:
    project = Project.make(root)
    folder = root / "environments" / "sandbox"
    (folder / "connections.yaml").write_text(connection)
    audience = (folder / "buyers.yaml").read_text().replace('source: {files: ["people.csv"]}', QUERY)
    (folder / "buyers.yaml").write_text(audience)
    people(root, *range(20))
    return project


def people(root: Path, *numbers: int) -> None:
    with sqlite3.connect(root / "data" / "crm.sqlite") as database:
        database.execute("DROP TABLE IF EXISTS customers")
        database.execute("CREATE TABLE customers (email, id, day)")
        rows = ((f"person{number}@example.com", f"c{number}", "2026-11-01") for number in numbers)
        database.executemany("INSERT INTO customers VALUES (?, ?, ?)", rows)
    database.close()


def test_its_rows_become_members_and_are_asked_for_each_time(tmp_path: Path) -> None:
    project = made(tmp_path)
    project.run("validate", "sandbox")
    project.run("validate", "sandbox", "--online")
    assert "newest data 2026-11-01" in project.run("plan", "sandbox").said
    assert "2 applied" in project.run("apply", "sandbox", "--yes").said
    assert "No changes." in project.run("plan", "sandbox").said
    people(tmp_path, *range(21))
    assert "2 to update" in project.run("plan", "sandbox").said
    explained = json.loads(project.run("explain", "sandbox", "email/buyers", "--json").said)
    assert explained["source"]["connection"] == "crm"
    assert not [*(tmp_path / ".reconciler" / "cache").rglob("*.parquet")]


def test_a_table_needs_no_query(tmp_path: Path) -> None:
    project = made(tmp_path)
    buyers = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    table = "source:\n  table: customers\n  connection: crm\n  freshness: SELECT max(day) FROM customers"
    buyers.write_text(buyers.read_text().replace(QUERY, table))
    project.run("validate", "sandbox", "--online")
    planned = project.run("plan", "sandbox").said
    assert "2 to create" in planned
    assert "newest data 2026-11-01" in planned


def test_a_wrong_column_is_found_online_and_blocks_the_plan(tmp_path: Path) -> None:
    project = made(tmp_path)
    buyers = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    buyers.write_text(buyers.read_text().replace("Email: email", "Email: mail"))
    project.run("validate", "sandbox")
    for command in (("validate", "sandbox", "--online"), ("doctor", "sandbox")):
        assert "there is no such column" in project.run(*command, code=3).said
    assert "there is no such column" in project.run("plan", "sandbox", code=5).said


def test_a_query_that_writes_is_found_without_the_database(tmp_path: Path) -> None:
    project = made(tmp_path)
    (tmp_path / "data" / "crm.sqlite").unlink()
    buyers = tmp_path / "environments" / "sandbox" / "buyers.yaml"
    buyers.write_text(buyers.read_text().replace("SELECT email, id FROM customers", "DELETE FROM customers"))
    found = project.run("validate", "sandbox", code=3).said
    assert "no file below the data root" in found
    (tmp_path / "data" / "crm.sqlite").touch()
    assert "the statement does more than read" in project.run("validate", "sandbox", code=3).said


def test_a_file_that_changes_is_a_changed_definition(tmp_path: Path) -> None:
    project = made(tmp_path)
    folder = tmp_path / "environments" / "sandbox"
    buyers, sql = folder / "buyers.yaml", folder / "buyers.sql"
    inline = "sql: SELECT email, id FROM customers"
    buyers.write_text(buyers.read_text().replace(inline, "file: buyers.sql"))
    sql.write_text("SELECT email, id FROM customers\n")
    project.run("plan", "sandbox", "--out", "plan.json")
    sql.write_text("SELECT email, id\nFROM customers\nWHERE day < :today\n")
    refused = project.run("apply", "sandbox", "--yes", "--approved", "plan.json", code=6).said
    assert "email/buyers: its definition is not the approved one" in " ".join(refused.split())
    assert not project.writes()
    project.run("apply", "sandbox", "--yes")
    sql.write_text("SELECT email, id FROM customers WHERE day > '2020'\n")
    project.run("apply", "sandbox", "--yes", "--members-only", code=6)
    planned = " ".join(project.run("plan", "sandbox").said.split())
    assert "WHERE day < :today” → “SELECT email, id FROM customers WHERE day >" in planned
    sql.write_text("SELECT email, id\nFROM customer\nWHERE (day\n")
    assert "environments/sandbox/buyers.sql:3:8: crm: this is not a statement" in "".join(
        project.run("validate", "sandbox", code=3).said.split("\n")
    )


def test_nothing_of_it_is_loaded_without_a_query(tmp_path: Path) -> None:
    project = Project.make(tmp_path)
    project.people(1)
    for command in ("validate", "plan"):
        words = [sys.executable, "-c", HEAVY, command, "sandbox"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
        loaded = {one.partition(".")[0] for one in done.stdout.partition("LOADED")[2].split()}
        drivers = {
            "adbc_driver_manager",
            "adbc_driver_flightsql",
            "connectorx",
            "deltalake",
            "pyiceberg",
            "pymysql",
        }
        assert not loaded & {"sqlglot", "pyarrow", "google", "grpc", *drivers}


@pytest.mark.skipif(not INSTALLED, reason="PostgreSQL is not installed (apt-get install postgresql)")
def test_a_plan_uses_the_login_with_fewer_rights(tmp_path: Path) -> None:
    with postgresql() as server:
        server.admin(
            "CREATE TABLE customers AS SELECT 'p' || n || '@example.com' AS email, 'c' || n AS id,"
            " date '2026-11-01' AS day FROM generate_series(1, 20) AS n;"
            f"CREATE ROLE planner LOGIN PASSWORD '{PASSWORD}'; GRANT SELECT ON customers TO {READER}"
        )
        connection = (
            "kind: Connection\nname: crm\ndriver: postgresql\nhost: localhost\n"
            f"port: {server.port}\ndatabase: postgres\ntls: disable\n"
            "user: env:DB_USER\npassword: env:DB_PASSWORD\n"
            "plan: {user: env:PLAN_USER, password: env:DB_PASSWORD, maxRows: 20}\n"
        )
        project = made(tmp_path, connection)
        environ = {"DB_USER": READER, "PLAN_USER": "planner", "DB_PASSWORD": PASSWORD}
        said = project.run("plan", "sandbox", code=5, **environ).said
        assert "the user lacks a right (42501)" in said
        said = project.run("doctor", "sandbox", code=3, **environ).said
        assert "crm (plan): rights: the user lacks a right: SELECT on customers" in " ".join(said.split())
        server.admin("GRANT SELECT ON customers TO planner")
        project.run("doctor", "sandbox", **environ)
        assert "2 to create" in project.run("plan", "sandbox", **environ).said
        server.admin("INSERT INTO customers VALUES ('p21@example.com', 'c21', date '2026-11-01')")
        many = " ".join(project.run("plan", "sandbox", code=5, **environ).said.split())
        assert "crm: the query returns more rows than this login may read (limit 20)" in many
        assert "2 applied" in project.run("apply", "sandbox", "--yes", **environ).said
        assert PASSWORD not in said


@pytest.mark.skipif(not FLIGHT_SQL, reason="the extra [flightsql] is not installed")
def test_flight_sql_is_planned_with_a_token_and_applied_by_a_user(tmp_path: Path) -> None:
    with flightsql() as server:
        server.admin(
            "CREATE TABLE customers AS SELECT 'p' || n || '@example.com' AS email, 'c' || n AS id,"
            " date '2026-11-01' AS day FROM range(20) AS t(n)"
        )
        connection = (
            f"kind: Connection\nname: crm\ndriver: flightsql\nhost: localhost\nport: {server.port}\n"
            "tls: disable\ndialect: duckdb\nuser: env:DB_USER\npassword: env:DB_PASSWORD\n"
            "plan: {token: env:PLAN_TOKEN}\n"
        )
        project = made(tmp_path, connection)
        environ = {"DB_USER": READER, "DB_PASSWORD": "wrong", "PLAN_TOKEN": TOKEN}
        planned = project.run("plan", "sandbox", **environ).said
        assert "2 to create" in planned
        assert "newest data 2026-11-01" in planned
        refused = project.run("apply", "sandbox", "--yes", code=5, **environ).said
        assert "the server refused the login or its TLS mode (UNAUTHENTICATED)" in " ".join(refused.split())
        environ["DB_PASSWORD"] = PASSWORD
        assert "2 applied" in project.run("apply", "sandbox", "--yes", **environ).said
        assert not [one for one in (PASSWORD, TOKEN) if one in planned + refused]


@pytest.mark.skipif(not BIGQUERY, reason="the extra [bigquery] is not installed")
def test_bigquery_is_planned_with_a_limit_of_cost_and_applied_without(tmp_path: Path) -> None:
    with bigquery() as server:
        server.admin(
            "CREATE TABLE customers AS SELECT 'p' || n || '@example.com' AS email, 'c' || n AS id,"
            " date '2026-11-01' AS day FROM range(20) AS t(n)"
        )
        connection = (
            f"kind: Connection\nname: crm\ndriver: bigquery\nhost: localhost\nport: {server.port}\n"
            "tls: disable\nproject: example-project\ndataset: crm\nserviceAccountKey: env:KEY\n"
            "plan: {serviceAccountKey: env:PLAN_KEY, maxBytesBilled: 1999}\n"
        )
        project = made(tmp_path, connection)
        environ = {"KEY": "{}", "PLAN_KEY": server.key()}
        blocked = " ".join(project.run("plan", "sandbox", code=5, **environ).said.split())
        assert "crm: the query reads more bytes than this login may (2,000, limit 1,999)" in blocked
        refused = " ".join(project.run("apply", "sandbox", "--yes", code=5, **environ).said.split())
        assert "there are no usable credentials of Google" in refused
        assert not project.writes()
        environ["KEY"] = server.key()
        assert "2 applied" in project.run("apply", "sandbox", "--yes", **environ).said
        assert "BEGIN PRIVATE" not in blocked + refused


@pytest.mark.skipif(not DATABRICKS, reason="the extra [databricks] is not installed")
def test_databricks_is_planned_with_a_token_and_applied_by_a_service_principal(tmp_path: Path) -> None:
    with databricks() as server:
        server.admin(
            "CREATE TABLE customers AS SELECT 'p' || n || '@example.com' AS email, 'c' || n AS id,"
            " date '2026-11-01' AS day FROM range(20) AS t(n)"
        )
        connection = (
            f"kind: Connection\nname: crm\ndriver: databricks\nhost: localhost\nport: {server.port}\n"
            f"tls: disable\nwarehouseId: {WAREHOUSE}\nclientId: env:ID\nclientSecret: env:SECRET\n"
            "plan: {token: env:PLAN_TOKEN, maxRows: 19}\n"
        )
        project = made(tmp_path, connection)
        environ = {"ID": READER, "SECRET": "wrong", "PLAN_TOKEN": WORKSPACE_TOKEN}
        planned = " ".join(project.run("plan", "sandbox", code=5, **environ).said.split())
        assert "crm: the query returns more rows than this login may read (limit 19)" in planned
        refused = " ".join(project.run("apply", "sandbox", "--yes", code=5, **environ).said.split())
        assert "crm: Databricks refused the service principal (401)" in refused
        assert not project.writes()
        environ["SECRET"] = PASSWORD
        assert "2 applied" in project.run("apply", "sandbox", "--yes", **environ).said
        assert not [one for one in (PASSWORD, WORKSPACE_TOKEN) if one in planned + refused]
