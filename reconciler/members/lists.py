"""Suppression and exclusion lists: each column is read once in a process, for all audiences."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from reconciler.core.errors import ConfigurationError
from reconciler.core.members import ListMatches, ReadList, SnapshotRef
from reconciler.core.model import HASHINGS, Hashing, IdentifierType
from reconciler.members import identifier_sql as sql
from reconciler.members.erased import ErasedMembers
from reconciler.members.file_stamp import FileStamp
from reconciler.members.identifier_sql import Class
from reconciler.members.line_breaks import line_break
from reconciler.members.prepare import ListedIdentifiers, odd
from reconciler.members.snapshots import Snapshots, reader

DIGEST = f"unhex(CASE class WHEN {int(Class.PLAIN)} THEN sha256(value) ELSE value END)"
"""What a list is remembered by: the same for a value that came plain and for its SHA-256."""
Key = tuple[IdentifierType, str, str, tuple[FileStamp, ...]]


@dataclass(frozen=True, slots=True)
class ListColumn:
    """`values` holds the usable ones with their classes, `keys` all that a member may be recognised by.

    `sizes` counts the distinct usable values by class. `members` are those that a state may store: none that
    is erased, if `without_erased`.
    """

    values: Path
    keys: Path
    sizes: tuple[tuple[int, int], ...]
    members: SnapshotRef
    without_erased: bool
    present: int
    invalid: int

    @property
    def classes(self) -> frozenset[int]:
        return frozenset(found for found, _ in self.sizes)

    @property
    def has_all_members(self) -> bool:
        """Return whether `members` are all that can be in a segment with SHA-256 hashes."""
        return not self.without_erased and Class.MD5 not in self.classes


class Lists:
    """The columns that one process has read, in the folder of its snapshots."""

    def __init__(self, snapshots: Snapshots, erased: ErasedMembers) -> None:
        self._snapshots = snapshots
        self._erased = erased
        self._columns: dict[Key, ListColumn] = {}
        self._members: dict[tuple[tuple[ListColumn, ...], Hashing], SnapshotRef] = {}

    def column(
        self, cursor: duckdb.DuckDBPyConnection, listed: ListedIdentifiers, kind: IdentifierType, name: str
    ) -> ListColumn:
        """Read again only if a file of it has changed: what is compared is what excludes."""
        stamps = tuple(file.stamp for file in listed.table.files)
        key = (kind, name, listed.declared.country, stamps)
        if key not in self._columns:
            self._columns[key] = self._read(cursor, listed, kind, name)
        return self._columns[key]

    def _read(
        self, cursor: duckdb.DuckDBPyConnection, listed: ListedIdentifiers, kind: IdentifierType, name: str
    ) -> ListColumn:
        _refuse_odd(cursor, listed, name)
        table, country = listed.table, listed.declared.country
        stored = f"{table.relation([name])} AS stored"
        rows = f"(SELECT {table.text(name)} AS x, {table.broken(name)} AS broken FROM {stored})"
        classified = sql.classified(rows, {"x": kind}, keep="broken", countries={"x": country})
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE list_column AS "
            f"SELECT x_value AS value, x_class AS class, broken, count(*) AS n FROM {classified} GROUP BY ALL"
        )
        counts = cursor.execute(
            "SELECT class::BIGINT, count(*), sum(n)::BIGINT, bool_or(broken) FROM list_column "
            "GROUP BY class ORDER BY class"
        ).fetchall()
        if any(broken for *_, broken in counts):
            raise ConfigurationError("an exclusion list can't be read", findings=(line_break(table, [name]),))
        found_usable = f"(SELECT value, class FROM list_column WHERE {sql.usable('class')})"
        values, _ = self._snapshots.written(cursor, f"SELECT value, class FROM {found_usable}")
        named = f"(SELECT value, class, {DIGEST} AS member FROM {found_usable})"
        remembered = self._not_erased(cursor, kind)
        is_never_hashed = HASHINGS[kind] == (Hashing.NONE,)
        recognised = (
            f"SELECT value AS key, member FROM {named}" if is_never_hashed else sql.keys(named, "member")
        )
        keys, _ = self._snapshots.written(cursor, recognised)
        found = ListColumn(
            values=values,
            keys=keys,
            sizes=tuple((found, distinct) for found, distinct, *_ in counts if found < Class.EMPTY),
            members=self._snapshots.keep(
                cursor, f"SELECT DISTINCT {DIGEST} AS member FROM {found_usable} {remembered}", Hashing.SHA256
            ),
            without_erased=bool(remembered),
            present=sum(n for found, _, n, _ in counts if found != Class.EMPTY),
            invalid=sum(n for found, _, n, _ in counts if found >= Class.FLAWED),
        )
        cursor.execute("DROP TABLE list_column")
        return found

    def _not_erased(self, cursor: duckdb.DuckDBPyConnection, kind: IdentifierType) -> str:
        """The state stores no erased member of a list; the list excludes them all the same."""
        if kind not in self._erased.types:
            return ""
        self._erased.load(cursor)
        return f"WHERE NOT {self._erased.test('value', 'class', kind)}"

    def members(
        self, cursor: duckdb.DuckDBPyConnection, columns: tuple[ListColumn, ...], hashing: Hashing
    ) -> SnapshotRef:
        """All members of several columns of one type, in a hashing, also erased ones."""
        if hashing is Hashing.SHA256 and len(columns) == 1 and columns[0].has_all_members:
            return columns[0].members
        if (columns, hashing) not in self._members:
            classes = ", ".join(str(int(one)) for one in sql.USABLE[hashing])
            values = union([one.values for one in columns])
            query = (
                f"SELECT DISTINCT {sql.member('value', 'class', hashing)} AS member FROM {values} "
                f"WHERE class IN ({classes})"
            )
            self._members[columns, hashing] = self._snapshots.keep(cursor, query, hashing)
        return self._members[columns, hashing]


def read_list(
    listed: ListedIdentifiers, kind: IdentifierType, column: ListColumn, matches: ListMatches
) -> ReadList:
    """What the core compares."""
    declared = listed.declared
    return ReadList(
        kind=declared.kind,
        name=declared.name,
        files=declared.files,
        identifier_type=kind,
        members=column.members,
        present=column.present,
        invalid=column.invalid,
        max_shrink=declared.max_shrink,
        place=declared.place,
        matches=matches,
    )


def union(files: list[Path]) -> str:
    """The rows of several files, as a relation."""
    return f"({' UNION ALL '.join(f'SELECT * FROM {reader(file)}' for file in files)})"


def _refuse_odd(cursor: duckdb.DuckDBPyConnection, listed: ListedIdentifiers, name: str) -> None:
    """A list whose identifiers have been rounded would exclude nobody."""
    table = listed.table
    if table.family != "json":
        return
    rows = f"{table.relation([name])} AS stored WHERE {table.untextual(name)}"
    if cursor.execute(f"SELECT 1 FROM {rows} LIMIT 1").fetchone():
        raise ConfigurationError("an exclusion list can't be read", findings=(odd(table.place, name),))
