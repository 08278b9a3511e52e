"""From sources that ask a database to values."""

from typing import Any

from reconciler.core.model import Query, SourceLocation
from reconciler.manifests.connections import connection
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.sql_files import path_of
from reconciler.manifests.syntax.nodes import ManifestDocument


def rows_key(source: dict[str, Any]) -> tuple[str, ...]:
    """Return the path of what names the rows of a source."""
    for key in ("files", "delta", "iceberg", "table"):
        if key in source:
            return (key,)
    return ("query", "file" if "file" in source["query"] else "sql")


def query(document: ManifestDocument, inventory: ManifestIndex) -> Query:
    """Return a query as it is declared, or the query of a whole table."""
    source = document.value("source")
    table = source.get("table", "")
    path = ("source",) if table else ("source", "query")
    value = document.value(*path)
    rows = ("source", *rows_key(source))
    sql = f"SELECT * FROM {table}" if table else value.get("sql", "")
    place, written = document.place(*rows), "" if table else document.written(*rows)
    if file := path_of(document):
        sql = written = inventory.statements[file]
        place = SourceLocation(file, 1, 1)
    return Query(
        connection=value["connection"],
        sql=sql,
        freshness=value.get("freshness", ""),
        leads_to=connection(inventory.named["Connection"][value["connection"]]).leads_to,
        table=table,
        place=place,
        written=written,
        freshness_place=document.place(*path, "freshness"),
        freshness_written=document.written(*path, "freshness"),
    )
