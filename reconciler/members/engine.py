"""The default engine: everything that touches members goes through here."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Self

import duckdb

from reconciler.core.erasure import NO_ERASURES, ErasureList
from reconciler.core.members import (
    AudienceRequest,
    Batch,
    BuiltAudience,
    Delta,
    ErasedRows,
    Identifiers,
    Kind,
    MemberComparison,
    ReadList,
    SnapshotRef,
    SourceProgress,
    TargetMembers,
)
from reconciler.core.model import Audience, Exclusion, Hashing
from reconciler.core.reuse import SourceIdentities
from reconciler.core.state.resource import SegmentState, next_window
from reconciler.disk.scratch_dir import ScratchDir
from reconciler.members import delta, lookup
from reconciler.members.builder import AudienceBuilder
from reconciler.members.data_root import DataRoot
from reconciler.members.database import connect, storage_errors
from reconciler.members.delta_lake.tables import DeltaTables
from reconciler.members.erased import ErasedMembers
from reconciler.members.file_sets import FileSets
from reconciler.members.group_rows import RowsHere, Stage
from reconciler.members.iceberg.tables import IcebergTables
from reconciler.members.identities import identify
from reconciler.members.intake import Intake
from reconciler.members.listed import listed
from reconciler.members.lists import Lists
from reconciler.members.member_changes import Compare, MemberChanges, changed_here
from reconciler.members.queries.databases import NO_DATABASES, Databases
from reconciler.members.queries.tables import AskedQueries, run
from reconciler.members.row_sources import RowSources
from reconciler.members.snapshots import Snapshots
from reconciler.members.stopping import stoppable


class DuckDbEngine:
    """Implements `core.ports.MemberEngine`; each call has its own cursor, so threads may share it."""

    def __init__(
        self,
        root: DataRoot,
        work: Path,
        fetch: Callable[[SnapshotRef], str],
        key: bytes,
        sample_rows: int | None,
        memory_limit: str = "1GB",
        threads: int | None = None,
        check: Callable[[], None] = lambda: None,
        erasures: ErasureList = NO_ERASURES,
        databases: Databases = NO_DATABASES,
        stage: Stage = RowsHere,
        compare: Compare = changed_here,
    ) -> None:
        """`check` is called time and again while files are read, and raises when somebody asks to stop."""
        self._sample_rows = sample_rows
        self._check = check
        self._stage = stage
        work = work.resolve()
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        with storage_errors("starting DuckDB"):
            self._scratch = ScratchDir(work)
            self._database = connect(
                (root.folder, self._scratch.folder), self._scratch.folder, memory_limit, threads
            )
        lake = DeltaTables(root, self._scratch.folder / "logs", check)
        files = FileSets(
            Intake(root, self._scratch.folder / "unpacked", check), lake, IcebergTables(root, check)
        )
        queries = AskedQueries(databases, root.folder, self._scratch.folder / "queries", check, run)
        self._sources = RowSources(files, queries)
        self._snapshots = Snapshots(self._scratch.folder, fetch, key)
        self._changes = MemberChanges(self._snapshots, compare)
        self._erased = ErasedMembers(erasures)
        self._lists = Lists(self._snapshots, self._erased)
        self._missing: dict[tuple[SnapshotRef, frozenset[SnapshotRef]], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the database, and removes what only this process needed."""
        self._database.close()
        self._scratch.remove()

    def build(
        self,
        requests: Sequence[AudienceRequest],
        today: date,
        progress: Callable[[SourceProgress], None],
    ) -> Mapping[str, BuiltAudience]:
        return self._builder(self._sample_rows, progress).build(requests, today)

    def erased_rows(self, requests: Sequence[AudienceRequest], today: date) -> ErasedRows:
        return self._builder(None, lambda _: None).erased_rows(requests, today)

    def _builder(
        self, sample_rows: int | None, progress: Callable[[SourceProgress], None]
    ) -> AudienceBuilder:
        return AudienceBuilder(
            self._stoppable,
            self._sources.looked_up_again(),
            self._snapshots,
            self._lists,
            self._erased,
            sample_rows,
            self._stage,
            progress,
        )

    def identify(self, audiences: Sequence[Audience]) -> SourceIdentities:
        erased = self._erased.erasures.fingerprint
        return identify(self._sources.files.intake.root, audiences, self._sample_rows, erased)

    def listed(
        self, lists: Sequence[Exclusion], kinds: Sequence[Kind]
    ) -> Mapping[Kind, tuple[tuple[ReadList, SnapshotRef], ...]]:
        with storage_errors("reading lists"), self._stoppable() as cursor:
            return listed(cursor, self._sources.files.looked_up_again(), self._lists, lists, kinds)

    def without(self, hashing: Hashing, held: SnapshotRef, out: SnapshotRef) -> SnapshotRef:
        with storage_errors("comparing snapshots"), self._stoppable() as cursor:
            return delta.without(cursor, self._snapshots, hashing, held, out)

    def missing(self, before: SnapshotRef, now: Sequence[SnapshotRef]) -> int:
        asked = (before, frozenset(now))
        if asked not in self._missing:
            with storage_errors("comparing lists"), self._stoppable() as cursor:
                self._missing[asked] = delta.missing(cursor, self._snapshots, before, now)
        return self._missing[asked]

    def compare(self, comparisons: Sequence[MemberComparison]) -> None:
        with storage_errors("comparing snapshots"), self._stoppable() as cursor:
            self._changes.compare(cursor, comparisons)

    def suppressed(self, holding: SegmentState, target: TargetMembers) -> SnapshotRef:
        with storage_errors("looking for suppressed members"), self._stoppable() as cursor:
            return delta.suppressed(cursor, self._changes, holding, target)

    def delta(self, base: SnapshotRef, maybe: SnapshotRef, target: SnapshotRef, urgent: SnapshotRef) -> Delta:
        with storage_errors("comparing snapshots"), self._stoppable() as cursor:
            return self._changes.size(cursor, (base, maybe, target, urgent))

    def abandon_transfer(self, holding: SegmentState) -> tuple[SnapshotRef, SnapshotRef]:
        if holding.transfer is None:
            return holding.confirmed, holding.uncertain
        with storage_errors("giving up a target"), self._stoppable() as cursor:
            return delta.collapsed(cursor, self._changes, holding)

    def mark_uncertain(
        self, hashing: Hashing, sure: Sequence[SnapshotRef], named: Sequence[SnapshotRef]
    ) -> tuple[SnapshotRef, SnapshotRef]:
        with storage_errors("doubting snapshots"), self._stoppable() as cursor:
            return delta.doubted(cursor, self._snapshots, hashing, (sure, named))

    def batches(self, holding: SegmentState, size: int) -> Iterator[Batch]:
        moving = holding.transfer
        if moving is None or next_window(moving, size) is None:
            return
        with storage_errors("streaming members"), self._unbroken() as cursor:
            yield from delta.batches(cursor, self._changes, delta.refs(holding, moving), moving, size)

    def erased(self, snapshot: SnapshotRef, kind: Kind) -> SnapshotRef:
        with storage_errors("searching a snapshot"), self._stoppable() as cursor:
            return self._erased.members(cursor, self._snapshots, snapshot, kind)

    def file(self, snapshot: SnapshotRef) -> str:
        with storage_errors("finding a snapshot"), self._stoppable() as cursor:
            return str(self._snapshots.path(cursor, snapshot))

    def found(self, snapshot: SnapshotRef, hashing: Hashing, wanted: Identifiers) -> frozenset[int]:
        with storage_errors("searching a snapshot"), self._stoppable() as cursor:
            return lookup.found(cursor, self._snapshots, snapshot, hashing, wanted)

    def _stoppable(self) -> contextlib.AbstractContextManager[duckdb.DuckDBPyConnection]:
        return stoppable(self._database, self._check)

    def _unbroken(self) -> contextlib.AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Who sends members looks whether to stop, and writes down how far it came."""
        return contextlib.closing(self._database.cursor())
