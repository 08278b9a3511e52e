"""Columns whose values are in the names of folders."""

from collections.abc import Iterator

from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument

_COLUMNS = {
    "query": "a query returns its columns",
    "table": "a table returns its columns",
    "delta": "a Delta table has the columns of its partitions",
    "iceberg": "an Iceberg table has the columns of its partitions",
}


def check(inventory: ManifestIndex) -> Iterator[Issue]:
    """Everything that no schema states."""
    for audience in inventory.declared["Audience"]:
        declared = audience.value("source", "partitions")
        if isinstance(declared, dict):
            yield from _unsound(audience, [str(one) for one in declared])


def _unsound(audience: ManifestDocument, declared: list[str]) -> Iterator[Issue]:
    for asked in _COLUMNS.keys() & (audience.value("source") or {}).keys():
        problem = f"`partitions` names folders of `files`, and `source` has a `{asked}`"
        remedy = f"remove it: {_COLUMNS[asked]}"
        yield _flaw(audience, ("source", "partitions"), problem, remedy)
    known: dict[str, str] = {}
    for column in declared:
        other = known.setdefault(column.casefold(), column)
        if other != column:
            problem = f"this column is there twice, as {other}; upper and lower case are one"
            yield _flaw(audience, ("source", "partitions", column), problem, "keep one of them")
    columns = audience.value("columns")
    for kind, column in columns.items() if isinstance(columns, dict) else ():
        if str(column).casefold() in known:
            problem = "identifiers are never read from the names of folders"
            yield _flaw(audience, ("columns", kind), problem, "name a column of the files")


def _flaw(one: ManifestDocument, path: tuple[str, ...], problem: str, remedy: str) -> Issue:
    return Issue(one.place(*path), IssueRank.SCHEMA, problem, remedy)
