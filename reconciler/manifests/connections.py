"""From documents of kind Connection to values."""

from typing import Any

from reconciler.core.database import TIME_LIMIT, DatabaseConnection, Dialect, Driver, Login, Server, TlsMode
from reconciler.manifests.durations import duration
from reconciler.manifests.syntax.nodes import ManifestDocument

DEFAULT_PORTS = {
    Driver.POSTGRESQL: 5432,
    Driver.MYSQL: 3306,
    Driver.BIGQUERY: 443,
    Driver.SNOWFLAKE: 443,
    Driver.DATABRICKS: 443,
}
BIGQUERY_HOST = "bigquery.googleapis.com"


def connection(document: ManifestDocument) -> DatabaseConnection:
    """Return a connection as it is declared."""
    value = document.root.value
    driver = Driver(value["driver"])
    login = _login(value, Login(time_limit=TIME_LIMIT))
    return DatabaseConnection(
        name=document.name,
        driver=driver,
        file=value.get("file", ""),
        server=None if driver.is_a_file else _server(value, driver),
        login=login,
        plan_login=_login(value["plan"], login) if "plan" in value else None,
        place=document.place("name"),
        dialect=Dialect(value.get("dialect", Dialect.ANSI)),
        project=value.get("project", ""),
        location=value.get("location", ""),
        catalog=value.get("catalog", ""),
    )


def _server(value: dict[str, Any], driver: Driver) -> Server:
    return Server(
        host=value.get("host", BIGQUERY_HOST),
        port=int(value["port"] if "port" in value else DEFAULT_PORTS[driver]),
        database=value.get("dataset", value.get("schema", value.get("database", ""))),
        tls=TlsMode(value.get("tls", TlsMode.VERIFY_FULL)),
        ca_file=value.get("caFile", ""),
    )


def _login(value: dict[str, Any], otherwise: Login) -> Login:
    return Login(
        user=value.get("user", value.get("clientId", "")),
        password=value.get("password", value.get("privateKey", value.get("clientSecret", ""))),
        time_limit=duration(value, "timeout") or otherwise.time_limit,
        max_rows=int(value["maxRows"]) if "maxRows" in value else None,
        token=value.get("token", ""),
        key=value.get("serviceAccountKey", ""),
        max_bytes=int(value["maxBytesBilled"]) if "maxBytesBilled" in value else None,
        by_key="privateKey" in value,
        role=value.get("role", ""),
        warehouse=value.get("warehouse", value.get("warehouseId", otherwise.warehouse)),
    )
