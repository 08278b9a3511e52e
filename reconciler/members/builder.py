"""From the sources of all audiences of a run to the members of each of their targets.

Audiences with the same files are built from one reading: each row is read, each identifier classified
and normalised, each distinct one hashed once. What is left to do for an audience is to select.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from functools import partial

import duckdb

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.members import (
    AudienceRequest,
    BuiltAudience,
    ErasedRows,
    Identifiers,
    SourceProgress,
    SourceStep,
)
from reconciler.core.model import Audience, Hashing, IdentifierType, ListKind
from reconciler.core.source_groups import grouped, parted
from reconciler.members.comparable import incomparable
from reconciler.members.database import READ_ERRORS, is_ours, storage_errors
from reconciler.members.erased import ErasedMembers
from reconciler.members.exclusions import ListUse
from reconciler.members.expression_size import LIMIT
from reconciler.members.group_rows import MatchedRows, Stage
from reconciler.members.lists import ListColumn, Lists
from reconciler.members.prepare import Preparation, PreparationResult, PreparedAudience
from reconciler.members.reading import GroupReader, ReadGroup
from reconciler.members.refusals import explained, refusal
from reconciler.members.row_sources import RowSources
from reconciler.members.shared_audience import Listed, SharedAudience, read_lists, types_that_matter
from reconciler.members.shared_scan import SharedScan
from reconciler.members.snapshots import Snapshots
from reconciler.members.sources import moved
from reconciler.members.targets import StagedTargets

Built = dict[str, BuiltAudience]
Group = Mapping[str, SharedAudience]
"""Audiences with the same files, by name."""
Use = Callable[[duckdb.DuckDBPyConnection, ReadGroup, Group], Built]
"""What is done with the rows of a group: returns the targets of its audiences, or why there are none."""


@dataclass(frozen=True, slots=True)
class AudienceBuilder:
    """Builds the audiences of one run. Each group has a cursor of its own, with its temporary tables."""

    cursors: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
    sources: RowSources
    snapshots: Snapshots
    lists: Lists
    erased: ErasedMembers
    sample_rows: int | None
    stage: Stage
    progress: Callable[[SourceProgress], None]

    def build(self, requests: Sequence[AudienceRequest], today: date) -> Mapping[str, BuiltAudience]:
        """By audience, its targets or what stands against its sources. Raises StorageError for the disk."""
        return self._read(requests, today, self._built)

    def erased_rows(self, requests: Sequence[AudienceRequest], today: date) -> ErasedRows:
        """The identifiers of all rows with an erased identifier."""
        found: dict[IdentifierType, frozenset[str]] = defaultdict(frozenset)

        def collect(_: duckdb.DuckDBPyConnection, group: ReadGroup, __: Group) -> Built:
            if group.audiences:
                for kind, values in group.staged.beside(self.erased).items():
                    found[kind] |= values
            return {name: refusal(name, problem) for name, problem in group.refused.items()}

        unread = tuple(sorted(self._read(requests, today, collect)))
        return ErasedRows({kind: Identifiers(sorted(values)) for kind, values in found.items()}, unread)

    def _read(self, requests: Sequence[AudienceRequest], today: date, use: Use) -> Built:
        """Read the files of all audiences, and use the rows of each group of audiences."""
        built: Built = {}
        ready: dict[str, SharedAudience] = {}
        with self.cursors() as cursor:
            prepared = self._prepared(cursor, [one.audience for one in requests], today)
            for request in requests:
                name = request.audience.name
                try:
                    with _reading([name]):
                        ready[name] = self._shared(cursor, request, prepared[name])
                except ConfigurationError as error:
                    built[name] = error
        groups = grouped([one.needs() for one in ready.values()], LIMIT)
        for number, group in enumerate(groups, 1):
            built |= self._together([ready[one.audience] for one in group], number, len(groups), use)
        return built

    def _prepared(
        self, cursor: duckdb.DuckDBPyConnection, audiences: Sequence[Audience], today: date
    ) -> Mapping[str, PreparationResult]:
        names = [one.name for one in audiences]
        with _reading(names):
            preparation = Preparation(cursor, self.sources, audiences, today)
        for number, one in enumerate(audiences, 1):
            self.progress(SourceProgress(SourceStep.CHECK, (one.name,), number, len(audiences)))
            with _reading([one.name]):
                preparation.examine(one)
        with _reading(names):
            return preparation.results()

    def _shared(
        self, cursor: duckdb.DuckDBPyConnection, request: AudienceRequest, prepared: PreparationResult
    ) -> SharedAudience:
        if isinstance(prepared, ConfigurationError):
            raise prepared
        sampling, erased = self.sample_rows is not None, self.erased.types
        kinds = types_that_matter(request, prepared, sampling=sampling, erased=erased)
        try:
            lists = read_lists(cursor, self.lists, prepared)
        except READ_ERRORS as error:
            if is_ours(error):
                raise
            problem = _moved(prepared) or explained(error, prepared)
            raise refusal(request.audience.name, problem) from None
        return SharedAudience(request, prepared, lists, kinds, is_looked_up=bool(lists or erased))

    def _together(self, audiences: Sequence[SharedAudience], number: int, total: int, use: Use) -> Built:
        """Audiences that share files; in smaller groups if reading for all of them fails."""
        built: Built = {}
        waiting = [tuple(audiences)]
        while waiting:
            group = waiting.pop(0)
            names = tuple(one.name for one in group)
            self.progress(SourceProgress(SourceStep.READ, names, number, total))
            with self.cursors() as cursor, _reading(names):
                stage, sampling = partial(self.stage, cursor, self.snapshots), self.sample_rows is not None
                found = GroupReader(cursor, self.sources.files, sampling, stage).read(group)
                built |= use(cursor, found, {one.name: one for one in group})
                if found.audiences:
                    self.progress(SourceProgress(SourceStep.READ, names, number, total, found.rows))
            if found.apart:
                known = {one.name: one for one in found.apart}
                parts = parted(tuple(one.needs() for one in found.apart))
                waiting[:0] = [tuple(known[one.audience] for one in part) for part in parts]
        return built

    def _built(self, cursor: duckdb.DuckDBPyConnection, found: ReadGroup, group: Group) -> Built:
        """Once all rows were read: a file that moved meanwhile explains every other problem."""
        refused = {name: _moved(group[name].prepared) or problem for name, problem in found.refused.items()}
        fine: dict[int, SharedAudience] = {}
        for audience, one in enumerate(found.audiences):
            if problem := _moved(one.prepared):
                refused[one.name] = problem
            else:
                fine[audience] = one
        built: Built = {}
        if fine:
            uses = _uses(found.staged.scan, fine)
            matched = found.staged.matched(self.erased, uses, self.sample_rows)
            apart: set[tuple[int, ListColumn]] = set()
            for audience, one in list(fine.items()):
                for (listed, _, column), problem in _apart(matched, audience, one):
                    if listed.declared.kind is ListKind.SUPPRESSION:
                        apart.add((audience, column))
                    elif fine.pop(audience, None):
                        refused[one.name] = problem
            lost = matched.lose() if matched.lost else ()
            targets = StagedTargets(
                cursor, self.snapshots, self.lists, matched, found.rows, fine, lost, apart
            )
            built |= {fine[audience].name: one for audience, one in targets.all().items()}
        return built | {name: refusal(name, problem) for name, problem in refused.items()}


def _uses(scan: SharedScan, audiences: Mapping[int, SharedAudience]) -> tuple[ListUse, ...]:
    """Each column of a list once for each identifier column that it is matched with."""
    users: dict[tuple[int, ListColumn, ListKind], set[int]] = defaultdict(set)
    for audience, one in audiences.items():
        for listed, kind, column in one.lists:
            index = scan.identifiers.index(one.column(kind))
            users[index, column, listed.declared.kind].add(audience)
    return tuple(ListUse(*key, frozenset(those)) for key, those in users.items())


def _apart(matched: MatchedRows, audience: int, one: SharedAudience) -> Iterator[tuple[Listed, Finding]]:
    """The lists that can't be compared with the rows. SHA-256 of MD5 follows from MD5."""
    limit = one.request.audience.guards.max_invalid
    for kind in dict.fromkeys(kind for _, kind, _ in one.lists):
        if (kind, Hashing.SHA256_OF_MD5) in one.request.kinds:
            continue
        lists: list[Listed] = [each for each in one.lists if each[1] == kind]
        index = matched.scan.identifiers.index(one.column(kind))
        counts, finds = matched.kept[index].get(audience, {}), partial(matched.finds, index, audience)
        yield from incomparable(counts, finds, lists, limit)


def _moved(prepared: PreparedAudience) -> Finding | None:
    tables = (prepared.table, *(one.table for one in prepared.lists))
    return next(filter(None, map(moved, tables)), None)


def _reading(names: Sequence[str]) -> AbstractContextManager[None]:
    first, *others = names
    if not others:
        return storage_errors(f"{first}: reading its sources")
    return storage_errors(f"{first} and {len(others):,} more: reading their sources")
