"""Connections to databases, and sources that are queries: what arrives, and what is refused."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.manifest_project import Project

from reconciler.core.database import Dialect, Driver, Login, Server, TlsMode
from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Query
from reconciler.manifests import load
from reconciler.manifests.code_owners import reserved
from reconciler.manifests.promotable import promotable

WAREHOUSE = """\
kind: Connection
name: warehouse
driver: postgresql
host: db.example.com
database: crm
user: env:DB_USER
password: env:DB_PASSWORD
timeout: 10m
plan: {user: env:PLAN_USER, password: env:PLAN_PASSWORD, timeout: 90s, maxRows: 1000}
"""
SOURCE = """\
source:
  query:
    connection: warehouse
    sql: SELECT email, customer_id FROM customers WHERE last_order < :today
    freshness: SELECT max(loaded_at) FROM customers
  maxAge: 36h
"""


def made(tmp_path: Path, connection: str = WAREHOUSE, source: str = SOURCE) -> Project:
    """Return a project with one connection, and a query in place of the files of its audience."""
    project = Project(tmp_path)
    (project.folder / "connections.yaml").write_text(connection)
    audience = project.folder / "audiences" / "lapsed.yaml"
    before, _, after = audience.read_text().partition("source:\n")
    audience.write_text(before + source + after[after.index("columns:") :])
    return project


def refused(tmp_path: Path, connection: str = WAREHOUSE, source: str = SOURCE) -> list[str]:
    made(tmp_path, connection, source)
    with pytest.raises(ConfigurationError) as found:
        load(tmp_path, "sandbox")
    return [f"{one.where}: {one.problem} → {one.remedy}" for one in found.value.findings]


def test_a_connection_and_its_query_arrive(tmp_path: Path) -> None:
    made(tmp_path)
    desired = load(tmp_path, "sandbox")
    [connection] = desired.connections
    assert connection.driver is Driver.POSTGRESQL
    assert connection.server == Server("db.example.com", 5432, "crm", TlsMode.VERIFY_FULL)
    assert connection.login == Login("env:DB_USER", "env:DB_PASSWORD", timedelta(minutes=10))
    assert connection.plan_login == Login("env:PLAN_USER", "env:PLAN_PASSWORD", timedelta(seconds=90), 1000)
    source = desired.audiences[0].source
    assert isinstance(source.query, Query)
    assert (source.files, source.query.connection) == ((), "warehouse")
    assert source.query.leads_to == "postgresql://db.example.com:5432/crm"
    assert source.place == source.query.place
    assert (source.query.place.line, source.query.freshness_place.line) == (9, 10)


def test_a_file_needs_no_login(tmp_path: Path) -> None:
    made(tmp_path, "kind: Connection\nname: warehouse\ndriver: sqlite\nfile: crm.sqlite\n")
    [connection] = load(tmp_path, "sandbox").connections
    assert (connection.file, connection.server, connection.login) == ("crm.sqlite", None, Login())
    assert connection.reading == connection.writing


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("host: db.example.com\n", "", "`host` is missing"),
        ("driver: postgresql\n", "driver: oracle\n", "is not one of the allowed values"),
        ("timeout: 10m\n", "file: crm.sqlite\n", "the driver postgresql has no `file`"),
        ("timeout: 10m\n", "tls: disable\n", "without TLS, the password"),
        ("timeout: 10m\n", "tls: require\ncaFile: ca.pem\n", "`caFile` is not used with `tls: require`"),
        ("user: env:DB_USER\n", "user: scott\n", "refer to the secret"),
        ("host: db.example.com\n", "host: postgresql://db\n", "without a scheme"),
        ("timeout: 10m\n", "port: 70000\n", "port"),
        ("maxRows: 1000", "maxRows: 0", "whole number from 1"),
        ("timeout: 10m\n", "maxRows: 1000\n", "unknown key"),
        ("name: warehouse\n", "name: other\n", "there is no Connection of that name"),
    ],
)
def test_a_connection_is_refused_if(tmp_path: Path, line: str, instead: str, said: str) -> None:
    assert said in "".join(refused(tmp_path, WAREHOUSE.replace(line, instead)))


@pytest.mark.parametrize("line", ["driver: oracle\n", ""], ids=["unknown", "missing"])
def test_no_key_of_another_driver_is_asked_for(tmp_path: Path, line: str) -> None:
    [said] = refused(tmp_path, WAREHOUSE.replace("driver: postgresql\n", line))
    assert "driver" in said


FLIGHT_SQL = """\
kind: Connection
name: warehouse
driver: flightsql
host: flight.example.com
port: 32010
token: env:DB_TOKEN
dialect: dremio
plan: {user: env:PLAN_USER, password: env:PLAN_PASSWORD}
"""


def test_flight_sql_has_a_token_or_a_user(tmp_path: Path) -> None:
    made(tmp_path, FLIGHT_SQL)
    desired = load(tmp_path, "sandbox")
    [connection] = desired.connections
    assert (connection.driver, connection.dialect) == (Driver.FLIGHTSQL, Dialect.DREMIO)
    assert connection.server == Server("flight.example.com", 32010, "", TlsMode.VERIFY_FULL)
    assert connection.login == Login(token="env:DB_TOKEN")
    assert connection.plan_login == Login("env:PLAN_USER", "env:PLAN_PASSWORD")
    assert desired.audiences[0].source.query is not None
    assert desired.audiences[0].source.query.leads_to == "flightsql://flight.example.com:32010/"


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("port: 32010\n", "", "`port` is missing"),
        ("token: env:DB_TOKEN\n", "user: env:DB_USER\n", "`password` is missing"),
        ("token: env:DB_TOKEN\n", "", "`user` is missing"),
        ("token: env:DB_TOKEN\n", "token: env:DB_TOKEN\nuser: env:DB_USER\n", "`token` and `user` are two"),
        ("plan: {", "plan: {token: env:PLAN_TOKEN, ", "`token` and `user` are two logins"),
        ("token: env:DB_TOKEN\n", "token: abcdef\n", "refer to the secret"),
        ("dialect: dremio\n", "dialect: oracle\n", "is not one of the allowed values"),
        ("plan: {", "file: x.db\nplan: {", "the driver flightsql has no `file`"),
        ("token: env:DB_TOKEN\n", "token: env:DB_TOKEN\ntls: disable\n", "without TLS, the password"),
    ],
)
def test_flight_sql_is_refused_if(tmp_path: Path, line: str, instead: str, said: str) -> None:
    assert said in "".join(refused(tmp_path, FLIGHT_SQL.replace(line, instead)))


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("timeout: 10m\n", "dialect: ansi\n", "the driver postgresql has no `dialect`"),
        ("timeout: 10m\n", "token: env:DB_TOKEN\n", "the driver postgresql has no `token`"),
        ("plan: {", "plan: {token: env:PLAN_TOKEN, ", "the driver postgresql has no `token`"),
        ("password: env:PLAN_PASSWORD, ", "", "`password` is missing from `plan`"),
    ],
)
def test_other_servers_have_a_user(tmp_path: Path, line: str, instead: str, said: str) -> None:
    assert said in "".join(refused(tmp_path, WAREHOUSE.replace(line, instead)))


BIGQUERY = """\
kind: Connection
name: warehouse
driver: bigquery
project: example-project
dataset: crm
location: EU
serviceAccountKey: env:KEY
plan: {serviceAccountKey: env:PLAN_KEY, maxBytesBilled: 100000000000}
"""


def test_bigquery_has_a_project_and_a_key_or_none(tmp_path: Path) -> None:
    made(tmp_path, BIGQUERY)
    desired = load(tmp_path, "sandbox")
    [connection] = desired.connections
    assert connection.server == Server("bigquery.googleapis.com", 443, "crm", TlsMode.VERIFY_FULL)
    assert (connection.project, connection.location) == ("example-project", "EU")
    assert connection.login == Login(key="env:KEY")
    assert connection.plan_login == Login(key="env:PLAN_KEY", max_bytes=100_000_000_000)
    [source] = [one.source.query for one in desired.audiences if one.source.query]
    assert source.leads_to == "bigquery://bigquery.googleapis.com:443/example-project/crm"
    made(
        tmp_path / "of-the-machine",
        "kind: Connection\nname: warehouse\ndriver: bigquery\nproject: example-project\n",
    )
    [connection] = load(tmp_path / "of-the-machine", "sandbox").connections
    assert (connection.login, connection.plan_login) == (Login(), None)


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("project: example-project\n", "", "`project` is missing"),
        ("project: example-project\n", "project: Example Project\n", "write the ID of a project"),
        ("dataset: crm\n", "dataset: a.b.c\n", "write DATASET or PROJECT.DATASET"),
        ("dataset: crm\n", "database: crm\n", "the driver bigquery has no `database`"),
        (
            "serviceAccountKey: env:KEY\n",
            "user: env:A\npassword: env:B\n",
            "the driver bigquery has no `user`",
        ),
        ("serviceAccountKey: env:KEY\n", "serviceAccountKey: '{}'\n", "refer to the secret"),
        ("plan: {", "plan: {token: env:T, ", "the driver bigquery has no `token`"),
        ("location: EU\n", "host: bigquery.example.com\n", "not an endpoint of BigQuery"),
        ("location: EU\n", "host: bigquery.googleapis.com.example.com\n", "not an endpoint of BigQuery"),
        ("location: EU\n", "tls: disable\n", "verifies the certificate"),
        ("location: EU\n", "host: bigquery.googleapis.com\ntls: disable\n", "without TLS"),
        ("location: EU\n", "host: localhost\ntls: require\n", "verifies the certificate"),
        ("maxBytesBilled: 100000000000", "maxBytesBilled: 1 TB", "whole number of bytes from 1"),
        ("driver: bigquery\n", "driver: sqlite\nfile: crm.sqlite\n", "the driver sqlite has no `project`"),
    ],
)
def test_bigquery_is_refused_if(tmp_path: Path, line: str, instead: str, said: str) -> None:
    assert said in "".join(refused(tmp_path, BIGQUERY.replace(line, instead)))


@pytest.mark.parametrize(
    "host", ["bigquery.europe-west3.rep.googleapis.com", "bigquery-crm.p.googleapis.com"]
)
def test_bigquery_has_other_endpoints_of_google(tmp_path: Path, host: str) -> None:
    made(tmp_path, BIGQUERY.replace("location: EU\n", f"host: {host}\n"))
    [connection] = load(tmp_path, "sandbox").connections
    assert connection.server
    assert connection.server.host == host


def test_a_file_database_has_no_server(tmp_path: Path) -> None:
    found = refused(tmp_path, WAREHOUSE.replace("driver: postgresql", "driver: duckdb\nfile: crm.duckdb"))
    assert len([one for one in found if "the driver duckdb has no `" in one]) == 5
    assert not [one for one in found if "`name`" in one]


SNOWFLAKE = """\
kind: Connection
name: warehouse
driver: snowflake
host: acme-eu1.snowflakecomputing.com
database: CRM
warehouse: AUDIENCES
role: AUDIENCES_READER
user: env:DB_USER
privateKey: env:DB_KEY
plan: {user: env:PLAN_USER, password: env:PLAN_PASSWORD, role: AUDIENCES_PLAN}
"""


def test_a_connection_to_snowflake_arrives(tmp_path: Path) -> None:
    made(tmp_path, SNOWFLAKE)
    [connection] = load(tmp_path, "sandbox").connections
    assert connection.server == Server("acme-eu1.snowflakecomputing.com", 443, "CRM")
    login = Login("env:DB_USER", "env:DB_KEY", by_key=True, role="AUDIENCES_READER", warehouse="AUDIENCES")
    assert connection.login == login
    assert connection.plan_login == Login(
        "env:PLAN_USER", "env:PLAN_PASSWORD", role="AUDIENCES_PLAN", warehouse="AUDIENCES"
    )
    assert connection.leads_to == "snowflake://acme-eu1.snowflakecomputing.com:443/CRM"


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("role: AUDIENCES_READER\n", "", "`role` is missing"),
        ("warehouse: AUDIENCES\n", "", "`warehouse` is missing"),
        ("privateKey: env:DB_KEY\n", "", "`password` is missing"),
        ("privateKey: env:DB_KEY\n", "privateKey: env:K\npassword: env:P\n", "keep one of the two"),
        ("privateKey: env:DB_KEY\n", "privateKey: MIIEvQ\n", "refer to the secret"),
        (", role: AUDIENCES_PLAN", "", "`role` is missing from `plan`"),
        ("password: env:PLAN_PASSWORD, ", "", "`password` is missing from `plan`"),
        ("role: AUDIENCES_READER\n", 'role: "A B"\n', "without quotes"),
        ("database: CRM\n", "database: CRM\ncaFile: ca.pem\n", "the driver snowflake has no `caFile`"),
        ("database: CRM\n", "database: CRM\ntls: require\n", "verifies the certificate of the server"),
        ("database: CRM\n", "database: CRM\ntls: disable\n", "without TLS, the password"),
        ("snowflake\n", "postgresql\npassword: env:P\n", "the driver postgresql has no `warehouse`"),
        ("snowflake\n", "postgresql\npassword: env:P\n", "the driver postgresql has no `role`"),
    ],
)
def test_a_connection_to_snowflake_is_refused_if(tmp_path: Path, line: str, instead: str, said: str) -> None:
    assert said in "".join(refused(tmp_path, SNOWFLAKE.replace(line, instead)))


DATABRICKS = """\
kind: Connection
name: warehouse
driver: databricks
host: dbc-a1b2c3d4-e5f6.cloud.databricks.com
warehouseId: 0123456789abcdef
catalog: crm
schema: public
clientId: env:DB_ID
clientSecret: env:DB_SECRET
plan: {token: env:PLAN_TOKEN, maxRows: 1000}
"""


def test_a_connection_to_databricks_arrives(tmp_path: Path) -> None:
    made(tmp_path, DATABRICKS)
    desired = load(tmp_path, "sandbox")
    [connection] = desired.connections
    host = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
    assert connection.server == Server(host, 443, "public", TlsMode.VERIFY_FULL)
    assert connection.login == Login("env:DB_ID", "env:DB_SECRET", warehouse="0123456789abcdef")
    assert connection.plan_login == Login(token="env:PLAN_TOKEN", max_rows=1000, warehouse="0123456789abcdef")
    [source] = [one.source.query for one in desired.audiences if one.source.query]
    assert source.leads_to == f"databricks://{host}:443/crm/public"
    assert replace(connection, catalog="").leads_to == f"databricks://{host}:443/public"
    alone = replace(connection, catalog="public", server=replace(connection.server, database=""))
    assert alone.leads_to == f"databricks://{host}:443/public/"


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("warehouseId: 0123456789abcdef\n", "", "`warehouseId` is missing"),
        ("warehouseId: 0123456789abcdef\n", "", "add `warehouseId:` (ID of the SQL warehouse"),
        ("warehouseId: 0123456789abcdef\n", "warehouseId: /sql/1.0/a\n", "the end of its HTTP path"),
        ("clientSecret: env:DB_SECRET\n", "", "`clientSecret` is missing"),
        ("clientSecret: env:DB_SECRET\n", "clientSecret: dose1234\n", "refer to the secret"),
        ("clientId:", "token: env:T\nclientId:", "`token` and `clientId` are two logins"),
        ("plan: {", "plan: {clientId: env:I, ", "`token` and `clientId` are two logins"),
        ("token: env:PLAN_TOKEN, ", "", "`clientId` is missing from `plan`"),
        ("catalog: crm\n", "catalog: crm.public\n", "without dots or quotes"),
        ("catalog: crm\n", "database: crm\n", "the driver databricks has no `database`"),
        ("catalog: crm\n", "caFile: ca.pem\n", "the driver databricks has no `caFile`"),
        ("catalog: crm\n", "tls: require\n", "verifies the certificate of the server"),
        ("catalog: crm\n", "tls: disable\n", "without TLS"),
        ("cloud.databricks.com", "cloud.databricks.com.example.com", "and would get the token"),
        ("dbc-a1b2c3d4-e5f6.cloud.databricks.com", "evildatabricks.com", "and would get the token"),
        ("databricks\nhost", "snowflake\nhost", "the driver snowflake has no `catalog`"),
    ],
)
def test_a_connection_to_databricks_is_refused_if(tmp_path: Path, line: str, instead: str, said: str) -> None:
    assert said in "".join(refused(tmp_path, DATABRICKS.replace(line, instead, 1)))


@pytest.mark.parametrize(
    "host", ["adb-1234567890123456.7.azuredatabricks.net", "acme.gcp.databricks.com", "localhost"]
)
def test_databricks_has_hosts_in_each_cloud(tmp_path: Path, host: str) -> None:
    made(tmp_path, DATABRICKS.replace("dbc-a1b2c3d4-e5f6.cloud.databricks.com", host))
    [connection] = load(tmp_path, "sandbox").connections
    assert connection.server
    assert connection.server.host == host


def test_localhost_needs_no_tls(tmp_path: Path) -> None:
    made(tmp_path, WAREHOUSE.replace("host: db.example.com", "host: localhost\ntls: disable"))
    [connection] = load(tmp_path, "sandbox").connections
    assert connection.server == Server("localhost", 5432, "crm", TlsMode.DISABLE)


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("    freshness: SELECT max(loaded_at) FROM customers\n", "", "`maxAge` needs a time"),
        ("  maxAge: 36h\n", "  files: [a.csv]\n", "`source` has `files` and `query`"),
        ("    connection: warehouse\n", "", "`connection` is missing from `query`"),
        ("    connection: warehouse\n", "    connection: warehose\n", "did you mean `warehouse`?"),
        ("  query:\n", "  quer:\n", "unknown key"),
    ],
)
def test_a_query_is_refused_if(tmp_path: Path, line: str, instead: str, said: str) -> None:
    assert said in "".join(refused(tmp_path, source=SOURCE.replace(line, instead)))


TABLE = """\
source:
  table: crm.customers
  connection: warehouse
  freshness: SELECT max(loaded_at) FROM crm.customers
  maxAge: 36h
