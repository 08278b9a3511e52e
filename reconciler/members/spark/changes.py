"""Large changes between snapshots in a cluster: compared in one shuffle, sorted in a second one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from reconciler.core.members import Delta
from reconciler.members.database import number, paths
from reconciler.members.member_changes import ADD, REMOVE, TOGETHER, URGENT, Refs, changed_here
from reconciler.members.snapshots import TEXT, Selection, Snapshots, reader
from reconciler.members.spark.comparing import SIDES, CompareMembers, SortMembers
from reconciler.members.spark.staging import ClusterStage
from reconciler.members.spark.tasks import MemberQuery, SendMembers

STEP = 4_000_000
"""Rows of snapshots that one task reads."""


@dataclass(frozen=True, slots=True)
class ClusterChanges:
    """Compares in the cluster of a stage what has more than `least` members; the rest is sooner done here."""

    stage: ClusterStage
    least: int = TOGETHER
    step: int = STEP

    def __call__(
        self, cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, change: Refs
    ) -> tuple[str, Delta]:
        """As `changed_here`."""
        if sum(one.count for one in change) <= self.least:
            return changed_here(cursor, snapshots, change)
        held = [(bit, one) for bit, one in zip(SIDES, change, strict=True) if one]
        parts = [(bit, part) for bit, one in held for part in snapshots.parts(cursor, one)]
        text = _is_text(cursor, parts[0][1])
        cluster, place = self.stage.opened(snapshots)
        shares = [(MemberQuery(one, text),) for one in self._shares(cursor, parts)]
        senders = [SendMembers(place, {}, one, 1) for one in shares]
        answers = cluster.sorted(senders, CompareMembers(place), SortMembers(place, text))
        sizes = Counter[int]()
        for answer in answers:
            sizes.update(dict(answer["sizes"]))
        rows = reader(*(Path(one["file"]) for one in answers)) if answers else _nobody(parts[0][1])
        return rows, Delta(*(sizes[phase] for phase in (URGENT, ADD, REMOVE)))

    def _shares(
        self, cursor: duckdb.DuckDBPyConnection, parts: Sequence[tuple[int, Selection]]
    ) -> Iterator[str]:
        """Yield queries of about `step` rows each."""
        queries: list[str] = []
        room = self.step
        for bit, part in parts:
            for file, start, end in _pieces(cursor, part.files, self.step):
                if queries and end - start > room:
                    yield " UNION ALL ".join(queries)
                    queries, room = [], self.step
                queries.append(
                    f"SELECT member, {bit}::UBIGINT AS k0 FROM {reader(file)} AS s "
                    f"WHERE {part.test.format(part.value)} AND file_row_number BETWEEN {start} AND {end - 1}"
                )
                room -= end - start
        yield " UNION ALL ".join(queries)


def _pieces(
    cursor: duckdb.DuckDBPyConnection, files: Sequence[Path], step: int
) -> Iterator[tuple[Path, int, int]]:
    """Yield ranges of rows of files."""
    for file in files:
        rows = number(cursor, f"SELECT sum(num_rows) FROM parquet_file_metadata({paths([file])})")
        for start in range(0, rows, step):
            yield file, start, min(start + step, rows)


def _is_text(cursor: duckdb.DuckDBPyConnection, part: Selection) -> bool:
    [column, *_] = cursor.execute(f"DESCRIBE SELECT member FROM {part.source} AS s").fetchall()
    return str(column[1]) == TEXT


def _nobody(part: Selection) -> str:
    return f"(SELECT {ADD}::UTINYINT AS phase, member FROM {part.source} AS s LIMIT 0)"
