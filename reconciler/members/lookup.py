"""Which of a few given members a snapshot holds. The snapshot is never listed."""

import duckdb

from reconciler.core.members import Identifiers, SnapshotRef
from reconciler.core.model import Hashing
from reconciler.members.snapshots import Snapshots


def found(
    cursor: duckdb.DuckDBPyConnection,
    snapshots: Snapshots,
    snapshot: SnapshotRef,
    hashing: Hashing,
    wanted: Identifiers,
) -> frozenset[int]:
    """Return the positions in `wanted` of members that the snapshot holds."""
    member = "value" if hashing == Hashing.NONE else "unhex(value)"
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE wanted AS "
        f"SELECT position, {member} AS member "
        "FROM (SELECT unnest(?::BIGINT[]) AS position, unnest(?::VARCHAR[]) AS value)",
        [list(range(len(wanted))), wanted.reveal()],
    )
    held = snapshots.relation(cursor, snapshot)
    rows = cursor.execute(f"SELECT position FROM wanted SEMI JOIN {held} AS held USING (member)").fetchall()
    return frozenset(int(row[0]) for row in rows)
