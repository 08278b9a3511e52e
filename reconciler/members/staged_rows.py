"""The rows of a shared scan in temporary tables, and what is counted and selected there for each audience.

`staged` has the rows: who keeps each (`k0`…), and the class and canonical value of each identifier column
(`c0`, `v0`, …); for one column equal rows are one, and `n` is their number. `values_0`… have the distinct
usable values of a column and who has a row with it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from reconciler.core.model import Hashing
from reconciler.members import identifier_sql as sql
from reconciler.members.bit_sets import BitSets, empty
from reconciler.members.database import literal
from reconciler.members.identifier_sql import Class
from reconciler.members.shared_scan import RowTrouble, SharedScan
from reconciler.members.snapshots import reader

Counts = Mapping[int, Mapping[int, int]]
"""Numbers of rows by audience and class."""


@dataclass(frozen=True, slots=True)
class RowsRead:
    """`number` of rows, and whether one of them `stops` some audience."""

    number: int
    stops: bool


@dataclass(frozen=True, slots=True)
class StagedRows:
    """Tables of a cursor, and gone with it."""

    cursor: duckdb.DuckDBPyConnection
    scan: SharedScan

    @property
    def sets(self) -> BitSets:
        return self.scan.sets

    def read(self, *, trusted: bool) -> RowsRead:
        """Reads all files."""
        self.cursor.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {self.scan.rows(trusted=trusted)}")
        found = self.cursor.execute("SELECT sum(n)::BIGINT, bool_or(bad) FROM staged").fetchone()
        rows, stops = found or (None, None)
        return RowsRead(int(rows or 0), bool(stops))

    def troubles(self) -> list[frozenset[RowTrouble]]:
        """By audience, what rows are to it. Reads all files once more."""
        flags = iter(self.cursor.execute(self.scan.diagnosis()).fetchone() or ())
        return [frozenset(trouble for trouble in RowTrouble if next(flags)) for _ in range(self.sets.things)]

    def gather(self) -> None:
        """Fills the tables of values."""
        for index in range(len(self.scan.identifiers)):
            if self._is_distinct():
                items, groups, kind = self.sets.listed("k"), "", "VIEW"
            else:
                items, groups, kind = self.sets.united("k"), "GROUP BY 1, 2", "TABLE"
            values = (
                f"SELECT c{index} AS class, v{index} AS value, {items} FROM staged "
                f"WHERE {sql.usable(f'c{index}')} AND v{index} IS NOT NULL AND {self.sets.any('k')} {groups}"
            )
            self.cursor.execute(f"CREATE OR REPLACE TEMP {kind} values_{index} AS {values}")

    def sample(self, size: int, *, excluded: bool) -> None:
        """Moves to `u0`… those who keep a row of a person who is not in their sample of so many people.

        A sample is of those whose digests are the lowest. Nobody's place depends on the others, so that few
        enter or leave it as people do. Those of `excluded` rows, which are in the table `outs`, don't count.
        """
        rows = self._with_lost() if excluded else self._without_lost()
        left = []
        for audience, one in enumerate(self.scan.choosers):
            column = self.scan.people.index(one.identifiers)
            kept = f"{self.sets.has('k', audience)} AND NOT {self.sets.has('o', audience)}"
            lowest = f"SELECT DISTINCT p{column} AS hash FROM {rows} WHERE {kept} ORDER BY hash LIMIT {size}"
            found = self.cursor.execute(f"SELECT max(hash) FROM ({lowest})").fetchone()
            last = literal(str(found[0])) if found and found[0] is not None else "''"
            left.append(f"{kept} AND p{column} > {last}")
        pairs = list(zip(self.sets.columns("k"), self.sets.columns("u"), strict=True))
        unsampled = ", ".join(
            f"{bits} AS {u}" for bits, (_, u) in zip(self.sets.where(left), pairs, strict=True)
        )
        replaced = ", ".join(f"({k} & ~{u}) AS {k}" for k, u in pairs)
        self.cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE staged AS SELECT * EXCLUDE ({self.sets.listed('o')}) "
            f"REPLACE ({replaced}) FROM (SELECT *, {unsampled} FROM {rows})"
        )

    def _with_lost(self) -> str:
        lost = ", ".join(f"coalesce(outs.{one}, {empty()}) AS {one}" for one in self.sets.columns("o"))
        return f"(SELECT staged.*, {lost} FROM staged LEFT JOIN outs ON staged.rowid = outs.row)"

    def _without_lost(self) -> str:
        lost = ", ".join(f"{empty()} AS {one}" for one in self.sets.columns("o"))
        return f"(SELECT *, {lost} FROM staged)"

    def _is_distinct(self) -> bool:
        """Of one column, what one audience keeps holds each value once as it is grouped."""
        grouped = self.sets.things == 1 and len(self.scan.identifiers) == 1 and not self.scan.people
        return grouped or self.scan.counts_apart

    def counts(self, index: int, prefix: str = "k") -> Counts:
        """How many rows of each class an audience keeps."""
        grouped = (
            f"(SELECT {self.sets.listed(prefix)}, c{index} AS class, sum(n) AS n FROM staged "
            f"WHERE n > 0 AND {self.sets.any(prefix)} GROUP BY ALL)"
        )
        return counted(self.cursor, self.sets, grouped, prefix)

    def finds(self, index: int, audience: int, found: Class, keys: Path) -> bool:
        """Return whether a value of this class that an audience keeps is in a file of keys."""
        known = f"SELECT key FROM {reader(keys)}"
        matched = f"(v{index} IN ({known}) OR sha256(v{index}) IN ({known}))"
        rows = f"staged WHERE {self.sets.has('k', audience)} AND c{index} = {int(found)}"
        return self.cursor.execute(f"SELECT 1 FROM {rows} AND {matched} LIMIT 1").fetchone() is not None


def usable_classes(counts: Counts) -> frozenset[int]:
    """The classes of the values that audiences keep, by the numbers of their rows."""
    return frozenset(one for by_class in counts.values() for one in by_class if one < Class.EMPTY)


def counted(cursor: duckdb.DuckDBPyConnection, sets: BitSets, relation: str, prefix: str) -> Counts:
    """Sums `n` of a relation by audience and `class`."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for query in sets.each(relation, prefix, "class, sum(n)::BIGINT"):
        for audience, one, n in cursor.execute(query).fetchall():
            found[int(audience)][int(one)] = int(n)
    return found


def members(
    sets: BitSets,
    values: str,
    hashing: Hashing,
    classes: Collection[int],
    audiences: Collection[int],
    prefix: str = "k",
) -> str:
    """A query: each member of a relation of values once, and which of these audiences have it, `k0`…

    `classes` are those that the relation may hold; one class is distinct as its values are.
    """
    usable = sorted(set(classes) & set(map(int, sql.USABLE[hashing])))
    masked = ", ".join(
        f"({column} & {mask}) AS {name}"
        for column, mask, name in zip(
            sets.columns(prefix), sets.masks(audiences), sets.columns("k"), strict=True
        )
    )
    written = sql.member("value", "class", hashing)
    chosen = (
        f"SELECT {written} AS member, {masked} FROM {values} AS found "
        f"WHERE class IN ({', '.join(map(str, usable)) or 'NULL'})"
    )
    if len(usable) < 2:
        return f"SELECT * FROM ({chosen}) WHERE {sets.any('k')}"
    return f"SELECT member, {sets.united('k')} FROM ({chosen}) WHERE {sets.any('k')} GROUP BY member"
