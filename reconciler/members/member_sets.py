"""The sets of members of many audiences, out of one file in which each member states whose it is."""

from collections.abc import Mapping

import duckdb

from reconciler.core.members import SnapshotRef
from reconciler.core.model import Hashing
from reconciler.members.bit_sets import BitSets
from reconciler.members.snapshots import DIGEST, SUMS, TEXT, Selection, Snapshots


def member_sets(
    cursor: duckdb.DuckDBPyConnection,
    snapshots: Snapshots,
    sets: BitSets,
    members: str,
    hashing: Hashing,
) -> Mapping[int, SnapshotRef]:
    """The sets that are not empty, by audience.

    The query `members` gives each `member` once, with the set of its audiences, `k0` and so on.
    """
    if sets.things == 1:
        only = snapshots.keep(cursor, f"SELECT member FROM ({members})", hashing)
        return {0: only} if only else {}
    file, rows = snapshots.written(cursor, members)
    if not rows:
        return {}
    lanes = snapshots.lanes(file, TEXT if hashing == Hashing.NONE else DIGEST)
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE lanes AS SELECT {sets.listed('k')}, {SUMS} FROM ({lanes}) GROUP BY ALL"
    )
    found = {}
    for query in sets.each("lanes", "k", "sum(members)::BIGINT, sum(high), sum(low)"):
        for audience, count, high, low in cursor.execute(query).fetchall():
            column, bit = sets.column_and_bit("k", audience)
            selected = Selection((file,), f"({column} & {{}}) <> 0", bit)
            found[audience] = snapshots.select(hashing, (count, high, low), selected)
    cursor.execute("DROP TABLE lanes")
    return found
