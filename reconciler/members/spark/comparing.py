"""What executors do to compare snapshots: the phase of each member that moves, then files in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.members.member_changes import ADD, REMOVE, URGENT
from reconciler.members.spark.cluster import Answer
from reconciler.members.spark.tasks import ARRIVING, arriving, sent
from reconciler.members.spark.workplace import Workplace

if TYPE_CHECKING:
    import pyarrow

SIDES = BASE, MAYBE, TARGET, FIRST = 1, 2, 4, 8
"""Bits that state in which sets of a change a member is."""


@dataclass(frozen=True, slots=True)
class CompareMembers:
    """Sends on the members that move, with their phase in place of the number of a query."""

    place: Workplace

    def batches(self, batches: Iterator["pyarrow.RecordBatch"]) -> Iterator["pyarrow.RecordBatch"]:
        wanted, held = f"sides & {TARGET} <> 0", f"sides & {BASE | MAYBE}"
        phase = f"CASE WHEN {wanted} THEN {ADD} WHEN sides & {FIRST} <> 0 THEN {URGENT} ELSE {REMOVE} END"
        moves = f"CASE WHEN {wanted} THEN {held} <> {BASE} ELSE {held} <> 0 END"
        with self.place.cursor() as cursor:
            arriving(cursor, batches, 1)
            sides = f"SELECT member, bit_or(k0) AS sides FROM {ARRIVING} GROUP BY member"
            query = (
                f"SELECT ({phase})::INTEGER AS query, member, 0::UBIGINT AS k0 FROM ({sides}) WHERE {moves}"
            )
            yield from sent(cursor, query, 1)


@dataclass(frozen=True, slots=True)
class SortMembers:
    """Writes the members of a range in their order to a file. `text`: members are text, and no digest."""

    place: Workplace
    text: bool

    def run(self, batches: Iterator["pyarrow.RecordBatch"]) -> Answer:
        member = "decode(member)" if self.text else "member"
        with self.place.cursor() as cursor:
            arriving(cursor, batches, 1)
            rows = (
                f"SELECT query::UTINYINT AS phase, {member} AS member FROM {ARRIVING} ORDER BY query, member"
            )
            file, _ = self.place.written(cursor, "changes", rows)
        with self.place.cursor({"changes": (file,)}) as cursor:
            sizes = cursor.execute("SELECT phase::INTEGER, count(*) FROM changes GROUP BY phase").fetchall()
        return {"file": file, "sizes": sizes}
