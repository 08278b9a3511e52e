"""Whom lists keep out of the audiences of a shared scan, each list looked up once.

In sets of audiences: `o0`… is who loses a row because of its lists, `e0`… who loses a value because
an excluded row has it. An identifier of an excluded row is excluded in all rows of the audience. `s0`… and
`t0`… are the same for suppression lists alone.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import duckdb

from reconciler.core.model import Hashing, ListKind
from reconciler.members import identifier_sql as sql
from reconciler.members.bit_sets import BitSets, number
from reconciler.members.identifier_sql import Class
from reconciler.members.lists import ListColumn
from reconciler.members.snapshots import reader
from reconciler.members.staged_rows import Counts, StagedRows, counted, members


@dataclass(frozen=True, slots=True)
class ListUse:
    """A column of a list, the number of the identifier column that it is matched with, and for whom."""

    index: int
    column: ListColumn
    kind: ListKind
    audiences: frozenset[int]


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Tables of a cursor, and gone with it. `find` comes first; `spread` and the rest if it found a row."""

    cursor: duckdb.DuckDBPyConnection
    staged: StagedRows
    uses: tuple[ListUse, ...]

    @property
    def sets(self) -> BitSets:
        return self.staged.sets

    @property
    def _suppressing(self) -> tuple[ListUse, ...]:
        return tuple(one for one in self.uses if one.kind is ListKind.SUPPRESSION)

    @property
    def columns(self) -> range:
        return range(len(self.staged.scan.identifiers))

    def find(self) -> bool:
        """Fills `outs`, the rows that some audience loses because a value of the row is on a list.

        Returns whether there is one.
        """
        matched = sorted({one.index for one in self.uses})
        for index in matched:
            self._hit(index, self._on(index))
        tables = "".join(
            f" LEFT JOIN hits_{index} AS h{index} ON h{index}.value = v{index} AND h{index}.class = c{index}"
            for index in matched
        )
        hits = [
            f"coalesce(h{index}.{column}, 0::UBIGINT) AS {_hit(index)}{word}"
            for index in matched
            for word, column in enumerate(BitSets(len(self._on(index))).columns("h"))
        ]
        looked_up = f"SELECT staged.rowid AS row, staged.*, {', '.join(hits)} FROM staged{tables}"
        out = ", ".join(
            f"({column} & {self._lost_through(uses, word)}) AS {prefix}{word}"
            for prefix, uses in (("o", self.uses), ("s", self._suppressing))
            for word, column in enumerate(self.sets.columns("k"))
        )
        outs = f"SELECT * FROM (SELECT *, {out} FROM ({looked_up})) WHERE {self.sets.any('o')}"
        found = self.cursor.execute(f"CREATE OR REPLACE TEMP TABLE outs AS {outs}").fetchone()
        return found is not None and found[0] > 0

    def spread(self, classes: Sequence[frozenset[int]]) -> None:
        """Fills `lost_0`…, the values that some audience loses. `classes` are those of each column."""
        for index in self.columns:
            self.cursor.execute(f"CREATE OR REPLACE TEMP TABLE out_{index} AS {self.out(index)}")
            self.lose(index, classes[index])

    def lose(self, index: int, classes: frozenset[int]) -> None:
        """Fills `lost_…` from `out_…`, the values of all rows that some audience loses."""
        self._key(index, classes)
        both = f"{_renamed(self.sets, 'o', 'e')}, {_renamed(self.sets, 's', 't')}"
        lost = f"SELECT class, value, {both} FROM out_{index}"
        if len(classes) > 1:
            lost = self._related(index)
        self.cursor.execute(f"CREATE OR REPLACE TEMP TABLE lost_{index} AS {lost}")

    def out(self, index: int) -> str:
        """A query of the values of a column in rows that some audience loses, and who loses them."""
        return (
            f"SELECT c{index} AS class, v{index} AS value, {self.sets.united('o')}, {self.sets.united('s')} "
            f"FROM outs WHERE {sql.usable(f'c{index}')} GROUP BY 1, 2"
        )

    def remaining(self, index: int) -> str:
        """A relation of the values of a column that are not lost."""
        left = ", ".join(
            f"(v.{kept} & ~coalesce(l.{lost}, 0::UBIGINT)) AS {kept}"
            for kept, lost in zip(self.sets.columns("k"), self.sets.columns("e"), strict=True)
        )
        return (
            f"(SELECT v.class, v.value, {left} FROM values_{index} AS v "
            f"LEFT JOIN lost_{index} AS l ON v.value = l.value AND v.class = l.class)"
        )

    def gone(self, index: int, hashing: Hashing, classes: frozenset[int], audiences: Collection[int]) -> str:
        """A query of the members that audiences lose, as `staged_rows.members`."""
        return members(self.sets, f"lost_{index}", hashing, classes, audiences, "e")

    def counts(self, index: int) -> Counts:
        """How many rows an audience loses, by the class of this column in them."""
        return self._counts(index, "o", "e")

    def suppressed(self, index: int) -> Counts:
        """How many of these rows it loses because of a suppression list."""
        return self._counts(index, "s", "t") if self._suppressing else {}

    def _counts(self, index: int, out: str, lost_as: str) -> Counts:
        shared = [f"(s.{kept} & l.{lost})" for kept, lost in self._pairs("k", lost_as)]
        named = ", ".join(f"{one} AS {lost_as}{word}" for word, one in enumerate(shared))
        spread = (
            f"SELECT {named}, s.c{index} AS class, s.n FROM staged AS s JOIN lost_{index} AS l "
            f"ON s.v{index} = l.value AND s.c{index} = l.class"
        )
        unusable = (
            f"SELECT {_renamed(self.sets, out, lost_as)}, c{index} AS class, n FROM outs "
            f"WHERE NOT {sql.usable(f'c{index}')}"
        )
        both = f"({spread} UNION ALL {unusable})"
        grouped = f"(SELECT {self.sets.listed(lost_as)}, class, sum(n) AS n FROM {both} GROUP BY ALL)"
        return counted(self.cursor, self.sets, grouped, lost_as)

    def found(self, use: ListUse) -> str:
        """A query of the members of a list that the rows of audiences have, as digests that name them."""
        masked = _masked(self.sets, "o", use.audiences)
        matched = (
            f"SELECT k.member, {masked} FROM {_probed(f'out_{use.index}', use, self.sets.listed('o'))} AS v "
            f"JOIN {reader(use.column.keys)} AS k ON v.probe = k.key"
        )
        return (
            f"SELECT member, {self.sets.united('k')} FROM ({matched}) "
            f"WHERE {self.sets.any('k')} GROUP BY member"
        )

    def excluded(self, use: ListUse, index: int, hashing: Hashing, audiences: Iterable[int]) -> str:
        """A query of the members, by an identifier column, of rows with a value on a list."""
        place = self._on(use.index).index(use)
        on_it = BitSets(len(self._on(use.index))).has(_hit(use.index), place)
        classes = ", ".join(str(int(one)) for one in sql.USABLE[hashing])
        member = sql.member(f"v{index}", f"c{index}", hashing)
        masked = _masked(self.sets, "o", use.audiences & frozenset(audiences))
        return (
            f"SELECT member, {self.sets.united('k')} FROM (SELECT {member} AS member, {masked} FROM outs "
            f"WHERE c{index} IN ({classes}) AND {on_it}) WHERE {self.sets.any('k')} GROUP BY member"
        )

    def _on(self, index: int) -> list[ListUse]:
        """The lists that an identifier column is matched with."""
        return [one for one in self.uses if one.index == index]

    def _hit(self, index: int, uses: Sequence[ListUse]) -> None:
        """Fills `hits_…`, the values that are on a list, and on which (`h0`…).

        A join reads the smaller of the two into memory; `IN` would read the keys of the list.
        """
        sets = BitSets(len(uses))
        found = [
            f"SELECT class, value, {bits} FROM {_probed(f'values_{index}', use)} AS v "
            f"SEMI JOIN {reader(use.column.keys)} AS k ON v.probe = k.key"
            for at, use in enumerate(uses)
            for bits in [", ".join(f"{mask} AS h{word}" for word, mask in enumerate(sets.masks([at])))]
        ]
        self.cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE hits_{index} AS SELECT class, value, {sets.united('h')} "
            f"FROM ({' UNION ALL '.join(found)}) GROUP BY 1, 2"
        )

    def _lost_through(self, uses: Sequence[ListUse], word: int) -> str:
        """Of a row, the audiences that have one of these lists on which it is."""
        lost = [number(0)]
        for use in uses:
            others = self._on(use.index)
            on_it = BitSets(len(others)).has(_hit(use.index), others.index(use))
            lost.append(f"CASE WHEN {on_it} THEN {self.sets.masks(use.audiences)[word]} ELSE {number(0)} END")
        return f"({' | '.join(lost)})"

    def _key(self, index: int, found: frozenset[int]) -> None:
        """Fills `keys_…`, all values by which the people of excluded rows may be recognised."""
        classes = found.union(*(one.column.classes for one in self._on(index)))
        hashed = classes - {int(Class.PLAIN)}
        named = f"{self.sets.listed('o')}, {self.sets.listed('s')}"
        keys = sql.keys(f"out_{index}", named) if hashed else f"SELECT value AS key, {named} FROM out_{index}"
        self.cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE keys_{index} AS "
            f"SELECT key, {self.sets.united('o')}, {self.sets.united('s')} FROM ({keys}) GROUP BY key"
        )

    def _related(self, index: int) -> str:
        """Values of a column that are excluded ones, or hashes of such, or that such are hashes of."""
        probes = _probes(f"values_{index}", self._out_classes(index), self.sets.listed("k"))
        shared = ", ".join(
            f"(p.{kept} & k.{lost}) AS {name}{word}"
            for name, out in (("e", "o"), ("t", "s"))
            for word, (kept, lost) in enumerate(self._pairs("k", out))
        )
        matched = (
            f"SELECT class, value, {shared} FROM ({probes}) AS p JOIN keys_{index} AS k ON p.probe = k.key"
        )
        return (
            f"SELECT class, value, {self.sets.united('e')}, {self.sets.united('t')} FROM ({matched}) "
            f"WHERE {self.sets.any('e')} GROUP BY 1, 2"
        )

    def _out_classes(self, index: int) -> frozenset[int]:
        rows = self.cursor.execute(f"SELECT DISTINCT class FROM out_{index}").fetchall()
        return frozenset(int(row[0]) for row in rows)

    def _pairs(self, one: str, other: str) -> Iterator[tuple[str, str]]:
        return zip(self.sets.columns(one), self.sets.columns(other), strict=True)


def _probed(values: str, use: ListUse, more: str = "") -> str:
    """A relation: what each value is looked up by among the keys of a list."""
    return f"({_probes(values, use.column.classes, more)})"


def _probes(values: str, classes: frozenset[int], more: str = "") -> str:
    """A query: what each value is looked up by among the keys of values of these classes."""
    items = f"class, value{', ' if more else ''}{more}"
    ways = sql.probes("value", "class", classes)
    return " UNION ALL ".join(
        f"SELECT {items}, {probe} AS probe FROM {values} WHERE {test}" for probe, test in ways
    )


def _renamed(sets: BitSets, prefix: str, named: str) -> str:
    return ", ".join(
        f"{one} AS {name}" for one, name in zip(sets.columns(prefix), sets.columns(named), strict=True)
    )


def _masked(sets: BitSets, prefix: str, audiences: Iterable[int]) -> str:
    """Of a set, those of these audiences, as `k0`…"""
    columns = zip(sets.columns(prefix), sets.masks(audiences), sets.columns("k"), strict=True)
    return ", ".join(f"({one} & {mask}) AS {name}" for one, mask, name in columns)


def _hit(index: int) -> str:
    """The prefix of the sets of lists in `outs`."""
    return f"h{index}_"
