"""Sets of files as one process knows them: what they are, what their columns mean, each learnt once.

Here, and nowhere else, a set of files is identified. What is remembered of it holds as long as its files
stay as they are.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import duckdb

from reconciler.core.errors import Finding
from reconciler.core.model import Source, SourceLocation
from reconciler.members import column_types, pruning, sources, where_clause
from reconciler.members.column_types import ColumnType
from reconciler.members.described import brought, describe
from reconciler.members.file_stamp import FileStamp
from reconciler.members.intake import Intake
from reconciler.members.partitions import partitioned, values_of_folders
from reconciler.members.sources import RowOrigin, Table
from reconciler.members.where_clause import WhereClause

Identity = tuple[tuple[FileStamp, ...], tuple[tuple[str, str], ...]]


def identity(table: Table) -> Identity:
    """What tells a set of files, as they are, from any other, and which columns their folders add."""
    shared = {(one, part.types[one]) for part in table.parts for one in part.shared}
    return tuple(file.stamp for file in table.files), tuple(sorted(shared))


Meanings = dict[tuple[Identity, str], ColumnType]
"""What columns mean, by their names in one case."""


@dataclass(frozen=True, slots=True)
class FileSets:
    """What was learnt of the files below the root of an intake. Patterns are looked up once."""

    intake: Intake
    _guessed: Meanings = field(default_factory=dict)
    _decided: Meanings = field(default_factory=dict)
    _found: dict[tuple[str, ...], Table] = field(default_factory=dict)

    def looked_up_again(self) -> "FileSets":
        """The same, for another look at which files match and how they are."""
        return replace(self, _found={})

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
        condition = where_clause.parse(cursor, source, None, today)
        wanted = found
        if isinstance(condition, WhereClause) and condition is not where_clause.ALWAYS:
            kept = pruning.kept(cursor, condition.sql, [one.column for one in declared], [*values.values()])
            wanted = tuple(file for file in found if values[file] in kept) or found[-1:]
        sources.bring(root, wanted, place)
        table = describe(cursor, self.intake, wanted, place)
        return partitioned(table, declared, values, len(found) - len(wanted))

    def bring(
        self, cursor: duckdb.DuckDBPyConnection, table: Table, columns: Collection[str]
    ) -> tuple[Finding, ...]:
        """Make columns of a table readable; return what prevents it. Raises StorageError.

        Of large Parquet files in an object store, no other column can be read.
        """
        if table.family != "parquet" or table.origin is not RowOrigin.FILES:
            return ()
        found = (brought(cursor, self.intake, one, columns, table.place) for one in table.files)
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
