"""What exclusion lists find in the rows of a source, and whom they keep out of a segment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from reconciler.core.members import ListMatches, ReadList, SnapshotRef
from reconciler.core.model import Hashing, IdentifierType
from reconciler.members import identifier_sql as sql
from reconciler.members.database import number
from reconciler.members.identifier_sql import Class
from reconciler.members.lists import DIGEST, ListColumn, read_list, usable
from reconciler.members.prepare import ListedIdentifiers
from reconciler.members.snapshots import Snapshots, reader

Listed = tuple[ListedIdentifiers, IdentifierType, ListColumn]
"""A list, the type of one of its columns, and what was read of that."""


@dataclass(frozen=True, slots=True)
class SeenRows:
    """The rows of an audience as tables: of each type the distinct values by fate, and all rows.

    `prefixes` name the columns of a type in `rows`, which is there where there are several types.
    `kept`, `excluded` and `unsampled` are the fates of rows that `where` keeps.
    """

    values: Mapping[IdentifierType, str]
    prefixes: Mapping[IdentifierType, str]
    rows: str
    kept: int
    excluded: int
    unsampled: int


@dataclass(frozen=True, slots=True)
class Matching:
    """The exclusion lists of one audience and its rows. `exclude_everywhere` comes first."""

    cursor: duckdb.DuckDBPyConnection
    snapshots: Snapshots
    lists: Sequence[Listed]
    seen: SeenRows

    def exclude_everywhere(self) -> None:
        """Excludes an identifier of an excluded row in all other rows too."""
        for kind, table in self.seen.values.items():
            outs = f"{table}_out"
            self.cursor.execute(
                f"CREATE OR REPLACE TEMP TABLE {outs} AS SELECT DISTINCT value, class FROM {table} "
                f"WHERE fate = {self.seen.excluded} AND {usable('class')}"
            )
            classes = self._classes(table)
            hashed = (classes | self._listed_classes(kind)) - {int(Class.PLAIN)}
            keys = sql.keys(outs) if hashed else f"SELECT value AS key FROM {outs}"
            self.cursor.execute(f"CREATE OR REPLACE TEMP TABLE {table}_keys AS {keys}")
            if (found := self._classes(outs)) and (len(self.seen.values) > 1 or len(classes) > 1):
                known = sql.listed("value", "class", f"{table}_keys", found)
                self.cursor.execute(
                    f"UPDATE {table} SET fate = {self.seen.excluded} "
                    f"WHERE fate = {self.seen.kept} AND {known}"
                )

    def read(self, kind: IdentifierType, hashing: Hashing) -> Iterator[ReadList]:
        """Each list with what it found, and the members of a segment that it keeps out."""
        for one, listed, column in self.lists:
            yield read_list(one, listed, column, self._matches(listed, column, kind, hashing))

    def _matches(
        self, listed: IdentifierType, column: ListColumn, kind: IdentifierType, hashing: Hashing
    ) -> ListMatches:
        table, fates = self.seen.values[listed], (self.seen.kept, self.seen.excluded, self.seen.unsampled)
        looked = f"FROM {table} WHERE fate IN ({', '.join(map(str, fates))})"
        return ListMatches(
            identifier_type=kind,
            hashing=hashing,
            found=self._found(listed, column),
            excluded=self._excluded(listed, column, kind, hashing),
            rows=number(self.cursor, f"SELECT sum(n) {looked}"),
            empty=number(self.cursor, f"SELECT sum(n) {looked} AND class = {int(Class.EMPTY)}"),
            malformed=number(self.cursor, f"SELECT sum(n) {looked} AND class >= {int(Class.FLAWED)}"),
        )

    def _found(self, listed: IdentifierType, column: ListColumn) -> SnapshotRef:
        """Looked up the other way round: a list is remembered by its own values."""
        outs = f"{self.seen.values[listed]}_out"
        known = sql.listed("value", "class", f"{self.seen.values[listed]}_keys", self._classes(outs))
        query = f"SELECT DISTINCT {DIGEST} AS member FROM {reader(column.values)} AS l WHERE {known}"
        return self.snapshots.keep(self.cursor, query, Hashing.SHA256)

    def _excluded(
        self, listed: IdentifierType, column: ListColumn, kind: IdentifierType, hashing: Hashing
    ) -> SnapshotRef:
        if listed == kind:
            rows, mine, theirs = f"{self.seen.values[kind]}_out", "", ""
        else:
            rows = f"{self.seen.rows} WHERE fate = {self.seen.excluded}"
            mine, theirs = (f"{self.seen.prefixes[one]}_" for one in (kind, listed))
        on_it = sql.listed(f"{theirs}value", f"{theirs}class", reader(column.keys), column.classes)
        classes = ", ".join(str(int(one)) for one in sql.USABLE[hashing])
        member = sql.member(f"{mine}value", f"{mine}class", hashing)
        query = (
            f"SELECT DISTINCT {member} AS member FROM (SELECT * FROM {rows}) AS out "
            f"WHERE {mine}class IN ({classes}) AND {on_it}"
        )
        return self.snapshots.keep(self.cursor, query, hashing)

    def _classes(self, table: str) -> frozenset[int]:
        """The usable ones that a table holds."""
        rows = self.cursor.execute(f"SELECT DISTINCT class FROM {table} WHERE {usable('class')}").fetchall()
        return frozenset(int(row[0]) for row in rows)

    def _listed_classes(self, kind: IdentifierType) -> frozenset[int]:
        return frozenset[int]().union(*(column.classes for _, one, column in self.lists if one == kind))
