"""The databases of one environment: from the name of a connection to a session."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.core.database import DatabaseConnection, DatabaseRole
from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret
from reconciler.members.queries.drivers import KINDS, Opening
from reconciler.members.queries.installed import require
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

    def connection(self, name: str) -> DatabaseConnection:
        return self.roles[name].connection

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

    def _opened(self, role: DatabaseRole, data: Path, folder: Path, check: Callable[[], None]) -> Session:
        connection, login = role.connection, role.login

        def account() -> Account:
            if login.token:
                return Account(token=self.fetch(login.token))
            if login.key:
                return Account(key=self.fetch(login.key))
            if login.user:
                return Account(self.fetch(login.user), self.fetch(login.password))
            return Account()

        limits = Limits(login.time_limit, check, login.max_rows, login.max_bytes)
        require(connection.driver)
        opening = Opening(connection, login, limits, account, data, folder, self.project)
        return KINDS[connection.driver].opened(opening)


NO_DATABASES = Databases()
