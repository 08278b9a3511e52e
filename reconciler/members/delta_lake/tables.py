"""Delta tables below a data root: the files of the latest version, and the columns that the log adds."""

import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import SourceLocation
from reconciler.core.pii import redacted_path
from reconciler.disk.atomic import os_errors
from reconciler.members.data_root import DataRoot, is_outside
from reconciler.members.database import literal
from reconciler.members.delta_lake import LOG_FOLDER, version
from reconciler.members.delta_lake.log import changed_at, copy_log, damaged, log_files, moment
from reconciler.members.described import common_types
from reconciler.members.intake import UnusableError
from reconciler.members.parts import Part
from reconciler.members.pruning import Values
from reconciler.members.shared_values import SharedColumn, unsuited, with_shared
from reconciler.members.sources import RowOrigin, Table, family, shown_in
from reconciler.members.table_files import AGAIN, refusals, refuse_identifiers, require_inside

_TYPES = {
    "string": "VARCHAR",
    "byte": "TINYINT",
    "short": "SMALLINT",
    "integer": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
    "binary": "BLOB",
}
"""DuckDB's types of columns, by their types in a log."""
_DECIMAL = re.compile(r"decimal\([0-9]{1,2},[0-9]{1,2}\)")


@dataclass(frozen=True, slots=True)
class LatestVersion:
    """`sizes` are those that the log states for the files of the version, which are all there.

    `columns` are those of the table whose types are known here: a file that was written before one was added
    lacks it.
    """

    sizes: Mapping[Path, int]
    values: Mapping[Path, Values]
    partitions: tuple[SharedColumn, ...]
    columns: tuple[SharedColumn, ...]
    changed_at: datetime


class DeltaTables:
    """The tables below a root. A table has one version for all audiences of a run."""

    def __init__(self, root: DataRoot, folder: Path, check: Callable[[], None]) -> None:
        """Logs are copied to `folder`. `check` raises when somebody asks to stop."""
        self._root = root
        self._folder = folder
        self._check = check
        self._found: dict[str, LatestVersion] = {}

    def looked_up_again(self) -> "DeltaTables":
        """Return the same, for another look at which versions there are."""
        return DeltaTables(self._root, self._folder, self._check)

    def latest(self, table: str, columns: Collection[str], place: SourceLocation) -> LatestVersion:
        """Return the latest version of a table. Raises ConfigurationError, StorageError.

        `columns` are read as identifiers.
        """
        shown = f"the Delta table {redacted_path(table)}"
        with refusals(shown, place):
            if table not in self._found:
                self._found[table] = self._latest(table)
        found = self._found[table]
        refuse_identifiers(shown, [one.name for one in found.partitions], columns, place)
        return found

    def _latest(self, table: str) -> LatestVersion:
        if is_outside(table):
            raise UnusableError("lies outside the data root", "give a path relative to it")
        log = log_files(require_inside(self._root, self._root.matching(f"{table}/{LOG_FOLDER}/*")))
        with os_errors("copy to", self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as copy:
            copy_log(self._root, log, Path(copy))
            stated = version.latest(Path(copy), self._check)
        if not stated["files"]:
            raise UnusableError(f"has no rows: version {stated['version']:,} has no file", "fill it")
        files = {self._file(table, path): rest for path, *rest in stated["files"]}
        there = set(self._root.matching(f"{table}/**/*"))
        if lacking := next((file for file in files if file not in there), None):
            shown = shown_in(self._root.folder, lacking)
            raise UnusableError(f"lacks a file of version {stated['version']:,}: {shown}", AGAIN)
        require_inside(self._root, [*files])
        types = {name: kind for name, stated_type in stated["columns"] if (kind := _type(stated_type))}
        partitions = tuple(SharedColumn(one, types[one]) for one in stated["partitions"])
        return LatestVersion(
            sizes={file: size for file, (size, *_) in files.items()},
            values={file: tuple(_literals(values, partitions)) for file, (*_, values) in files.items()},
            partitions=partitions,
            columns=tuple(SharedColumn(*one) for one in types.items()),
            changed_at=changed_at(self._root, log.commits) or moment(max(one[1] for one in files.values())),
        )

    def _file(self, table: str, stated: str) -> Path:
        """Return a file of the log: its path there is relative to the table, and percent-encoded."""
        path = unquote(stated)
        if is_outside(path) or "\0" in path:
            problem = "names a file outside of it, as a shallow clone does"
            raise UnusableError(problem, "copy the table with all of its files")
        if family(Path(path)) != "parquet":
            raise UnusableError("names a file that is not `.parquet`", AGAIN)
        return self._root.folder / table / path


def rows(cursor: duckdb.DuckDBPyConnection, table: Table, found: LatestVersion, unread: int) -> Table:
    """Return files of a version with the columns that the log adds. Raises ConfigurationError.

    `unread` is how many files of the version `where` keeps no row of.
    """
    parts = tuple(_part(one, found) for one in table.parts)
    with_values = [before for before, after in zip(table.parts, parts, strict=True) if after.shared]
    if findings := [*unsuited(with_values, "delta", table.place)]:
        raise ConfigurationError("a Delta table can't be used", findings=findings)
    names = {one.casefold(): one for part in reversed(parts) for one in part.columns.values()}
    return replace(
        table,
        parts=parts,
        types=common_types(cursor, parts),
        names=tuple(names.values()),
        origin=RowOrigin.DELTA,
        fresh_at=found.changed_at,
        unread=unread,
    )


def _part(part: Part, found: LatestVersion) -> Part:
    """Return a part with its partitions, and NULL in columns that were added after its files were written."""
    known = {*part.columns, *(one.name.casefold() for one in found.partitions)}
    added = [one for one in found.columns if one.name.casefold() not in known]
    nothing = tuple(f"NULL::{one.type}" for one in added)
    values = {file: (*some, *nothing) for file, some in found.values.items()}
    return with_shared(part, [*found.partitions, *added], values)


def _type(stated: str) -> str | None:
    return stated.upper() if _DECIMAL.fullmatch(stated) else _TYPES.get(stated)


def _literals(values: Sequence[Any], columns: Sequence[SharedColumn]) -> Iterator[str]:
    """Yield SQL literals of their types."""
    for value, column in zip(values, columns, strict=True):
        if isinstance(value, str) and "\0" in value:
            raise damaged()
        plain = "NULL" if value is None else literal(str(value))
        yield f"{plain}::{column.type}"
