"""From the rows of an audience to the members of each of its targets, in one scan.

Each row gets a fate (kept, filtered, excluded, outside the sample) and each of its identifiers a
class and a canonical value (`sql.classified`). What is left to do, for every type, is to group
equal values: members are the distinct ones that are kept, and the group sizes explain the rest.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

import duckdb

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.members import DropReason, Kind, ReadList, SnapshotRef, TargetMembers
from reconciler.core.model import Audience, Hashing, IdentifierType
from reconciler.members import column_types as readings
from reconciler.members import identifier_sql as sql
from reconciler.members.comparable import incomparable
from reconciler.members.database import READ_ERRORS, is_ours, literal, storage_errors
from reconciler.members.identifier_sql import Class
from reconciler.members.intake import Intake
from reconciler.members.line_breaks import line_break
from reconciler.members.lists import ListColumn, Lists, union
from reconciler.members.matches import Listed, Matching, SeenRows
from reconciler.members.prepare import (
    PreparedAudience,
    identifier,
    odd,
    prepare,
    suited,
    typed_rows,
)
from reconciler.members.snapshots import Snapshots
from reconciler.members.sources import moved, unreadable
from reconciler.members.time_limit import READING, OverdueError, time_limit
from reconciler.members.where_clause import ALWAYS


class RowStatus(IntEnum):
    """What becomes of a row. UNFIT, ODD and BROKEN never reach a target: they stop the build."""

    KEPT = 0
    FILTERED = 1
    EXCLUDED = 2
    NOT_SAMPLED = 3
    UNFIT = 4
    ODD = 5
    BROKEN = 6


CONVERSIONS = (duckdb.ConversionException, duckdb.OutOfRangeException)
DROPS = {
    RowStatus.FILTERED: DropReason.FILTERED,
    RowStatus.EXCLUDED: DropReason.EXCLUDED,
    RowStatus.NOT_SAMPLED: DropReason.NOT_SAMPLED,
}


@dataclass(frozen=True, slots=True)
class Excluding:
    """The exclusion lists of an audience, read: which classes their values have, by type."""

    classes: Mapping[IdentifierType, frozenset[int]]
    columns: tuple[Listed, ...] = ()


@dataclass(frozen=True, slots=True)
class AudienceBuilder:
    """One build: a cursor of its own, whose temporary tables go with it."""

    cursor: duckdb.DuckDBPyConnection
    intake: Intake
    snapshots: Snapshots
    lists: Lists
    sample_rows: int | None

    def build(self, audience: Audience, wanted: Sequence[Kind], today: date) -> Mapping[Kind, TargetMembers]:
        """Raises ConfigurationError for files that can't be used, StorageError for the disk."""
        with storage_errors(f"{audience.name}: reading its sources"):
            prepared = prepare(self.cursor, self.intake, audience, today)
            kinds = self._kinds(prepared, wanted)
            excluding, problem = self._read(prepared, kinds)
            # Once all rows were read: a file that moved meanwhile explains every other problem.
            tables = (prepared.table, *(one.table for one in prepared.lists))
            problem = next(filter(None, map(moved, tables)), problem) or self._apart(
                excluding, wanted, audience.guards.max_invalid
            )
            if problem:
                raise ConfigurationError(f"{audience.name}: its sources can't be read", findings=(problem,))
            matching = self._matching(kinds, excluding)
            matching.exclude_everywhere()
            return {kind: self._target(prepared, kind, excluding, matching) for kind in wanted}

    def _matching(self, kinds: Sequence[IdentifierType], excluding: Excluding) -> Matching:
        seen = SeenRows(
            values={kind: _table("seen", kind) for kind in kinds} if excluding.columns else {},
            prefixes={kind: f"v{index}" for index, kind in enumerate(kinds)},
            rows="fated",
            kept=int(RowStatus.KEPT),
            excluded=int(RowStatus.EXCLUDED),
            unsampled=int(RowStatus.NOT_SAMPLED),
        )
        return Matching(self.cursor, self.snapshots, excluding.columns, seen)

    def _read(
        self, prepared: PreparedAudience, kinds: Sequence[IdentifierType]
    ) -> tuple[Excluding, Finding | None]:
        """Reads all files into tables of our own; what stands against them is returned."""
        excluding = Excluding({})
        try:
            excluding = self._excluding(prepared)
            with time_limit(self.cursor, READING) if prepared.condition is not ALWAYS else nullcontext():
                return excluding, self._group(prepared, kinds, excluding.classes)
        except OverdueError:
            problem = f"reading the rows of this `where` takes more than {READING // 60} minutes"
            return excluding, Finding(
                str(prepared.condition.place), problem, "prepare the column in the source"
            )
        except READ_ERRORS as error:
            if is_ours(error):
                raise
            return excluding, self._explained(prepared, error)

    def _apart(self, excluding: Excluding, wanted: Sequence[Kind], limit: float) -> Finding | None:
        """A list that can't be compared with the rows. SHA-256 of MD5 follows from MD5."""
        for kind in excluding.classes:
            lists = [one for one in excluding.columns if one[1] == kind]
            fates = f"{int(RowStatus.KEPT)}, {int(RowStatus.EXCLUDED)}"
            seen = f"(SELECT class, value, n FROM {_table('seen', kind)} WHERE fate IN ({fates}))"
            if (kind, Hashing.SHA256_OF_MD5) in wanted:
                continue
            if found := incomparable(self.cursor, seen, lists, limit):
                return found
        return None

    def _kinds(self, prepared: PreparedAudience, wanted: Sequence[Kind]) -> tuple[IdentifierType, ...]:
        """Types that matter, in a fixed order: those wanted, and those that exclude or sample a row."""
        excluding = {kind for one in prepared.lists for kind in one.columns}
        sampling = set(prepared.columns) if self.sample_rows is not None else set()
        matters = {kind for kind, _ in wanted} | excluding | sampling
        return tuple(kind for kind in IdentifierType if kind in matters and kind in prepared.columns)

    def _excluding(self, prepared: PreparedAudience) -> Excluding:
        """Reads the exclusion lists: one view of people and one of keys a type, and their classes."""
        known: list[Listed] = []
        columns: dict[IdentifierType, list[ListColumn]] = {}
        for one in prepared.lists:
            found = {
                kind: self.lists.column(self.cursor, one, kind, one.columns[kind])
                for kind in IdentifierType
                if kind in one.columns and kind in prepared.columns
            }
            for kind, column in found.items():
                columns.setdefault(kind, []).append(column)
                known.append((one, kind, column))
        for kind, same in columns.items():
            values, keys = union([one.values for one in same]), union([one.keys for one in same])
            self.cursor.execute(f"CREATE TEMP VIEW {_table('listed', kind)} AS SELECT * FROM {values}")
            self.cursor.execute(f"CREATE TEMP VIEW {_table('keys', kind)} AS SELECT * FROM {keys}")
        classes = {
            kind: frozenset[int]().union(*(one.classes for one in same)) for kind, same in columns.items()
        }
        return Excluding(classes, tuple(known))

    def _group(
        self,
        prepared: PreparedAudience,
        kinds: Sequence[IdentifierType],
        lists: Mapping[IdentifierType, frozenset[int]],
    ) -> Finding | None:
        """Fills a table of distinct values for each type; asks all rows if the first ones misled us."""
        meanings = prepared.readings
        try:
            self._scan(prepared, meanings, kinds, lists)
            misled = self._any(kinds, RowStatus.UNFIT)
        except CONVERSIONS:
            if not meanings:
                raise
            misled = True
        if misled:
            meanings = readings.decide(self.cursor, prepared.table, list(meanings))
            problem = suited(self.cursor, prepared.table, prepared.condition, meanings)
            if problem:
                return problem
            self._scan(prepared, meanings, kinds, lists)
        columns = [prepared.columns[kind] for kind in kinds]
        if self._any(kinds, RowStatus.BROKEN):
            return line_break(prepared.table, columns)
        if self._any(kinds, RowStatus.ODD):
            return odd(prepared.table.place, ", ".join(columns))
        return None

    def _scan(
        self,
        prepared: PreparedAudience,
        meanings: Mapping[str, readings.ColumnType],
        kinds: Sequence[IdentifierType],
        lists: Mapping[IdentifierType, frozenset[int]],
    ) -> None:
        rows = _rows(prepared, meanings, kinds)
        fated = _fated(rows, kinds, lists, sampling=self.sample_rows is not None)
        if len(kinds) > 1 or self.sample_rows is not None:
            self.cursor.execute(f"CREATE OR REPLACE TEMP TABLE fated AS {fated}")
            fated = "SELECT * FROM fated"
        fate = self._sampled() if self.sample_rows is not None else "fate"
        for index, kind in enumerate(kinds):
            self.cursor.execute(
                f"CREATE OR REPLACE TEMP TABLE {_table('seen', kind)} AS "
                f"SELECT {fate} AS fate, v{index}_class AS class, v{index}_value AS value, count(*) AS n "
                f"FROM ({fated}) GROUP BY ALL"
            )

    def _sampled(self) -> str:
        """The fate of a row when only some people are wanted: those whose keys have the lowest hashes.

        Nobody's place depends on the others, so that few enter or leave the sample as people do.
        """
        query = (
            "SELECT max(hash) FROM (SELECT DISTINCT md5(person) AS hash FROM fated "
            f"WHERE fate = {int(RowStatus.KEPT)} ORDER BY hash LIMIT {self.sample_rows})"
        )
        row = self.cursor.execute(query).fetchone()
        last = literal(str(row[0])) if row and row[0] is not None else "''"
        return f"CASE WHEN fate = 0 AND md5(person) > {last} THEN {int(RowStatus.NOT_SAMPLED)} ELSE fate END"

    def _any(self, kinds: Sequence[IdentifierType], fate: RowStatus) -> bool:
        query = f"SELECT 1 FROM {_table('seen', kinds[0])} WHERE fate = {int(fate)} LIMIT 1"
        return self.cursor.execute(query).fetchone() is not None

    def _target(
        self, prepared: PreparedAudience, kind: Kind, excluding: Excluding, matching: Matching
    ) -> TargetMembers:
        identifier_type, hashing = kind
        seen, listed = _table("seen", identifier_type), _table("listed", identifier_type)
        counts = self.cursor.execute(
            f"SELECT fate, class, sum(n)::BIGINT FROM {seen} GROUP BY ALL"
        ).fetchall()
        usable = sorted(
            {int(found) for fate, found, _ in counts if fate == RowStatus.KEPT} & set(sql.USABLE[hashing])
        )
        kept = _members(seen, hashing, usable, f"fate = {int(RowStatus.KEPT)}")
        members = self.snapshots.keep(self.cursor, kept, hashing)
        everyone = [int(one) for one in sql.USABLE[hashing]]
        gone = _members(seen, hashing, everyone, f"fate = {int(RowStatus.EXCLUDED)}")
        suppressed = (
            f"{gone} UNION {_members(listed, hashing, everyone, 'true')}"
            if identifier_type in excluding.classes
            else f"SELECT DISTINCT * FROM ({gone})"
        )
        return _counted(
            [(int(fate), int(found), int(n)) for fate, found, n in counts],
            hashing,
            members,
            self.snapshots.keep(self.cursor, suppressed, hashing),
            prepared,
            tuple(matching.read(identifier_type, hashing)),
        )

    def _explained(self, prepared: PreparedAudience, error: Exception) -> Finding:
        """A file that can't be read, or a `where` that fails on a value of it.

        DuckDB raises one type for a value that doesn't convert and for a damaged file, and has no code: its
        readers begin their texts with the format, and name the file.
        """
        table = prepared.table
        if isinstance(error, CONVERSIONS) or (
            isinstance(error, duckdb.InvalidInputException)
            and "CSV" not in str(error)
            and "JSON" not in str(error)
        ):
            named = ", ".join(prepared.condition.columns)
            remedy = "use try_cast or try_strptime for values that may not convert"
            return Finding(str(prepared.condition.place), f"`where` fails on a value of {named}", remedy)
        one = next(
            (one for one in prepared.lists if any(str(file.path) in str(error) for file in one.table.files)),
            None,
        )
        table = one.table if one else table
        return unreadable(error, table.files, table.place)


