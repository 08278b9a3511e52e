"""Sets of files as one process knows them: what they are, what their columns mean, each learnt once.

Here, and nowhere else, a set of files is identified. What is remembered of it holds as long as its files
stay as they are.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import duckdb

from reconciler.core.errors import Finding
from reconciler.core.model import Source, SourceLocation
from reconciler.members import column_types, pruning, sources, where_clause
from reconciler.members.column_types import ColumnType
from reconciler.members.delta_lake import tables as delta_tables
from reconciler.members.delta_lake.tables import DeltaTables
from reconciler.members.described import brought, describe
from reconciler.members.file_stamp import FileStamp
from reconciler.members.iceberg import tables as iceberg_tables
from reconciler.members.iceberg.tables import IcebergTables
from reconciler.members.intake import Intake
from reconciler.members.partitions import partitioned, values_of_folders
from reconciler.members.pruning import Values
from reconciler.members.sources import RowOrigin, Table
from reconciler.members.table_files import check_sizes
from reconciler.members.where_clause import WhereClause

Identity = tuple[tuple[FileStamp, ...], tuple[tuple[str, ...], ...]]


def identity(table: Table) -> Identity:
    """What tells a set of files, as they are, from any other, and what folders or a table add."""
    shared = {(one, part.types[one], *values) for part in table.parts for one, values in part.shared.items()}
    named = {
        (one, found.name, found.type, str(part.files[0].path))
        for part in table.parts
        for one, found in part.stored.items()
    }
    return tuple(file.stamp for file in table.files), tuple(sorted(shared | named))


Meanings = dict[tuple[Identity, str], ColumnType]
"""What columns mean, by their names in one case."""


@dataclass(frozen=True, slots=True)
class FileSets:
    """What was learnt of the files below the root of an intake. Patterns and tables are looked up once."""

    intake: Intake
    lake: DeltaTables
    icebergs: IcebergTables
    _guessed: Meanings = field(default_factory=dict)
    _decided: Meanings = field(default_factory=dict)
    _found: dict[tuple[str, ...], Table] = field(default_factory=dict)

    def looked_up_again(self) -> "FileSets":
        """The same, for another look at which files match and how they are."""
        return replace(
            self,
            lake=self.lake.looked_up_again(),
            icebergs=self.icebergs.looked_up_again(),
            _found={},
        )

    def table(
        self, cursor: duckdb.DuckDBPyConnection, patterns: tuple[str, ...], place: SourceLocation
    ) -> Table:
        """The rows of the files that match. Raises ConfigurationError."""
        if patterns not in self._found:
            found = sources.locate(self.intake.root, patterns, place)
            self._found[patterns] = describe(cursor, self.intake, found, place)
        return replace(self._found[patterns], place=place)

    def partitioned(self, cursor: duckdb.DuckDBPyConnection, source: Source, today: date) -> Table:
        """The rows of the files of which `where` may keep a row, with the columns of their folders.

        One file is read in any case: its columns are needed. Raises ConfigurationError.
        """
        root, declared, place = self.intake.root, source.partitions, source.place
        found = sources.matching(root, source.files, place)
        values = values_of_folders(root, found, declared, place)
        wanted = _wanted(cursor, source, today, [one.column for one in declared], values)
        sources.bring(root, wanted, place)
        table = describe(cursor, self.intake, wanted, place)
        return partitioned(table, declared, values, len(found) - len(wanted))

    def delta(
        self, cursor: duckdb.DuckDBPyConnection, source: Source, identifiers: Collection[str], today: date
    ) -> Table:
        """The rows of the latest version of a Delta table, from the files of which `where` may keep a row.

        Raises ConfigurationError.
        """
        root, place = self.intake.root, source.place
        found = self.lake.latest(source.delta, identifiers, place)
        wanted = _wanted(cursor, source, today, [one.name for one in found.partitions], found.values)
        sources.bring(root, wanted, place)
        check_sizes(root, found.sizes, wanted, "the log of its Delta table", place)
        table = describe(cursor, self.intake, wanted, place)
        return delta_tables.rows(cursor, table, found, len(found.values) - len(wanted))

    def iceberg(
        self, cursor: duckdb.DuckDBPyConnection, source: Source, identifiers: Collection[str], today: date
    ) -> Table:
        """The same of the current snapshot of an Iceberg table. Raises ConfigurationError."""
        root, place = self.intake.root, source.place
        found = self.icebergs.current(source, identifiers)
        columns = [one.name for one in found.partitions]
        wanted = _wanted(cursor, source, today, columns, found.of_partitions())
        sources.bring(root, wanted, place)
        check_sizes(root, found.sizes, wanted, "the metadata of its Iceberg table", place)
        table = describe(cursor, self.intake, wanted, place)
        return iceberg_tables.rows(cursor, table, found, source, len(found.sizes) - len(wanted))

    def bring(
        self, cursor: duckdb.DuckDBPyConnection, table: Table, columns: Collection[str]
    ) -> tuple[Finding, ...]:
        """Make columns of a table readable; return what prevents it. Raises StorageError.

        Of large Parquet files in an object store, no other column can be read.
        """
        if table.family != "parquet" or table.origin is RowOrigin.QUERY:
            return ()
        found = (
            brought(cursor, self.intake, file, {part.in_files(one).name for one in columns}, table.place)
            for part in table.parts
            for file in part.files
        )
        return tuple(one for one in found if one)

    def meanings(
        self, cursor: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[str]
    ) -> Mapping[str, ColumnType]:
        """What text columns mean by their first rows, or by all rows if those were asked before.

        Other columns have types of their own and are left out.
        """
        if table.family == "parquet":
            return {}
        files = identity(table)
        known = {one: self._decided.get((files, one.casefold())) for one in columns}
        free = [one for one, meaning in known.items() if meaning is None]
        guessed = _learnt(self._guessed, files, free, lambda new: column_types.guessed(cursor, table, new))
        return {one: meaning or guessed[one] for one, meaning in known.items()}

    def decide(
        self, cursor: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[str]
    ) -> Mapping[str, ColumnType]:
        """What text columns mean by all of their rows, from now on."""
        return _learnt(
            self._decided,
            identity(table),
            columns,
            lambda new: column_types.decided(cursor, table, new),
        )

    def is_decided(self, table: Table, columns: Sequence[str]) -> bool:
        return all((identity(table), one.casefold()) in self._decided for one in columns)


def _wanted(
    cursor: duckdb.DuckDBPyConnection,
    source: Source,
    today: date,
    columns: Sequence[str],
    values: Mapping[Path, Values],
) -> tuple[Path, ...]:
    """Return the files of which `where` may keep a row; at least one. `values` are those of `columns`."""
    condition, found = where_clause.parse(cursor, source, None, today), tuple(sorted(values))
    if not columns or not isinstance(condition, WhereClause) or condition is where_clause.ALWAYS:
        return found
    kept = pruning.kept(cursor, condition.sql, columns, [*values.values()])
    return tuple(file for file in found if values[file] in kept) or found[-1:]


def _learnt(
    known: Meanings,
    files: Identity,
    columns: Sequence[str],
    learn: Callable[[Sequence[str]], Mapping[str, ColumnType]],
) -> Mapping[str, ColumnType]:
    """Asks only for what isn't known yet."""
    new = [one for one in columns if (files, one.casefold()) not in known]
    if new:
        known.update({(files, one.casefold()): meaning for one, meaning in learn(new).items()})
    return {one: known[files, one.casefold()] for one in columns}
