"""Where the rows of a group of audiences are read and matched with lists: here, or in a cluster.

The rest of the engine asks for numbers and for sets of members only, never for rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import duckdb

from reconciler.core.members import SnapshotRef
from reconciler.core.model import Hashing, IdentifierType
from reconciler.members.erased import ErasedMembers
from reconciler.members.exclusions import Exclusions, ListUse
from reconciler.members.identifier_sql import Class
from reconciler.members.lists import ListColumn
from reconciler.members.member_sets import member_sets
from reconciler.members.shared_scan import RowTrouble, SharedScan
from reconciler.members.snapshots import Snapshots
from reconciler.members.staged_rows import Counts, RowsRead, StagedRows, usable_classes


@dataclass(frozen=True, slots=True)
class LostRows:
    """Numbers of rows that audiences lose because of lists, and because of suppression lists alone."""

    rows: Counts
    suppressed: Counts


NONE_LOST = LostRows({}, {})


class MatchedRows(Protocol):
    """Rows that were compared with the erasure list and with lists.

    `erased` rows are dropped already. `kept` are the numbers of rows that audiences keep, for each identifier
    column, `unsampled` those outside of a sample. Nobody is `lost` where no row of an audience has a value on
    a list. `exclusions` are what to ask for in SQL.
    """

    @property
    def scan(self) -> SharedScan: ...

    @property
    def erased(self) -> Mapping[int, int]: ...

    @property
    def kept(self) -> Sequence[Counts]: ...

    @property
    def unsampled(self) -> Sequence[Counts]: ...

    @property
    def lost(self) -> bool: ...

    @property
    def exclusions(self) -> Exclusions: ...

    def finds(self, index: int, audience: int, found: Class, column: ListColumn) -> bool:
        """Return whether a value of this class that an audience keeps is on a list."""
        ...

    def lose(self) -> Sequence[LostRows]:
        """Take the values of lost rows from their audiences. Returns the numbers by identifier column."""
        ...

    def member_sets(self, queries: Sequence[tuple[str, Hashing]]) -> Sequence[Mapping[int, SnapshotRef]]:
        """Return for each query, as `member_sets` takes it, the sets that are not empty, by audience."""
        ...


class GroupRows(Protocol):
    """The rows of one group of audiences."""

    @property
    def scan(self) -> SharedScan: ...

    def read(self, *, trusted: bool) -> RowsRead:
        """Read all files."""
        ...

    def troubles(self) -> list[frozenset[RowTrouble]]:
        """By audience, what rows are to it. Reads all files once more."""
        ...

    def beside(self, erased: ErasedMembers) -> Mapping[IdentifierType, frozenset[str]]:
        """Return all identifiers of the rows with an erased identifier."""
        ...

    def matched(
        self, erased: ErasedMembers, uses: tuple[ListUse, ...], sample_rows: int | None, /
    ) -> MatchedRows:
        """Drop erased rows, then look for values on lists, then take the sample."""
        ...


Stage = Callable[[duckdb.DuckDBPyConnection, Snapshots, SharedScan], GroupRows]


@dataclass(frozen=True, slots=True)
class RowsHere:
    """Rows in temporary tables of a cursor of this process."""

    cursor: duckdb.DuckDBPyConnection
    snapshots: Snapshots
    scan: SharedScan

    @property
    def _staged(self) -> StagedRows:
        return StagedRows(self.cursor, self.scan)

    def read(self, *, trusted: bool) -> RowsRead:
        return self._staged.read(trusted=trusted)

    def troubles(self) -> list[frozenset[RowTrouble]]:
        return self._staged.troubles()

    def beside(self, erased: ErasedMembers) -> Mapping[IdentifierType, frozenset[str]]:
        return erased.beside(self.cursor, self._staged)

    def matched(
        self, erased: ErasedMembers, uses: tuple[ListUse, ...], sample_rows: int | None
    ) -> "MatchedHere":
        staged, columns = self._staged, range(len(self.scan.identifiers))
        dropped = erased.drop(self.cursor, staged)
        staged.gather()
        exclusions = Exclusions(self.cursor, staged, uses)
        lost = bool(uses) and exclusions.find()
        if sample_rows is not None:
            staged.sample(sample_rows, excluded=lost)
            staged.gather()
            lost = lost and exclusions.find()
        kept = tuple(map(staged.counts, columns))
        sampled = bool(self.scan.people)
        unsampled = tuple(staged.counts(index, "u") if sampled else {} for index in columns)
        return MatchedHere(staged, self.snapshots, dropped, kept, unsampled, lost, exclusions)


@dataclass(frozen=True, slots=True)
class MatchedHere:
    staged: StagedRows
    snapshots: Snapshots
    erased: Mapping[int, int]
    kept: Sequence[Counts]
    unsampled: Sequence[Counts]
    lost: bool
    exclusions: Exclusions

    @property
    def scan(self) -> SharedScan:
        return self.staged.scan

    def finds(self, index: int, audience: int, found: Class, column: ListColumn) -> bool:
        return self.staged.finds(index, audience, found, column.keys)

    def lose(self) -> Sequence[LostRows]:
        self.exclusions.spread([usable_classes(one) for one in self.kept])
        return [
            LostRows(self.exclusions.counts(index), self.exclusions.suppressed(index))
            for index in self.exclusions.columns
        ]

    def member_sets(self, queries: Sequence[tuple[str, Hashing]]) -> Sequence[Mapping[int, SnapshotRef]]:
        cursor, sets = self.staged.cursor, self.staged.sets
        return [member_sets(cursor, self.snapshots, sets, query, hashing) for query, hashing in queries]