def _table(role: str, kind: IdentifierType) -> str:
    return f"{role}_{kind.lower()}"


def _rows(
    prepared: PreparedAudience, meanings: Mapping[str, readings.ColumnType], kinds: Sequence[IdentifierType]
) -> str:
    """Rows with their fate by `where`, and each identifier's class and value if they are wanted."""
    columns = [prepared.columns[kind] for kind in kinds]
    typed = typed_rows(prepared.table, prepared.condition, meanings, columns)
    fate = (
        f'(CASE WHEN "row broken" THEN {int(RowStatus.BROKEN)} WHEN "row unfit" THEN {int(RowStatus.UNFIT)} '
        f"WHEN NOT coalesce({prepared.condition.sql}, false) THEN {int(RowStatus.FILTERED)} "
        f'WHEN "row odd" THEN {int(RowStatus.ODD)} ELSE {int(RowStatus.KEPT)} END)::UTINYINT'
    )
    texts = ", ".join(f"{identifier(index)}" for index in range(len(kinds)))
    wanted = ", ".join(
        f"CASE WHEN fate = 0 THEN {identifier(index)} END AS v{index}" for index in range(len(kinds))
    )
    rows = f"(SELECT fate, {wanted} FROM (SELECT {fate} AS fate, {texts} FROM {typed}))"
    named = {f"v{index}": kind for index, kind in enumerate(kinds)}
    return sql.classified(rows, named, keep="fate", country=prepared.country)


