"""The databases of one environment: from the name of a connection to a session."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from reconciler.core.database import DatabaseRole, Driver, Server
from reconciler.core.errors import AuthenticationError, ConfigurationError
from reconciler.core.secret import Secret
from reconciler.members.data_root import is_outside
from reconciler.members.queries.installed import require
from reconciler.members.queries.problems import QueryError, QueryProblem
from reconciler.members.queries.reachable import require_reachable
from reconciler.members.queries.session import Account, Limits, Session


def _no_secret(_: str) -> Secret:
    raise AuthenticationError("this command reads no secret")


@dataclass(frozen=True, slots=True)
class Databases:
    """The logins in use, by the name of their connection. `fetch` reads the secret of a reference.

    `project` is the root that certificate files are relative to.
    """

    roles: Mapping[str, DatabaseRole] = field(default_factory=dict)
    fetch: Callable[[str], Secret] = _no_secret
    project: Path = Path()

    def driver(self, name: str) -> Driver:
        return self.roles[name].connection.driver

    @contextlib.contextmanager
    def session(self, name: str, data: Path, folder: Path, check: Callable[[], None]) -> Iterator[Session]:
        """Connect. `data` is the data root, `folder` a private folder.

        Errors: QueryError, NotInstalledError, and those of secrets.
        """
        with self.of(self.roles[name], data, folder, check) as session:
            yield session

    @contextlib.contextmanager
    def of(
        self, role: DatabaseRole, data: Path, folder: Path, check: Callable[[], None]
    ) -> Iterator[Session]:
        """Connect with a login of its own."""
        session = self._opened(role, data, folder, check)
        try:
            yield session
        finally:
            session.close()

    def _authorities(self, server: Server) -> str:
        """Return the file of the authorities that are trusted, in libpq's words."""
        if not server.ca_file:
            return "system"
        file = (self.project / server.ca_file).resolve()
        if not file.is_file():
            raise QueryError(QueryProblem.NO_AUTHORITY)
        return str(file)

    def _opened(self, role: DatabaseRole, data: Path, folder: Path, check: Callable[[], None]) -> Session:
        connection, limits = role.connection, Limits(role.login.time_limit, check)
        require(connection.driver)
        match connection.driver:
            case Driver.SQLITE:
                from reconciler.members.queries.sqlite import SqliteSession

                return SqliteSession(database_file(data, connection.file), folder, limits)
            case Driver.DUCKDB:
                from reconciler.members.queries.duckdb_file import DuckDbSession

                return DuckDbSession(database_file(data, connection.file), folder, limits)
            case Driver.POSTGRESQL:
                from reconciler.members.queries.postgresql import PostgresqlSession

                if (server := connection.server) is None:
                    raise ConfigurationError(f"connection {connection.name} names no server")
                require_reachable(server.host, server.port)
                account = Account(self.fetch(role.login.user), self.fetch(role.login.password))
                return PostgresqlSession(server, account, limits, self._authorities(server))
            case _:
                assert_never(connection.driver)


NO_DATABASES = Databases()


def database_file(data: Path, name: str) -> Path:
    """Return a file below the data root. Raises QueryError for all others, also by a link."""
    file = (data / name).resolve()
    if is_outside(name) or not file.is_relative_to(data) or not file.is_file():
        raise QueryError(QueryProblem.NO_FILE)
    return file
