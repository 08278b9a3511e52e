"""Iceberg tables below a data root: the data files of the current snapshot, and what their columns are."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import duckdb

from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Source
from reconciler.core.pii import redacted_path
from reconciler.members.data_root import DataRoot, is_outside
from reconciler.members.database import literal
from reconciler.members.described import common_types
from reconciler.members.iceberg import METADATA_FOLDER, is_metadata, metadata_files, snapshot
from reconciler.members.iceberg.columns import Column, mapped, readable
from reconciler.members.intake import UnusableError
from reconciler.members.pruning import Values
from reconciler.members.shared_values import unsuited
from reconciler.members.sources import RowOrigin, Table, family, shown_in
from reconciler.members.table_files import AGAIN, refusals, refuse_identifiers, refused, require_inside


@dataclass(frozen=True, slots=True)
class LiveFiles:
    """`sizes` are those that the metadata states for the files of the current snapshot, which are all there.

    `values` are SQL literals of columns that have one value in a file. `names` number the columns of files
    without numbers. `changed_at` is None if the metadata lacks the snapshot that changed rows last.
    """

    sizes: Mapping[Path, int]
    columns: tuple[Column, ...]
    values: Mapping[Path, Mapping[int, str]]
    names: Mapping[str, int]
    changed_at: datetime | None

    @property
    def partitions(self) -> tuple[Column, ...]:
        """Return the columns of which all files have a stated value."""
        return tuple(one for one in self.columns if all(one.id in some for some in self.values.values()))

    def of_partitions(self) -> Mapping[Path, Values]:
        columns = self.partitions
        return {file: tuple(some[one.id] for one in columns) for file, some in self.values.items()}


class IcebergTables:
    """The tables below a root. A table has one snapshot for all audiences of a run."""

    def __init__(self, root: DataRoot, check: Callable[[], None]) -> None:
        """`check` raises when somebody asks to stop."""
        self._root = root
        self._check = check
        self._found: dict[str, LiveFiles] = {}

    def looked_up_again(self) -> "IcebergTables":
        """Return the same, for another look at which snapshots are current."""
        return IcebergTables(self._root, self._check)

    def current(self, source: Source, identifiers: Collection[str]) -> LiveFiles:
        """Return the files of the current snapshot of a table. Raises ConfigurationError, StorageError."""
        table, place = source.iceberg, source.place
        shown = f"the Iceberg table {redacted_path(table)}"
        with refusals(shown, place):
            if table not in self._found:
                self._found[table] = self._current(table)
        found = self._found[table]
        partitions = {number for some in found.values.values() for number in some}
        in_folders = [one.name for one in found.columns if one.id in partitions]
        refuse_identifiers(shown, in_folders, identifiers, place)
        if source.max_age is not None and found.changed_at is None:
            problem = f"{shown} has no age: its metadata has lost the last snapshot that changed rows"
            raise refused(problem, "let its owner keep snapshots for longer, or remove `maxAge`", place)
        return found

    def _current(self, table: str) -> LiveFiles:
        if is_outside(table):
            raise UnusableError("lies outside the data root", "give a path relative to it")
        folder = PurePosixPath(table)
        if is_metadata(table):
            if folder.parent.name != METADATA_FOLDER:
                problem = f"is named by a file that is in no folder `{METADATA_FOLDER}`"
                raise UnusableError(problem, "name the metadata file where the table has it")
            folder = folder.parents[1]
        there = frozenset(self._root.matching(str(folder / "**/*")))
        metadata = self._metadata(table, folder, there)

        def fetch(location: str, wanted: Sequence[str]) -> Sequence[Path]:
            paths = [self._path(folder, location, one) for one in wanted]
            self._require(paths, there, "lacks a file of its metadata")
            self._root.bring(paths)
            return paths

        stated = snapshot.current(metadata, fetch, self._check)
        if not stated["files"]:
            raise UnusableError("has no rows: its current snapshot has no data file", "fill it")
        files = {self._path(folder, stated["location"], path): rest for path, *rest in stated["files"]}
        if any(family(path) != "parquet" for path in files):
            raise UnusableError("names a data file that is not `.parquet`", AGAIN)
        self._require(files, there, "lacks a file of its current snapshot")
        columns = readable(stated["columns"])
        types = {one.id: one.type for one in columns}
        values = {
            path: {int(number): _literal(value, types[int(number)]) for number, value in some.items()}
            for path, (_, some) in files.items()
        }
        return LiveFiles(
            sizes={path: size for path, (size, _) in files.items()},
            columns=columns,
            values=values,
            names=stated["names"],
            changed_at=_moment(stated["changed_at"]),
        )

    def _metadata(self, table: str, folder: PurePosixPath, there: Collection[Path]) -> Path:
        """Return the current metadata file, which is ready to be read."""
        if is_metadata(table):
            found = self._root.folder / table
            self._require([found], there, "lacks the metadata file that is named")
        else:
            beside = self._root.folder / folder / METADATA_FOLDER
            files = require_inside(self._root, [one for one in there if one.parent == beside])
            found = metadata_files.current(files, self._content)
        self._root.bring([found])
        return found

    def _content(self, hint: Path) -> bytes:
        self._root.bring([hint])
        try:
            with hint.open("rb") as stream:
                return stream.read(metadata_files.LONGEST_HINT)
        except OSError:
            raise snapshot.damaged() from None

    def _path(self, folder: PurePosixPath, location: str, stated: str) -> Path:
        """Return a file that the metadata names: all that it names is below the location of its table."""
        table, file = _plain(location).rstrip("/") + "/", _plain(stated)
        path = file.removeprefix(table)
        if path == file or is_outside(path) or "\0" in path:
            problem = "names a file outside of it, as a table does that took over the files of another"
            raise UnusableError(problem, "let its owner write all files to the location of the table")
        return self._root.folder / folder / path

    def _require(self, files: Iterable[Path], there: Collection[Path], problem: str) -> None:
        for file in files:
            if file not in there:
                raise UnusableError(f"{problem}: {shown_in(self._root.folder, file)}", AGAIN)
        require_inside(self._root, [*files])


def rows(
    cursor: duckdb.DuckDBPyConnection, table: Table, found: LiveFiles, source: Source, unread: int
) -> Table:
    """Return files of a snapshot with the columns of their table. Raises ConfigurationError.

    `unread` is how many files of the snapshot `where` keeps no row of.
    """
    with refusals(f"the Iceberg table {redacted_path(source.iceberg)}", source.place):
        parts = tuple(mapped(one, found.columns, found.names, found.values) for one in table.parts)
    with_values = [before for before, after in zip(table.parts, parts, strict=True) if after.shared]
    if findings := [*unsuited(with_values, "iceberg", table.place)]:
        raise ConfigurationError("an Iceberg table can't be used", findings=findings)
    return replace(
        table,
        parts=parts,
        types=common_types(cursor, parts),
        names=tuple(one.name for one in found.columns),
        origin=RowOrigin.ICEBERG,
        fresh_at=found.changed_at,
        unread=unread,
    )


def _plain(location: str) -> str:
    """Return a location in one spelling: writers name one bucket and one folder in several ways."""
    scheme, colon, rest = location.partition(":")
    if location.startswith("/") or (colon and scheme == "file"):
        return "/" + (location if location.startswith("/") else rest).lstrip("/")
    return f"s3:{rest}" if colon and scheme in ("s3a", "s3n") else location


def _literal(value: object, type_: str) -> str:
    if isinstance(value, str) and "\0" in value:
        raise snapshot.damaged()
    return f"{'NULL' if value is None else literal(str(value))}::{type_}"


def _moment(milliseconds: int | None) -> datetime | None:
    try:
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise snapshot.damaged() from None