def _fated(
    rows: str,
    kinds: Sequence[IdentifierType],
    lists: Mapping[IdentifierType, frozenset[int]],
    *,
    sampling: bool,
) -> str:
    """Return rows with exclusions applied; `person` is what identifies the person of a row."""
    listed = [
        sql.listed(f"v{index}_value", f"v{index}_class", _table("keys", kind), lists[kind])
        for index, kind in enumerate(kinds)
        if lists.get(kind)
    ]
    fate = (
        f"CASE WHEN fate = 0 AND ({' OR '.join(listed)}) THEN {int(RowStatus.EXCLUDED)} ELSE fate END"
        if listed
        else "fate"
    )
    columns = [f"v{index}_{part}" for index in range(len(kinds)) for part in ("class", "value")]
    if sampling:
        first = ", ".join(f"v{index}_value, nullif(v{index}_cut, '')" for index in range(len(kinds)))
        columns.append(f"coalesce({first}, '') AS person")
    return f"SELECT ({fate})::UTINYINT AS fate, {', '.join(columns)} FROM {rows}"


def _members(table: str, hashing: Hashing, classes: Sequence[int], where: str) -> str:
    """Distinct members of some classes. One class in one fate is distinct as it is grouped."""
    distinct = "DISTINCT " if len(classes) != 1 else ""
    numbers = ", ".join(map(str, classes)) or "NULL"
    member = sql.member("value", "class", hashing)
    return f"SELECT {distinct}{member} AS member FROM {table} WHERE {where} AND class IN ({numbers})"


def _counted(
    counts: Sequence[tuple[int, int, int]],
    hashing: Hashing,
    members: SnapshotRef,
    suppressed: SnapshotRef,
    prepared: PreparedAudience,
    lists: tuple[ReadList, ...],
) -> TargetMembers:
    drops, malformed, hashed, usable = Counter[DropReason](), Counter[str](), 0, 0
    for fate, found, n in counts:
        reason = DROPS[RowStatus(fate)] if fate != RowStatus.KEPT else sql.drop(found, hashing)
        if reason:
            drops[reason] += n
        if fate == RowStatus.KEPT and reason is DropReason.MALFORMED:
            malformed[sql.FLAWS[found - Class.FLAWED]] += n
        if reason is None:
            usable += n
            hashed += n if found in (Class.MD5, Class.SHA256) else 0
    drops[DropReason.DUPLICATE] = usable - members.count
    return TargetMembers(
        members=members,
        suppressed=suppressed,
        rows=sum(n for _, _, n in counts),
        drops=tuple((reason, drops[reason]) for reason in DropReason if drops[reason]),
        malformed=tuple(sorted(malformed.items(), key=lambda item: (-item[1], item[0]))),
        hashed=hashed,
        newest=prepared.table.newest,
        lists=lists,
    )
