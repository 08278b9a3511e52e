"""From what is held to what is wanted, in one deterministic order.

Within a phase members are sorted by their bytes, so a position means the same member in every run and for
every size of batch. A change is computed once and kept as a sorted file, so that hours of sending hold no
memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import duckdb

from reconciler.core.errors import StorageError
from reconciler.core.members import (
    EMPTY_SNAPSHOT,
    Batch,
    Delta,
    Identifiers,
    MemberComparison,
    Operation,
    SnapshotRef,
    TargetMembers,
)
from reconciler.core.model import Hashing
from reconciler.core.state.resource import SegmentState, Transfer, next_window
from reconciler.members.database import number
from reconciler.members.member_changes import ADD, MemberChanges, Refs
from reconciler.members.snapshots import Snapshots


def refs(holding: SegmentState, transfer: Transfer) -> Refs:
    return holding.confirmed, holding.uncertain, transfer.target, transfer.priority_removes


def batches(
    cursor: duckdb.DuckDBPyConnection, changes: MemberChanges, change: Refs, transfer: Transfer, size: int
) -> Iterator[Batch]:
    """Yield the batches left of a transfer; the rows must match the sizes in the resource state."""
    rows, sizes = changes.rows(cursor, change)
    if sizes != transfer.size:
        raise _contradiction()
    cursor.execute(f"SELECT member FROM {rows} AS c OFFSET {transfer.acknowledged}")
    while span := next_window(transfer, size):
        start, end = span
        members = [row[0] for row in cursor.fetchmany(end - start)]
        if len(members) != end - start or members != sorted(members):
            raise _contradiction()
        if isinstance(members[0], bytes):
            members = [member.hex() for member in members]
        yield Batch(_operation(transfer.size, start), start, end, Identifiers(members))
        transfer = replace(transfer, acknowledged=end)


def _operation(size: Delta, position: int) -> Operation:
    return "add" if size.priority_removes <= position < size.priority_removes + size.adds else "remove"


def _contradiction() -> StorageError:
    return StorageError(
        "the snapshots do not contain the change that the resource state describes",
        remedy="restore the state from a backup (docs/how-to/recover-state.md)",
    )


def collapsed(
    cursor: duckdb.DuckDBPyConnection, changes: MemberChanges, holding: SegmentState
) -> tuple[SnapshotRef, SnapshotRef]:
    """base ± acknowledged, maybe ∪ in flight."""
    moving = holding.transfer
    end = moving.in_flight.end if moving and moving.in_flight else moving.acknowledged if moving else 0
    if moving is None or end == 0:
        return holding.confirmed, holding.uncertain
    hashing, snapshots = holding.key.hashing, changes.snapshots
    rows, _ = changes.rows(cursor, refs(holding, moving))
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE sent AS "
        "SELECT phase, member, row_number() OVER (ORDER BY phase, member) AS position "
        f"FROM (SELECT * FROM {rows} AS c ORDER BY phase, member LIMIT {end})"
    )
    taken, flying = f"position <= {moving.acknowledged}", f"position > {moving.acknowledged}"
    added, removed = f"phase = {ADD} AND {taken}", f"phase <> {ADD}"
    base = _changed(cursor, snapshots, holding.confirmed, removed, added)
    maybe = _changed(cursor, snapshots, holding.uncertain, "true", flying)
    return snapshots.keep(cursor, base, hashing), snapshots.keep(cursor, maybe, hashing)


def _changed(
    cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, held: SnapshotRef, without: str, more: str
) -> str:
    """What was held, without some of those sent and with others of them."""
    entered = f"SELECT member FROM sent WHERE {more}"
    if not held:
        return entered
    file = snapshots.relation(cursor, held)
    left = f"(SELECT member FROM sent WHERE {without})"
    return f"SELECT member FROM {file} AS h ANTI JOIN {left} AS s USING (member) UNION ALL {entered}"


def doubted(
    cursor: duckdb.DuckDBPyConnection,
    snapshots: Snapshots,
    hashing: Hashing,
    known: tuple[Sequence[SnapshotRef], Sequence[SnapshotRef]],
) -> tuple[SnapshotRef, SnapshotRef]:
    """Return the members in every set of the first, and the other members of either."""
    sure, named = (tuple(dict.fromkeys(refs)) for refs in known)
    base = sure[0] if len(sure) == 1 else EMPTY_SNAPSHOT
    if len(sure) > 1 and all(sure):
        first, *others = (snapshots.relation(cursor, ref) for ref in sure)
        also = " ".join(f"SEMI JOIN {file} AS s{at} USING (member)" for at, file in enumerate(others))
        base = snapshots.keep(cursor, f"SELECT member FROM {first} AS f {also}", hashing)
    rest = [ref for ref in dict.fromkeys((*sure, *named)) if ref and ref != base]
    if not rest:
        return base, EMPTY_SNAPSHOT
    every = " UNION ".join(f"SELECT member FROM {snapshots.relation(cursor, ref)} AS r" for ref in rest)
    if base:
        held = snapshots.relation(cursor, base)
        every = f"SELECT member FROM ({every}) AS e ANTI JOIN {held} AS b USING (member)"
    return base, snapshots.keep(cursor, every, hashing)


def suppressed(
    cursor: duckdb.DuckDBPyConnection, changes: MemberChanges, holding: SegmentState, target: TargetMembers
) -> SnapshotRef:
    """Held or maybe held, on an exclusion list, and not wanted."""
    hashing, snapshots = holding.key.hashing, changes.snapshots
    base, maybe = collapsed(cursor, changes, holding)
    if not target.suppressed or not (base or maybe):
        return EMPTY_SNAPSHOT
    comparison = MemberComparison(hashing, base, target.members, target.suppressed)
    if not maybe and changes.removes_nobody_suppressed(comparison):
        return EMPTY_SNAPSHOT
    held = " UNION ALL ".join(
        f"SELECT member FROM {snapshots.relation(cursor, ref)} AS h" for ref in (base, maybe) if ref
    )
    listed = snapshots.relation(cursor, target.suppressed)
    query = f"SELECT member FROM ({held}) AS held SEMI JOIN {listed} AS s USING (member)"
    if target.members:
        wanted = snapshots.relation(cursor, target.members)
        query = f"SELECT member FROM ({query}) AS gone ANTI JOIN {wanted} AS t USING (member)"
    return snapshots.keep(cursor, query, hashing)


def missing(
    cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, before: SnapshotRef, now: Sequence[SnapshotRef]
) -> int:
    """How many members of the first are in none of the others."""
    if not before:
        return 0
    others = [snapshots.relation(cursor, ref) for ref in now if ref]
    if not others:
        return before.count
    named = " UNION ALL ".join(f"SELECT member FROM {file} AS n" for file in others)
    return number(
        cursor,
        f"SELECT count(*) FROM {snapshots.relation(cursor, before)} AS b "
        f"ANTI JOIN ({named}) AS named USING (member)",
    )


def without(
    cursor: duckdb.DuckDBPyConnection,
    snapshots: Snapshots,
    hashing: Hashing,
    held: SnapshotRef,
    out: SnapshotRef,
) -> SnapshotRef:
    """Who is in the first and not in the second."""
    if not held or not out:
        return held
    left, gone = snapshots.relation(cursor, held), snapshots.relation(cursor, out)
    return snapshots.keep(
        cursor, f"SELECT member FROM {left} AS h ANTI JOIN {gone} AS o USING (member)", hashing
    )
