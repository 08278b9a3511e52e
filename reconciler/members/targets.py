"""From staged rows to the targets of each audience: members, what was dropped and why, what lists found."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from reconciler.core.members import (
    EMPTY_SNAPSHOT,
    DropReason,
    Kind,
    ListMatches,
    ReadList,
    SnapshotRef,
    TargetMembers,
)
from reconciler.core.model import Hashing, IdentifierType, ListKind
from reconciler.members import identifier_sql as sql
from reconciler.members.group_rows import NONE_LOST, LostRows, MatchedRows
from reconciler.members.identifier_sql import Class
from reconciler.members.lists import ListColumn, Lists, read_list
from reconciler.members.shared_audience import SharedAudience
from reconciler.members.snapshots import Snapshots
from reconciler.members.staged_rows import Counts, members, usable_classes

Column = tuple[int, Hashing]
"""The number of an identifier column of the scan, and a hashing of its values."""
Refs = Mapping[int, SnapshotRef]
"""Sets of members by audience; empty ones are left out."""
NOBODY: Refs = {}
NOTHING: Mapping[int, int] = {}


@dataclass(frozen=True, slots=True)
class StagedTargets:
    """`audiences` are those of the scan by their numbers, but for those that are refused; `rows` is how many
    rows all files have.

    `lost` has the numbers of rows that audiences lose, for each identifier column; it is empty where no row
    of an audience has a value on a list. `incomparable` are the columns of suppression lists that can't be
    compared with the rows of an audience.
    """

    cursor: duckdb.DuckDBPyConnection
    snapshots: Snapshots
    lists: Lists
    matched: MatchedRows
    rows: int
    audiences: Mapping[int, SharedAudience]
    lost: Sequence[LostRows]
    incomparable: Collection[tuple[int, ListColumn]]
    _sets_of: dict[tuple[str, Hashing], Refs] = field(default_factory=dict)

    def all(self) -> dict[int, dict[Kind, TargetMembers]]:
        """By audience. A first pass collects the queries of sets, so that they are computed together."""
        self._targets()
        found = self.matched.member_sets(list(self._sets_of))
        self._sets_of.update(zip(list(self._sets_of), found, strict=True))
        return self._targets()

    def _targets(self) -> dict[int, dict[Kind, TargetMembers]]:
        counts = {index: self._counts(index) for index in range(len(self.matched.scan.identifiers))}
        built: dict[int, dict[Kind, TargetMembers]] = defaultdict(dict)
        for column, wanting in self._wanted().items():
            wanted, suppressed = self._members(column, wanting), self._suppressed(column, wanting)
            for audience in wanting:
                one = self.audiences[audience]
                kind = self.matched.scan.identifiers[column[0]].identifier_type, column[1]
                built[audience][kind] = counts[column[0]].target(
                    audience,
                    self.rows,
                    self.matched.erased.get(audience, 0),
                    column[1],
                    wanted.get(audience, EMPTY_SNAPSHOT),
                    suppressed.get(audience, EMPTY_SNAPSHOT),
                    tuple(self._lists(audience, column, wanting, counts)),
                    one,
                )
        return built

    def _index(self, one: SharedAudience, kind: IdentifierType) -> int:
        return self.matched.scan.identifiers.index(one.column(kind))

    def _wanted(self) -> dict[Column, list[int]]:
        """Which audiences want which columns."""
        wanted: dict[Column, list[int]] = defaultdict(list)
        for audience, one in self.audiences.items():
            for kind, hashing in one.request.kinds:
                wanted[self._index(one, kind), hashing].append(audience)
        return wanted

    def _counts(self, index: int) -> "ColumnCounts":
        lost = self.lost[index] if self.lost else NONE_LOST
        return ColumnCounts(
            self.matched.kept[index], lost.rows, lost.suppressed, self.matched.unsampled[index]
        )

    def _sets(self, query: str, hashing: Hashing) -> Refs:
        return self._sets_of.setdefault((query, hashing), NOBODY)

    def _members(self, column: Column, wanting: list[int]) -> Refs:
        index, hashing = column
        values = self.matched.exclusions.remaining(index) if self.lost else f"values_{index}"
        found = usable_classes(self.matched.kept[index])
        return self._sets(members(self.matched.exclusions.sets, values, hashing, found, wanting), hashing)

    def _suppressed(self, column: Column, wanting: list[int]) -> Refs:
        """The people on the lists of an audience, and those whom it loses with a row."""
        if not self.matched.exclusions.uses:
            return {}
        index, hashing = column
        by_lists: dict[tuple[ListColumn, ...], list[int]] = defaultdict(list)
        kind = self.matched.scan.identifiers[index].identifier_type
        for audience in wanting:
            listed = tuple(found for _, one, found in self.audiences[audience].lists if one == kind)
            by_lists[listed].append(audience)
        suppressed: dict[int, SnapshotRef] = {}
        for columns, audiences in by_lists.items():
            listed_members = self.lists.members(self.cursor, columns, hashing) if columns else EMPTY_SNAPSHOT
            others = self._gone(column, audiences, listed_members) if self.lost else {}
            suppressed |= {
                audience: self.snapshots.united(
                    self.cursor, hashing, listed_members, others.get(audience, EMPTY_SNAPSHOT)
                )
                for audience in audiences
            }
        return suppressed

    def _gone(self, column: Column, audiences: list[int], listed_members: SnapshotRef) -> Refs:
        """The people whom audiences lose with a row, but for those on a list."""
        gone = self.matched.exclusions.gone(*column, usable_classes(self.matched.kept[column[0]]), audiences)
        if listed_members:
            known = self.snapshots.relation(self.cursor, listed_members)
            gone = f"SELECT g.* FROM ({gone}) AS g ANTI JOIN {known} AS l USING (member)"
        return self._sets(gone, column[1])

    def _lists(
        self, audience: int, column: Column, wanting: list[int], counts: Mapping[int, "ColumnCounts"]
    ) -> Iterator[ReadList]:
        """Each list with what it found, and the members of a segment that it keeps out."""
        exclusions = self.matched.exclusions
        for listed, kind, found in self.audiences[audience].lists:
            index = self._index(self.audiences[audience], kind)
            wanted = (index, found, listed.declared.kind)
            use = next(one for one in exclusions.uses if (one.index, one.column, one.kind) == wanted)
            on_it = self._sets(exclusions.found(use), Hashing.SHA256) if self.lost else NOBODY
            query = exclusions.excluded(use, *column, wanting)
            out = self._sets(query, column[1]) if self.lost else NOBODY
            looked = counts[index].looked(audience)
            matches = ListMatches(
                identifier_type=self.matched.scan.identifiers[column[0]].identifier_type,
                hashing=column[1],
                found=on_it.get(audience, EMPTY_SNAPSHOT),
                excluded=out.get(audience, EMPTY_SNAPSHOT),
                rows=sum(looked.values()),
                empty=looked[Class.EMPTY],
                malformed=sum(n for one, n in looked.items() if one >= Class.FLAWED),
                incomparable=use.kind is ListKind.SUPPRESSION and (audience, found) in self.incomparable,
            )
            yield read_list(listed, kind, found, matches)


@dataclass(frozen=True, slots=True)
class ColumnCounts:
    """Numbers of rows that `where` keeps, by audience and by the class of one column.

    `kept` has all but those outside a sample, `lost` those of them that a list excludes, and `suppressed`
    those that a suppression list excludes.
    """

    kept: Counts
    lost: Counts
    suppressed: Counts
    unsampled: Counts

    def looked(self, audience: int) -> Counter[int]:
        return Counter(self.kept.get(audience, NOTHING)) + Counter(self.unsampled.get(audience, NOTHING))

    def target(
        self,
        audience: int,
        rows: int,
        erased: int,
        hashing: Hashing,
        members: SnapshotRef,
        suppressed: SnapshotRef,
        lists: tuple[ReadList, ...],
        one: SharedAudience,
    ) -> TargetMembers:
        lost, unsampled = self.lost.get(audience, NOTHING), self.unsampled.get(audience, NOTHING)
        drops, malformed, hashed, usable = Counter[DropReason](), Counter[str](), 0, 0
        for found, n in (Counter(self.kept.get(audience, NOTHING)) - Counter(lost)).items():
            reason = sql.drop(found, hashing)
            if reason is None:
                usable += n
                hashed += n if found in (Class.MD5, Class.SHA256) else 0
                continue
            drops[reason] += n
            if reason is DropReason.MALFORMED:
                malformed[sql.FLAWS[found - Class.FLAWED]] += n
        drops[DropReason.FILTERED] = rows - erased - self.looked(audience).total()
        drops[DropReason.ERASED] = erased
        drops[DropReason.SUPPRESSED] = sum(self.suppressed.get(audience, NOTHING).values())
        drops[DropReason.EXCLUDED] = sum(lost.values()) - drops[DropReason.SUPPRESSED]
        drops[DropReason.NOT_SAMPLED] = sum(unsampled.values())
        drops[DropReason.DUPLICATE] = usable - members.count
        return TargetMembers(
            members=members,
            suppressed=suppressed,
            rows=rows,
            drops=tuple((reason, drops[reason]) for reason in DropReason if drops[reason]),
            malformed=tuple(sorted(malformed.items(), key=lambda item: (-item[1], item[0]))),
            hashed=hashed,
            newest=one.prepared.table.newest,
            files=one.prepared.table.counts,
            lists=lists,
        )
