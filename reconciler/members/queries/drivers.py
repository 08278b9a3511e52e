"""The kinds of databases: one row each. A module is loaded only when its kind is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.database import DatabaseConnection, Driver, Login, Server
from reconciler.core.errors import ConfigurationError
from reconciler.members.data_root import is_outside
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.reachable import require_reachable
from reconciler.members.queries.session import Account, Limits, Session


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session is opened with.

    `data` is the data root, `folder` a private folder, and `project` the folder that certificate files are
    relative to.
    """

    connection: DatabaseConnection
    login: Login
    limits: Limits
    account: Callable[[], Account]
    data: Path
    folder: Path
    project: Path

    def file(self) -> Path:
        return database_file(self.data, self.connection.file)

    def server(self) -> Server:
        """Return a server that answers. Raises QueryError."""
        if (server := self.connection.server) is None:
            raise ConfigurationError(f"connection {self.connection.name} names no server")
        require_reachable(server.host, server.port)
        return server

    def authorities(self, server: Server) -> Path | None:
        """Return the file of the authorities that are trusted; None for those of the system."""
        if not server.ca_file:
            return None
        file = (self.project / server.ca_file).resolve()
        if not file.is_file():
            raise QueryError(QueryProblem.NO_AUTHORITY)
        return file


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of database: the dialect of its SQL, what must be installed, and how it is opened.

    `dialect` is None if a connection chooses it. `runs_comments`: some comments are part of its statements.
    `sessions_only_read`: it offers a session that writes nothing. `right` is what a user needs on a table.
    """

    dialect: str | None
    libraries: tuple[str, ...]
    opened: Callable[[Opening], Session]
    runs_comments: bool = False
    sessions_only_read: bool = True
    right: str = "SELECT"


def _sqlite(one: Opening) -> Session:
    from reconciler.members.queries.sqlite import SqliteSession

    return SqliteSession(one.file(), one.folder, one.limits)


def _duckdb(one: Opening) -> Session:
    from reconciler.members.queries.duckdb_file import DuckDbSession

    return DuckDbSession(one.file(), one.folder, one.limits)


def _postgresql(one: Opening) -> Session:
    from reconciler.members.queries.postgresql import PostgresqlSession

    server = one.server()
    return PostgresqlSession(server, one.account(), one.limits, one.authorities(server))


def _mysql(one: Opening) -> Session:
    from reconciler.members.queries.mysql import MysqlSession

    server = one.server()
    return MysqlSession(server, one.account(), one.limits, one.authorities(server))


def _flightsql(one: Opening) -> Session:
    from reconciler.members.queries.flightsql import FlightSqlSession

    server = one.server()
    return FlightSqlSession(server, one.account(), one.limits, one.authorities(server))


def _bigquery(one: Opening) -> Session:
    from reconciler.members.queries.bigquery import BigQuerySession

    return BigQuerySession(one.connection, one.server(), one.account(), one.limits)


def _snowflake(one: Opening) -> Session:
    from reconciler.members.queries.snowflake import SnowflakeSession

    return SnowflakeSession(one.server(), one.login, one.account(), one.limits)


def _databricks(one: Opening) -> Session:
    from reconciler.members.queries.databricks import DatabricksSession
    from reconciler.members.queries.databricks_api import Workspace

    workspace = Workspace(one.connection, one.server(), one.login.warehouse, one.account(), one.limits)
    return DatabricksSession(workspace, one.limits)


_ADBC = ("sqlglot", "adbc_driver_manager")
KINDS: Mapping[Driver, Kind] = {
    Driver.SQLITE: Kind("sqlite", (*_ADBC, "adbc_driver_sqlite"), _sqlite),
    Driver.DUCKDB: Kind("duckdb", ("sqlglot",), _duckdb),
    Driver.POSTGRESQL: Kind("postgres", (*_ADBC, "adbc_driver_postgresql", "pyarrow"), _postgresql),
    Driver.MYSQL: Kind("mysql", ("sqlglot", "connectorx", "pyarrow", "pymysql"), _mysql, runs_comments=True),
    Driver.FLIGHTSQL: Kind(
        None,
        (*_ADBC, "adbc_driver_flightsql", "pyarrow"),
        _flightsql,
        runs_comments=True,
        sessions_only_read=False,
    ),
    Driver.BIGQUERY: Kind(
        "bigquery",
        ("sqlglot", "google.cloud.bigquery", "google.cloud.bigquery_storage_v1", "pyarrow"),
        _bigquery,
        sessions_only_read=False,
        right="roles/bigquery.dataViewer",
    ),
    Driver.SNOWFLAKE: Kind(
        "snowflake",
        (*_ADBC, "adbc_driver_snowflake", "pyarrow"),
        _snowflake,
        sessions_only_read=False,
    ),
    Driver.DATABRICKS: Kind("databricks", ("sqlglot", "pyarrow"), _databricks, sessions_only_read=False),
}


def database_file(data: Path, name: str) -> Path:
    """Return a file below the data root. Raises QueryError for all others, also by a link."""
    file = (data / name).resolve()
    if is_outside(name) or not file.is_relative_to(data) or not file.is_file():
        raise QueryError(QueryProblem.NO_FILE)
    return file
