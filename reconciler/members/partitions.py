"""Columns whose values are in the names of folders: `dt=2026-11-30/region=fr/people.parquet`.

Only columns that a manifest names are read from folders: otherwise a folder would replace a column unseen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import unquote

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Partition, PartitionType, SourceLocation
from reconciler.members.data_root import DataRoot
from reconciler.members.database import literal
from reconciler.members.pruning import Values
from reconciler.members.shared_values import SharedColumn, unsuited, with_shared
from reconciler.members.sources import Table, shown_in

NOTHING = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and Spark call the folder of rows without a value."""
LONGEST_INTEGER = 18
"""Digits."""
_STORED = {PartitionType.TEXT: "VARCHAR", PartitionType.INTEGER: "BIGINT", PartitionType.DATE: "DATE"}


def values_of_folders(
    root: DataRoot, files: Iterable[Path], partitions: Sequence[Partition], place: SourceLocation
) -> Mapping[Path, Values]:
    """Return the values of each file, in the order of the partitions. Raises ConfigurationError."""
    found: dict[Path, Values] = {}
    findings: list[Finding] = []
    for file in files:
        values = []
        for one in partitions:
            stated = _stated(file.relative_to(root.folder), one.column)
            value = _literal(stated[0], one.type) if len(stated) == 1 else None
            if value is None:
                findings.append(_refused(shown_in(root.folder, file), one, stated, place))
                break
            values.append(value)
        found[file] = tuple(values)
    if findings:
        raise ConfigurationError("the partitions of a source can't be used", findings=findings)
    return found


def _stated(file: Path, column: str) -> list[str]:
    """Return the values that folders of a path give a column."""
    parts = (folder.partition("=") for folder in file.parent.parts)
    return [unquote(value) for name, equals, value in parts if equals and unquote(name) == column]


def _literal(stated: str, kind: PartitionType) -> str | None:
    """Return a value as an SQL literal of its type; None if it is not of that type."""
    if stated == NOTHING:
        return f"NULL::{_STORED[kind]}"
    if kind is PartitionType.INTEGER:
        digits = stated.removeprefix("-")
        sound = digits.isascii() and digits.isdecimal() and len(digits) <= LONGEST_INTEGER
        return f"{int(stated)}::BIGINT" if sound else None
    if kind is PartitionType.DATE:
        try:
            return f"DATE '{date.fromisoformat(stated)}'" if len(stated) == len("2026-11-30") else None
        except ValueError:
            return None
    return None if "\0" in stated else literal(stated)


def _refused(file: str, one: Partition, stated: Sequence[str], place: SourceLocation) -> Finding:
    if not stated:
        problem = f"{file} is in no folder `{one.column}=…`"
        remedy = f"name the folder in the pattern, as `{one.column}=*`, or remove it from `partitions`"
    elif len(stated) > 1:
        problem = f"{file} is in {len(stated)} folders `{one.column}=…`"
        remedy = "keep one of them"
    else:
        problem = f"{file} is in a folder `{one.column}=…` whose value is not of type {one.type}"
        remedy = "write `text` as its type, or correct the name of the folder"
    return Finding(str(place), problem, remedy)


def partitioned(
    table: Table, partitions: Sequence[Partition], values: Mapping[Path, Values], unread: int
) -> Table:
    """Return a table with the columns of its folders. Raises ConfigurationError.

    `unread` is how many files of the source `where` keeps no row of.
    """
    findings = [*_unfit(table, partitions)]
    if findings:
        raise ConfigurationError("the partitions of a source can't be used", findings=findings)
    columns = [SharedColumn(one.column, _STORED[one.type]) for one in partitions]
    types = {one.name.casefold(): one.type for one in columns}
    parts = tuple(with_shared(one, columns, values) for one in table.parts)
    names = (*table.names, *(one.name for one in columns))
    return replace(table, parts=parts, types={**table.types, **types}, names=names, unread=unread)


def _unfit(table: Table, partitions: Sequence[Partition]) -> Iterable[Finding]:
    if table.family != "parquet":
        remedy = "remove `partitions`, or export Parquet"
        yield Finding(
            str(table.place), f"`partitions` needs Parquet files, and these are {table.family}", remedy
        )
        return
    for part in table.parts:
        first = part.files[0].shown
        for one in partitions:
            if one.column.casefold() in part.columns:
                problem = f"{first} has a column `{one.column}` as well as a folder `{one.column}=…`"
                yield Finding(str(table.place), problem, "remove it from `partitions`, or from the files")
    yield from unsuited(table.parts, "partitions", table.place)
