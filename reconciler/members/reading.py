"""Reads the files of a group of audiences; what stops one of them is found, and stops no other."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import duckdb

from reconciler.core.errors import Finding
from reconciler.members.database import READ_ERRORS, is_ours
from reconciler.members.file_sets import FileSets
from reconciler.members.group_rows import GroupRows
from reconciler.members.line_breaks import line_break
from reconciler.members.prepare import PreparedAudience, odd, suited
from reconciler.members.refusals import CONVERSIONS, explained, is_of_condition, overdue
from reconciler.members.shared_audience import SharedAudience, shared_scan
from reconciler.members.shared_scan import RowTrouble, SharedScan
from reconciler.members.time_limit import READING, OverdueError, time_limit
from reconciler.members.where_clause import ALWAYS

Audiences = tuple[SharedAudience, ...]


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """The rows of `audiences`, what stands against others, and who must be read in smaller groups."""

    staged: GroupRows
    rows: int
    audiences: Audiences
    refused: Mapping[str, Finding]
    apart: Audiences = ()


@dataclass(slots=True)
class GroupReader:
    """Reads the rows of one group with a cursor."""

    cursor: duckdb.DuckDBPyConnection
    files: FileSets
    sampling: bool
    stage: Callable[[SharedScan], GroupRows]
    refused: dict[str, Finding] = field(default_factory=dict)

    def read(self, audiences: Audiences) -> ReadGroup:
        """A row that stops some audience is looked at by all, and those whom it stops are left out."""
        left, trusted, rows = audiences, False, 0
        staged = self._staged(left)
        while left:
            staged = self._staged(left)
            try:
                with _limit(self.cursor, left):
                    read = staged.read(trusted=trusted)
                    rows = read.number
                    if not read.stops:
                        break
                    unstopped = self._unstopped(staged, left)
            except OverdueError:
                if len(left) > 1:
                    return ReadGroup(staged, rows, (), self.refused, left)
                unstopped = self._refuse(left, overdue)
            except READ_ERRORS as error:
                if is_ours(error):
                    raise
                if len(left) > 1 and (is_of_condition(error) or not _has_same_columns(left)):
                    return ReadGroup(staged, rows, (), self.refused, left)
                known = trusted or not is_of_condition(error)
                unstopped = (
                    self._refuse(left, partial(explained, error))
                    if known
                    else self._failed(staged, left[0], error)
                )
            trusted = all(one in left for one in unstopped)
            left = unstopped
        return ReadGroup(staged, rows, left, self.refused)

    def _staged(self, audiences: Audiences) -> GroupRows:
        return self.stage(shared_scan(audiences, sampling=self.sampling))

    def _unstopped(self, staged: GroupRows, audiences: Audiences) -> Audiences:
        """Those whom no row stops, with new readings of columns where the first rows misled us."""
        return tuple(
            found
            for one, troubles in zip(audiences, staged.troubles(), strict=True)
            if (found := self._judged(one, troubles))
        )

    def _judged(self, one: SharedAudience, troubles: frozenset[RowTrouble]) -> SharedAudience | None:
        table, columns = one.prepared.table, [one.prepared.columns[kind] for kind in one.kinds]
        if RowTrouble.UNFIT in troubles:
            return self._read_again(one)
        if RowTrouble.BROKEN in troubles:
            self.refused[one.name] = line_break(table, columns)
        elif RowTrouble.ODD in troubles:
            self.refused[one.name] = odd(table.place, ", ".join(columns))
        else:
            return one
        return None

    def _read_again(self, one: SharedAudience) -> SharedAudience | None:
        """With columns that mean what all of their values mean, if `where` suits that."""
        table, condition = one.prepared.table, one.prepared.condition
        meanings = self.files.decide(self.cursor, table, list(one.prepared.readings))
        if problem := suited(self.cursor, table, condition, meanings):
            self.refused[one.name] = problem
            return None
        return replace(one, prepared=replace(one.prepared, readings=meanings))

    def _failed(self, staged: GroupRows, one: SharedAudience, error: Exception) -> Audiences:
        """A condition fails on a value: on one that is wrong itself, or because the first rows misled us."""
        readings = list(one.prepared.readings)
        guessed = readings and not self.files.is_decided(one.prepared.table, readings)
        try:
            [troubles] = staged.troubles()
            if guessed and isinstance(error, CONVERSIONS):
                troubles |= {RowTrouble.UNFIT}
            if troubles:
                found = self._judged(one, troubles)
                return (found,) if found else ()
        except READ_ERRORS as another:
            if is_ours(another):
                raise
            error = another
        return self._refuse((one,), partial(explained, error))

    def _refuse(self, audiences: Audiences, why: Callable[[PreparedAudience], Finding]) -> Audiences:
        self.refused |= {one.name: why(one.prepared) for one in audiences}
        return ()


def _limit(cursor: duckdb.DuckDBPyConnection, audiences: Audiences) -> AbstractContextManager[None]:
    """Only a `where` may take for ever."""
    bounded = any(one.prepared.condition is not ALWAYS for one in audiences)
    return time_limit(cursor, READING) if bounded else nullcontext()


def _has_same_columns(audiences: Audiences) -> bool:
    first, *others = (one.needs() for one in audiences)
    return all(first.has_same_columns(one) for one in others)
