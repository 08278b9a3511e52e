"""The rows of a group of audiences in a cluster: each share of the files is read and matched by one task."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from reconciler.core.erasure import ErasureList
from reconciler.core.errors import ConfigurationError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Hashing, IdentifierType
from reconciler.members.bit_sets import SIZE, BitSets
from reconciler.members.erased import ErasedMembers
from reconciler.members.exclusions import Exclusions, ListUse
from reconciler.members.group_rows import LostRows
from reconciler.members.identifier_sql import Class
from reconciler.members.lists import ListColumn
from reconciler.members.parts import File
from reconciler.members.shared_scan import RowTrouble, SharedScan
from reconciler.members.snapshots import Selection, Snapshots
from reconciler.members.sources import Table
from reconciler.members.spark.cluster import Answer, Cluster
from reconciler.members.spark.tasks import (
    BesideShare,
    DiagnoseShare,
    Files,
    FindInShare,
    LoseShare,
    MatchShare,
    MemberQuery,
    ReadShare,
    SendMembers,
    UniteMembers,
)
from reconciler.members.spark.workplace import Secrets, Workplace
from reconciler.members.staged_rows import Counts, RowsRead, StagedRows, usable_classes

SHARE = 128 << 20
"""Bytes of files that one task reads. A larger file is read by one task."""


@dataclass(slots=True)
class ClusterStage:
    """Opens the rows of groups in a cluster, which is opened for the first of them.

    `share` is how many bytes of files one task reads.
    """

    open_cluster: Callable[[Workplace], Cluster]
    root: Path
    erasures: ErasureList
    share: int = SHARE
    _opened: Cluster | None = None

    def __call__(
        self, cursor: duckdb.DuckDBPyConnection, snapshots: Snapshots, scan: SharedScan
    ) -> "ClusterRows":
        cluster, place = self.opened(snapshots)
        shares = tuple(replace(scan, table=one) for one in shared_out(scan.table, self.share))
        return ClusterRows(cluster, place, cursor, snapshots, scan, shares)

    def opened(self, snapshots: Snapshots) -> tuple[Cluster, Workplace]:
        """Return the cluster, and the folders of this process with the secrets that tasks need."""
        place = Workplace(self.root, snapshots.scratch)
        place.share(Secrets(snapshots.key, self.erasures))
        self._opened = self._opened or self.open_cluster(place)
        return self._opened, place


def shared_out(table: Table, size: int) -> tuple[Table, ...]:
    """Return tables that have the files of a table among them, of about `size` bytes each."""
    return tuple(
        replace(table, parts=(part.of(files),)) for part in table.parts for files in _packed(part.files, size)
    )


def _packed(files: Sequence[File], size: int) -> Iterable[tuple[File, ...]]:
    packed: list[File] = []
    room = size
    for one in files:
        held = one.path.stat().st_size
        if packed and held > room:
            yield tuple(packed)
            packed, room = [], size
        packed.append(one)
        room -= held
    if packed:
        yield tuple(packed)


@dataclass(slots=True)
class ClusterRows:
    """`shares` are scans of some files each; `staged` their rows, once they were read."""

    cluster: Cluster
    place: Workplace
    cursor: duckdb.DuckDBPyConnection
    snapshots: Snapshots
    scan: SharedScan
    shares: tuple[SharedScan, ...]
    staged: tuple[str, ...] = ()

    def read(self, *, trusted: bool) -> RowsRead:
        answers = self.cluster.each([ReadShare(self.place, one, trusted) for one in self.shares])
        self.staged = tuple(one["staged"] for one in answers)
        return RowsRead(sum(one["rows"] for one in answers), any(one["stops"] for one in answers))

    def troubles(self) -> list[frozenset[RowTrouble]]:
        answers = self.cluster.each([DiagnoseShare(self.place, one) for one in self.shares])
        by_audience = zip(*(one["troubles"] for one in answers), strict=True)
        return [frozenset(RowTrouble(one) for some in found for one in some) for found in by_audience]

    def beside(self, erased: ErasedMembers) -> Mapping[IdentifierType, frozenset[str]]:
        tasks = [BesideShare(self.place, self.scan, one) for one in self.staged if erased.types]
        found: dict[IdentifierType, frozenset[str]] = defaultdict(frozenset)
        for answer in self.cluster.each(tasks):
            for kind, values in answer.items():
                found[IdentifierType(kind)] |= frozenset(values)
        return found

    def matched(
        self, _: ErasedMembers, uses: tuple[ListUse, ...], sample_rows: int | None
    ) -> "ClusterMatches":
        """Executors have the erasure list from a file. Manifests with a cluster and a sample are refused."""
        if sample_rows is not None:
            raise ConfigurationError("engine.spark: a cluster takes no sample", remedy="remove `sample`")
        answers = self.cluster.each([MatchShare(self.place, self.scan, one, uses) for one in self.staged])
        columns = range(len(self.scan.identifiers))
        dropped: dict[int, int] = defaultdict(int)
        for answer in answers:
            for audience, n in answer["erased"]:
                dropped[audience] += n
        return ClusterMatches(
            rows=self,
            erased=dropped,
            kept=tuple(_summed(one["kept"][index] for one in answers) for index in columns),
            lost=any(one["lost"] for one in answers),
            exclusions=Exclusions(self.cursor, StagedRows(self.cursor, self.scan), uses),
            files=[{name: (file,) for name, file in one["files"].items()} for one in answers],
        )


@dataclass(slots=True)
class ClusterMatches:
    """`files` are those of each share."""

    rows: ClusterRows
    erased: Mapping[int, int]
    kept: Sequence[Counts]
    lost: bool
    exclusions: Exclusions
    files: list[Files]

    @property
    def scan(self) -> SharedScan:
        return self.rows.scan

    @property
    def unsampled(self) -> Sequence[Counts]:
        return [{} for _ in self.scan.identifiers]

    def finds(self, index: int, audience: int, found: Class, column: ListColumn) -> bool:
        wanted = (index, audience, found)
        tasks = [FindInShare(self.rows.place, self.scan, one, wanted, column) for one in self.files]
        return any(one["found"] for one in self.rows.cluster.each(tasks))

    def lose(self) -> Sequence[LostRows]:
        columns = self.exclusions.columns
        outs = {index: tuple(one[f"out_{index}"][0] for one in self.files) for index in columns}
        classes = tuple(usable_classes(one) for one in self.kept)
        answers = self.rows.cluster.each(
            [
                LoseShare(self.rows.place, self.scan, one, self.exclusions.uses, outs, classes)
                for one in self.files
            ]
        )
        self.files = [
            {**files, **{name: (file,) for name, file in one["files"].items()}}
            for files, one in zip(self.files, answers, strict=True)
        ]
        return [
            LostRows(
                _summed(one["rows"][index] for one in answers),
                _summed(one["suppressed"][index] for one in answers),
            )
            for index in columns
        ]

    def member_sets(self, queries: Sequence[tuple[str, Hashing]]) -> Sequence[Mapping[int, SnapshotRef]]:
        if not queries:
            return []
        sets, place, texts = self.exclusions.sets, self.rows.place, tuple(map(_asked, queries))
        words = len(sets.columns("k"))
        senders = [SendMembers(place, one, texts, words) for one in self.files]
        receiver = UniteMembers(place, words, tuple(one.text for one in texts))
        answers = self.rows.cluster.exchanged(senders, words, receiver)
        return [
            united_sets(self.rows.snapshots, sets, hashing, (one["sets"][at] for one in answers))
            for at, (_, hashing) in enumerate(queries)
        ]


def _asked(query: tuple[str, Hashing]) -> MemberQuery:
    return MemberQuery(query[0], query[1] == Hashing.NONE)


def united_sets(
    snapshots: Snapshots, sets: BitSets, hashing: Hashing, answers: Iterable[Answer]
) -> Mapping[int, SnapshotRef]:
    """Return the sets that are not empty as selections from the files of all receivers."""
    words, files = len(sets.columns("k")), []
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for answer in answers:
        files += [Path(answer["file"])] if answer["sums"] else []
        for row in answer["sums"]:
            for thing in range(sets.things):
                word, place = divmod(thing, SIZE)
                if row[word] >> place & 1:
                    sums[thing] = [a + b for a, b in zip(sums[thing], row[words:], strict=True)]
    found = {}
    for thing, (count, high, low) in sums.items():
        column, bit = sets.column_and_bit("k", thing)
        selected = Selection(tuple(files), f"({column} & {{}}) <> 0", bit)
        found[thing] = snapshots.select(hashing, (count, high, low), selected)
    return found


def _summed(listed: Iterable[Sequence[Sequence[int]]]) -> Counts:
    total: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for rows in listed:
        for audience, found, n in rows:
            total[audience][found] += n
    return total
