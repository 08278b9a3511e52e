"""From what is held to what is wanted: one full join, in one deterministic order.

Phases are numbered in the order in which they are sent: suppressed people out, additions, the
others out. Within a phase members are sorted by their bytes, so a position means the same member
in every run and for every size of batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import duckdb

from reconciler.core.errors import StorageError
from reconciler.core.members import EMPTY, NO_DELTA, Batch, Delta, Identifiers, SnapshotRef, Target
from reconciler.core.receipt import Holding, Transfer, window
from reconciler.members import sql
from reconciler.members.snapshots import Snapshots, reader

URGENT, ADD, REMOVE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between four snapshots as a relation of `phase` and `member`; "" if none is there."""

    relation: str
    binary: bool


def change(
    cursor: duckdb.DuckDBPyConnection,
    snapshots: Snapshots,
    base: SnapshotRef,
    maybe: SnapshotRef,
    target: SnapshotRef,
    urgent: SnapshotRef,
) -> Change:
    """Held and wanted differ where one is missing, or where it is only maybe held."""
    there = {ref.digest: reader(snapshots.path(cursor, ref)) for ref in (base, maybe, target, urgent) if ref}
    if not there:
        return Change("", binary=False)
    any_file = next(iter(there.values()))

    def rows(ref: SnapshotRef) -> str:
        return there[ref.digest] if ref else f"(SELECT member FROM {any_file} AS shape LIMIT 0)"

    held = f"SELECT member, true AS sure FROM {rows(base)} AS b"
    if maybe:
        held += f" UNION ALL SELECT member, false FROM {rows(maybe)} AS m"
    moved = (
        "SELECT coalesce(t.member, h.member) AS member, t.member IS NOT NULL AS wanted "
        f"FROM ({held}) AS h FULL JOIN {rows(target)} AS t ON h.member = t.member "
        "WHERE t.member IS NULL OR h.sure IS DISTINCT FROM true"
    )
    first = f"member IN (SELECT member FROM {rows(urgent)} AS u)" if urgent else "false"
    phase = f"CASE WHEN wanted THEN {ADD} WHEN {first} THEN {URGENT} ELSE {REMOVE} END"
    described = cursor.execute(f"DESCRIBE SELECT member FROM {any_file} AS shape").fetchone()
    binary = described is not None and described[1] == "BLOB"
    return Change(f"(SELECT {phase} AS phase, member FROM ({moved}))", binary)


def counted(cursor: duckdb.DuckDBPyConnection, moved: Change) -> Delta:
    if not moved.relation:
        return NO_DELTA
    counts = dict(cursor.execute(f"SELECT phase, count(*) FROM {moved.relation} GROUP BY phase").fetchall())
    return Delta(*(int(counts.get(phase, 0)) for phase in (URGENT, ADD, REMOVE)))


def batches(
    cursor: duckdb.DuckDBPyConnection, moved: Change, transfer: Transfer, size: int
) -> Iterator[Batch]:
    """What is left of a transfer; the receipt's sizes say where phases end, the rows must agree."""
    if not moved.relation or window(transfer, size) is None:
        return
    cursor.execute(
        f"SELECT phase, {sql.written('member', moved.binary)} FROM "
        f"(SELECT * FROM {moved.relation} ORDER BY phase, member OFFSET {transfer.acked})"
    )
    while span := window(transfer, size):
        start, end = span
        rows = cursor.fetchmany(end - start)
        phase = _phase(transfer.size, start)
        if len(rows) != end - start or rows[0][0] != phase or rows[-1][0] != phase:
            raise StorageError(
                "the snapshots don't hold the change that the receipt describes",
                remedy="restore the state from a backup, or `reconciler state rebuild`",
            )
        yield Batch("add" if phase == ADD else "remove", start, end, Identifiers([row[1] for row in rows]))
        transfer = replace(transfer, acked=end)


def _phase(size: Delta, position: int) -> int:
    if position < size.urgent:
        return URGENT
    return ADD if position < size.urgent + size.adds else REMOVE


def collapsed(
    cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, holding: Holding
) -> tuple[SnapshotRef, SnapshotRef]:
    """base ± acknowledged, maybe ∪ in flight."""
    moving = holding.transfer
    end = moving.flight.end if moving and moving.flight else moving.acked if moving else 0
    if moving is None or end == 0:
        return holding.base, holding.maybe
    form = holding.key.form
    moved = change(cursor, snapshots, holding.base, holding.maybe, moving.target, moving.urgent)
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE sent AS "
        "SELECT phase, member, row_number() OVER (ORDER BY phase, member) AS position "
        f"FROM (SELECT * FROM {moved.relation} ORDER BY phase, member LIMIT {end})"
    )
    taken, flying = f"position <= {moving.acked}", f"position > {moving.acked}"
    added, removed = f"phase = {ADD} AND {taken}", f"phase <> {ADD}"
    base = _changed(cursor, snapshots, holding.base, removed, added)
    maybe = _changed(cursor, snapshots, holding.maybe, "true", flying)
    return snapshots.keep(cursor, base, form), snapshots.keep(cursor, maybe, form)


def _changed(
    cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, held: SnapshotRef, without: str, more: str
) -> str:
    """What was held, without some of those sent and with others of them."""
    entered = f"SELECT member FROM sent WHERE {more}"
    if not held:
        return entered
    file = reader(snapshots.path(cursor, held))
    left = f"(SELECT member FROM sent WHERE {without})"
    return f"SELECT member FROM {file} AS h ANTI JOIN {left} AS s USING (member) UNION ALL {entered}"


def suppressed(
    cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, holding: Holding, target: Target
) -> SnapshotRef:
    """Held or maybe held, on an exclusion list, and not wanted."""
    base, maybe = collapsed(cursor, snapshots, holding)
    if not target.suppressed or not (base or maybe):
        return EMPTY
    held = " UNION ALL ".join(
        f"SELECT member FROM {reader(snapshots.path(cursor, ref))} AS h" for ref in (base, maybe) if ref
    )
    listed = reader(snapshots.path(cursor, target.suppressed))
    query = f"SELECT member FROM ({held}) AS held SEMI JOIN {listed} AS s USING (member)"
    if target.members:
        wanted = reader(snapshots.path(cursor, target.members))
        query = f"SELECT member FROM ({query}) AS gone ANTI JOIN {wanted} AS t USING (member)"
    return snapshots.keep(cursor, query, holding.key.form)
