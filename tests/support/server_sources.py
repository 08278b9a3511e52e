"""An audience that is a query of a server, and the links that `doctor` tries to it."""

from pathlib import Path

from support.databases import query
from support.source_project import Project, make

from reconciler.members.queries.databases import Databases
from reconciler.members.queries.links import DatabaseLinks

SQL = "SELECT email, id FROM customers"


def crm(tmp_path: Path, databases: Databases, sql: str = SQL, freshness: str = "") -> Project:
    tmp_path.mkdir(exist_ok=True)
    return make(tmp_path).queries(databases, query(sql, freshness))


def links(tmp_path: Path, databases: Databases) -> list[tuple[str, str]]:
    """Return each link that was tried, and what was found."""
    tried = DatabaseLinks(databases, [query(SQL)], tmp_path, tmp_path / "links", lambda: None)
    found = tried.of(databases.roles.values())
    return [(one.link, one.found if isinstance(one.found, str) else one.found.problem) for one in found]
