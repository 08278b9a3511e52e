"""From documents of kind Connection to values."""

from datetime import timedelta
from typing import Any

from reconciler.core.database import TIME_LIMIT, DatabaseConnection, Dialect, Driver, Login, Server, TlsMode
from reconciler.manifests.durations import duration
from reconciler.manifests.syntax.nodes import ManifestDocument

DEFAULT_PORTS = {Driver.POSTGRESQL: 5432, Driver.MYSQL: 3306}


def connection(document: ManifestDocument) -> DatabaseConnection:
    """Return a connection as it is declared."""
    value = document.root.value
    driver = Driver(value["driver"])
    login = _login(value, TIME_LIMIT)
    return DatabaseConnection(
        name=document.name,
        driver=driver,
        file=value.get("file", ""),
        server=_server(value, driver) if "host" in value else None,
        login=login,
        plan_login=_login(value["plan"], login.time_limit) if "plan" in value else None,
        place=document.place("name"),
        dialect=Dialect(value.get("dialect", Dialect.ANSI)),
    )


def _server(value: dict[str, Any], driver: Driver) -> Server:
    return Server(
        host=value["host"],
        port=int(value["port"] if "port" in value else DEFAULT_PORTS[driver]),
        database=value.get("database", ""),
        tls=TlsMode(value.get("tls", TlsMode.VERIFY_FULL)),
        ca_file=value.get("caFile", ""),
    )


def _login(value: dict[str, Any], time_limit: timedelta) -> Login:
    most = int(value["maxRows"]) if "maxRows" in value else None
    limit = duration(value, "timeout") or time_limit
    return Login(value.get("user", ""), value.get("password", ""), limit, most, value.get("token", ""))
