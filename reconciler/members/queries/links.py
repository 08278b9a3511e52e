"""The links to a database, one after another, until one does not hold."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.database import DatabaseRole
from reconciler.core.doctor.checks import DatabaseLink
from reconciler.core.errors import AuthenticationError, Finding
from reconciler.core.model import Query
from reconciler.core.pii import redacted_path
from reconciler.disk.private_dir import private_directory
from reconciler.members.queries.databases import Databases
from reconciler.members.queries.drivers import KINDS, database_file
from reconciler.members.queries.installed import require
from reconciler.members.queries.problems import NotInstalledError, QueryError, QueryProblem
from reconciler.members.queries.reachable import require_reachable
from reconciler.members.queries.session import Session


@dataclass(frozen=True, slots=True)
class DatabaseLinks:
    """Looks at the links of logins. `queries` are those of all audiences."""

    databases: Databases
    queries: Sequence[Query]
    data: Path
    folder: Path
    check: Callable[[], None]

    def of(self, roles: Iterable[DatabaseRole]) -> Iterator[DatabaseLink]:
        for role in roles:
            link = ""
            try:
                for link, found in self._links(role):
                    self.check()
                    if found:
                        yield DatabaseLink(str(role), link, found)
            except (QueryError, NotInstalledError) as error:
                self.check()
                finding = error.finding(role.connection.place, role.connection.name)
                yield DatabaseLink(str(role), link, finding)
            except AuthenticationError as error:
                finding = Finding(str(role.connection.place), error.problem, error.remedy)
                yield DatabaseLink(str(role), link, finding)

    def _links(self, role: DatabaseRole) -> Iterator[tuple[str, str | Finding]]:
        """Yield the name of each link before it is tried, with "", and what was found after that."""
        connection = role.connection
        yield "driver", ""
        require(connection.driver)
        yield "driver", "installed"
        yield "address", ""
        if connection.server is None:
            database_file(self.data, connection.file)
            yield "address", f"{redacted_path(connection.file)} is there"
        else:
            require_reachable(connection.server.host, connection.server.port)
            yield "address", "a server answers"
        yield "login", ""
        with self.databases.of(role, self.data, private_directory(self.folder), self.check) as session:
            reads = KINDS[connection.driver].sessions_only_read
            yield "login", "accepted, and the session only reads" if reads else "accepted"
            yield "rights", ""
            yield "rights", self._rights(role, session)

    def _rights(self, role: DatabaseRole, session: Session) -> str | Finding:
        from reconciler.members.queries.guard import guarded

        connection, tables = role.connection, dict[str, None]()
        for one in self.queries:
            if one.connection == connection.name:
                try:
                    tables |= dict.fromkeys(guarded(one.sql, connection.driver, connection.dialect).tables)
                except QueryError:
                    continue  # the check of sources reports it
        lacking = session.missing_rights(tuple(tables))
        if not lacking:
            return f"tables of queries that can be read: {len(tables):,}"
        named, right = ", ".join(lacking), KINDS[connection.driver].right
        return Finding(
            str(role.connection.place),
            f"{QueryProblem.FORBIDDEN.text}: {right} on {named}",
            f"GRANT {right} ON {named} TO the user of this login",
        )