"""


def test_a_table_is_read_as_a_whole(tmp_path: Path) -> None:
    made(tmp_path, source=TABLE)
    query = load(tmp_path, "sandbox").audiences[0].source.query
    assert isinstance(query, Query)
    assert (query.sql, query.table) == ("SELECT * FROM crm.customers", "crm.customers")
    assert query.freshness == "SELECT max(loaded_at) FROM crm.customers"
    assert (query.place.line, query.freshness_place.line) == (7, 9)
    assert not [one for one in load(tmp_path, "sandbox").notes if "no audience uses" in one]


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("  connection: warehouse\n", "", "`connection` is missing from `source`"),
        ("  connection: warehouse\n", "  connection: warehose\n", "did you mean `warehouse`?"),
        ("  maxAge: 36h\n", "  files: [a.csv]\n", "`source` has `files` and `table`"),
        ("  freshness: SELECT max(loaded_at) FROM crm.customers\n", "", "the table has no `freshness`"),
        ("  table: crm.customers\n", "  files: [a.csv]\n", "`connection` of a source goes with `table`"),
        ("  maxAge: 36h\n", "  partitions: {day: date}\n", "and `source` has a `table`"),
        ("crm.customers\n  conn", "customers; DROP TABLE x\n  conn", "write a table, such as"),
    ],
)
def test_a_table_is_refused_if(tmp_path: Path, line: str, instead: str, said: str) -> None:
    assert said in "".join(refused(tmp_path, source=TABLE.replace(line, instead)))


def test_a_source_needs_rows(tmp_path: Path) -> None:
    assert "`files` is missing from `source`" in refused(tmp_path, source="source: {where: 'true'}\n")[0]


def test_a_connection_that_nothing_uses_is_noted(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (project.folder / "connections.yaml").write_text(WAREHOUSE)
    notes = load(tmp_path, "sandbox").notes
    assert [one for one in notes if "no audience uses this connection" in one]


def test_connections_stay_in_their_environment_and_belong_to_admins(tmp_path: Path) -> None:
    project = made(tmp_path)
    contents = {one.name: one.read_bytes() for one in project.folder.glob("*.yaml")}
    assert "connections.yaml" not in promotable(contents, "environments/sandbox")
    assert "environments/sandbox/connections.yaml" in reserved(tmp_path)
