"""An engine that loads DuckDB when members are first touched: a plan of unchanged sources needs none."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

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
from reconciler.core.state.resource import SegmentState
from reconciler.members.data_root import DataRoot
from reconciler.members.identities import identify

if TYPE_CHECKING:
    from reconciler.members.engine import DuckDbEngine


class LazyEngine:
    """Implements `core.ports.MemberEngine` with the engine of `open_engine`; threads may share it."""

    def __init__(
        self,
        root: DataRoot,
        sample_rows: int | None,
        erased: str,
        open_engine: Callable[[], "DuckDbEngine"],
    ) -> None:
        """`erased` is the fingerprint of the erasure list of the engine."""
        self._root = root
        self._sample_rows = sample_rows
        self._erased = erased
        self._open_engine = open_engine
        self._opened: DuckDbEngine | None = None
        self._opening = threading.Lock()

    @property
    def _engine(self) -> "DuckDbEngine":
        with self._opening:
            if self._opened is None:
                self._opened = self._open_engine()
            return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def identify(self, audiences: Sequence[Audience]) -> SourceIdentities:
        return identify(self._root, audiences, self._sample_rows, self._erased)

    def build(
        self,
        requests: Sequence[AudienceRequest],
        today: date,
        progress: Callable[[SourceProgress], None],
    ) -> Mapping[str, BuiltAudience]:
        return self._engine.build(requests, today, progress)

    def missing(self, before: SnapshotRef, now: Sequence[SnapshotRef]) -> int:
        return self._engine.missing(before, now)

    def listed(
        self, lists: Sequence[Exclusion], kinds: Sequence[Kind]
    ) -> Mapping[Kind, tuple[tuple[ReadList, SnapshotRef], ...]]:
        return self._engine.listed(lists, kinds)

    def without(self, hashing: Hashing, held: SnapshotRef, out: SnapshotRef) -> SnapshotRef:
        return self._engine.without(hashing, held, out)

    def compare(self, comparisons: Sequence[MemberComparison]) -> None:
        if comparisons:
            self._engine.compare(comparisons)

    def suppressed(self, holding: SegmentState, target: TargetMembers) -> SnapshotRef:
        return self._engine.suppressed(holding, target)

    def delta(self, base: SnapshotRef, maybe: SnapshotRef, target: SnapshotRef, urgent: SnapshotRef) -> Delta:
        return self._engine.delta(base, maybe, target, urgent)

    def abandon_transfer(self, holding: SegmentState) -> tuple[SnapshotRef, SnapshotRef]:
        if holding.transfer is None:
            return holding.confirmed, holding.uncertain
        return self._engine.abandon_transfer(holding)

    def mark_uncertain(
        self, hashing: Hashing, sure: Sequence[SnapshotRef], named: Sequence[SnapshotRef]
    ) -> tuple[SnapshotRef, SnapshotRef]:
        return self._engine.mark_uncertain(hashing, sure, named)

    def batches(self, holding: SegmentState, size: int) -> Iterator[Batch]:
        return self._engine.batches(holding, size)

    def erased(self, snapshot: SnapshotRef, kind: Kind) -> SnapshotRef:
        return self._engine.erased(snapshot, kind)

    def erased_rows(self, requests: Sequence[AudienceRequest], today: date) -> ErasedRows:
        return self._engine.erased_rows(requests, today)

    def file(self, snapshot: SnapshotRef) -> str:
        return self._engine.file(snapshot)

    def found(self, snapshot: SnapshotRef, hashing: Hashing, wanted: Identifiers) -> frozenset[int]:
        return self._engine.found(snapshot, hashing, wanted)
