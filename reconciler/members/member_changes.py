"""The sorted changes between snapshots, each computed once by a full join. It sends nothing.

Phases are numbered in the order in which they are sent: suppressed members out, additions, the others out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from reconciler.core.members import EMPTY_SNAPSHOT, NO_DELTA, Delta, MemberComparison, SnapshotRef
from reconciler.core.model import Hashing
from reconciler.members.snapshots import Snapshots, reader

URGENT, ADD, REMOVE = 0, 1, 2
TOGETHER = 4_000_000
"""Members of both sides that one statement compares. A larger comparison has a statement of its own."""
MOST = 250
"""Comparisons in one statement."""
Refs = tuple[SnapshotRef, SnapshotRef, SnapshotRef, SnapshotRef]
"""base, maybe, target, urgent."""


def changed_here(cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, change: Refs) -> tuple[str, Delta]:
    """Return the rows of a change in their order, as SQL, and the size of each phase."""
    query = f"SELECT phase, member FROM {_moved(cursor, snapshots, change)} ORDER BY phase, member"
    file, _ = snapshots.written(cursor, query)
    counted = f"SELECT 0, phase, count(*) FROM {reader(file)} AS c GROUP BY phase"
    return reader(file), _sizes(cursor, counted).get(0, NO_DELTA)


Compare = Callable[[duckdb.DuckDBPyConnection, Snapshots, Refs], tuple[str, Delta]]
"""As `changed_here`."""


@dataclass(frozen=True, slots=True)
class MemberChanges:
    """The changes that one process computed: rows of `phase` and `member`, sorted by both, in files."""

    snapshots: Snapshots
    changed: Compare = changed_here
    _computed: dict[Refs, tuple[str, Delta]] = field(default_factory=dict)
    _clean: set[MemberComparison] = field(default_factory=set)

    def size(self, cursor: duckdb.DuckDBPyConnection, change: Refs) -> Delta:
        """Return the size of each phase; often known without reading anything."""
        base, maybe, target, _ = change
        if not maybe and base == target:
            return NO_DELTA
        if not base and not maybe:
            return Delta(0, target.count, 0)
        return self.rows(cursor, change)[1]

    def rows(self, cursor: duckdb.DuckDBPyConnection, change: Refs) -> tuple[str, Delta]:
        """Return the rows of a change in their order, as SQL, and the size of each phase."""
        if change not in self._computed:
            self._computed[change] = self.changed(cursor, self.snapshots, change)
        return self._computed[change]

    def removes_nobody_suppressed(self, comparison: MemberComparison) -> bool:
        """Return True if `compare` found that. False means that it did not look."""
        return comparison in self._clean

    def compare(self, cursor: duckdb.DuckDBPyConnection, comparisons: Iterable[MemberComparison]) -> None:
        """Compute the changes of many comparisons in a few statements.

        What is known without reading, or is large, is left to `size`. So is a change that removes
        suppressed members, because they are removed first.
        """
        wanted = [
            one for one in dict.fromkeys(comparisons) if one.held and one.target and one.held != one.target
        ]
        for group in _grouped(wanted):
            self._compare_group(cursor, group)

    def _compare_group(self, cursor: duckdb.DuckDBPyConnection, group: Sequence[MemberComparison]) -> None:
        self.snapshots.fetch_together(cursor, {one.held: one.hashing for one in group})
        held = self.snapshots.numbered(cursor, {at: one.held for at, one in enumerate(group)})
        target = self.snapshots.numbered(cursor, {at: one.target for at, one in enumerate(group)})
        file, _ = self.snapshots.written(
            cursor,
            "SELECT coalesce(t.number, h.number) AS number, "
            f"(CASE WHEN h.number IS NULL THEN {ADD} ELSE {REMOVE} END)::UTINYINT AS phase, "
            "coalesce(t.member, h.member) AS member "
            f"FROM ({held}) AS h FULL JOIN ({target}) AS t ON h.number = t.number AND h.member = t.member "
            "WHERE h.number IS NULL OR t.number IS NULL ORDER BY 1, 2, 3",
        )
        changed = reader(file)
        sizes = _sizes(cursor, f"SELECT number, phase, count(*) FROM {changed} AS c GROUP BY number, phase")
        losing = self._losing_suppressed(
            cursor,
            changed,
            {at: group[at].suppressed for at, size in sizes.items() if size.removes and group[at].suppressed},
        )
        for at, one in enumerate(group):
            if at not in losing:
                rows = f"(SELECT phase, member FROM {changed} AS c WHERE number = {at})"
                change = one.held, EMPTY_SNAPSHOT, one.target, EMPTY_SNAPSHOT
                self._computed.setdefault(change, (rows, sizes.get(at, NO_DELTA)))
                self._clean.add(one)

    def _losing_suppressed(
        self, cursor: duckdb.DuckDBPyConnection, changed: str, suppressed: Mapping[int, SnapshotRef]
    ) -> frozenset[int]:
        """Return the comparisons that remove a member of their list."""
        if not suppressed:
            return frozenset()
        listed = self.snapshots.numbered(cursor, suppressed)
        query = (
            f"SELECT DISTINCT number FROM {changed} AS c "
            f"SEMI JOIN ({listed}) AS s USING (number, member) WHERE phase = {REMOVE}"
        )
        return frozenset(row[0] for row in cursor.execute(query).fetchall())


def _grouped(comparisons: Iterable[MemberComparison]) -> Iterator[list[MemberComparison]]:
    """Yield groups of comparisons whose members have one type, each small enough for one statement."""
    by_type: dict[bool, list[list[MemberComparison]]] = {True: [[]], False: [[]]}
    members = {True: 0, False: 0}
    for one in comparisons:
        plain, size = one.hashing is Hashing.NONE, one.held.count + one.target.count
        if size > TOGETHER:
            continue
        groups = by_type[plain]
        if len(groups[-1]) == MOST or members[plain] + size > TOGETHER:
            groups.append([])
            members[plain] = 0
        groups[-1].append(one)
        members[plain] += size
    for groups in by_type.values():
        yield from (group for group in groups if len(group) > 1)


def _sizes(cursor: duckdb.DuckDBPyConnection, counted: str) -> dict[int, Delta]:
    """Return the sizes of changes by number, from a query for number, phase and count."""
    found: dict[int, dict[int, int]] = {}
    for at, phase, size in cursor.execute(counted).fetchall():
        found.setdefault(at, {})[phase] = int(size)
    return {
        at: Delta(*(sizes.get(phase, 0) for phase in (URGENT, ADD, REMOVE))) for at, sizes in found.items()
    }


def _moved(cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, change: Refs) -> str:
    """Held and wanted differ where one is missing, or where it is only maybe held."""
    base, maybe, target, urgent = change
    there = {ref.digest: snapshots.relation(cursor, ref) for ref in change if ref}
    shape = next(iter(there.values()))

    def rows(ref: SnapshotRef) -> str:
        return there[ref.digest] if ref else f"(SELECT member FROM {shape} AS shape LIMIT 0)"

    if not base and not maybe:
        return f"(SELECT {ADD}::UTINYINT AS phase, member FROM {rows(target)} AS t)"
    held = f"SELECT member, true AS sure FROM {rows(base)} AS b"
    if maybe:
        held += f" UNION ALL SELECT member, false FROM {rows(maybe)} AS m"
    moved = (
        "SELECT coalesce(t.member, h.member) AS member, t.member IS NOT NULL AS wanted "
        f"FROM ({held}) AS h FULL JOIN {rows(target)} AS t ON h.member = t.member "
        "WHERE t.member IS NULL OR h.sure IS DISTINCT FROM true"
    )
    first = f"member IN (SELECT member FROM {rows(urgent)} AS u)" if urgent else "false"
    phase = f"(CASE WHEN wanted THEN {ADD} WHEN {first} THEN {URGENT} ELSE {REMOVE} END)::UTINYINT"
    return f"(SELECT {phase} AS phase, member FROM ({moved}))"
