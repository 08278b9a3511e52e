"""What an audience needs from its files, checked before any row is read; all findings at once."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

import duckdb

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Audience, Exclusion, IdentifierType, SourceLocation
from reconciler.core.source_groups import SourceNeeds, grouped
from reconciler.members import column_types as readings
from reconciler.members import sources
from reconciler.members import where_clause as where
from reconciler.members.column_types import ColumnType
from reconciler.members.database import READ_ERRORS, is_ours
from reconciler.members.expression_size import LIMIT
from reconciler.members.file_sets import FileSets, identity
from reconciler.members.row_sources import RowSources
from reconciler.members.shared_scan import seen
from reconciler.members.sources import Table
from reconciler.members.where_clause import WhereClause


@dataclass(frozen=True, slots=True)
class ListedIdentifiers:
    """A suppression or exclusion list whose files are known."""

    table: Table
    columns: Mapping[IdentifierType, str]
    declared: Exclusion


@dataclass(frozen=True, slots=True)
class PreparedAudience:
    """An audience whose files are known and whose `where` suits them."""

    table: Table
    columns: Mapping[IdentifierType, str]
    condition: WhereClause
    readings: Mapping[str, ColumnType]
    lists: tuple[ListedIdentifiers, ...]
    country: str


PreparationResult = PreparedAudience | ConfigurationError


@dataclass(slots=True)
class _Draft:
    """An audience whose files are known. Its `where`, if it has none of the `findings`, may not suit them."""

    audience: Audience
    findings: list[Finding] = field(default_factory=list)
    problem: str = "its sources can't be used as declared"
    table: Table | None = None
    lists: tuple[ListedIdentifiers, ...] = ()
    condition: WhereClause = where.ALWAYS
    meanings: Mapping[str, ColumnType] = field(default_factory=dict)

    def needs(self, table: Table) -> SourceNeeds:
        """Return what decides with whom a query can check the condition."""
        words = {one.casefold(): "" for one in self.condition.columns}
        words |= {one.casefold(): meaning.words for one, meaning in self.meanings.items()}
        return SourceNeeds(self.audience.name, identity(table), (), words)


class Preparation:
    """Prepares audiences: `examine` each, then take all `results`.

    Conditions are parsed together, and those over the same files are compared with their columns together.
    Where one of them fails, each is looked at by itself.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        rows: RowSources,
        audiences: Iterable[Audience],
        today: date,
    ) -> None:
        self._cursor = cursor
        self._rows = rows
        self._files = rows.files
        self._today = today
        self._trees = where.parsed(cursor, (one.source for one in audiences), today)
        self._drafts: dict[str, _Draft] = {}

    def examine(self, audience: Audience) -> None:
        """Look at its files, its columns, and the syntax of its `where`."""
        draft = self._drafts[audience.name] = _Draft(audience)
        findings, folder = draft.findings, self._files.intake.root.folder
        if not folder.is_dir():
            problem, remedy = f"there is no folder {folder}", "check data.root, or --data-root"
            findings.append(Finding(str(audience.source.place), problem, remedy))
            draft.problem = "no data root"
            return
        columns, source = dict(audience.columns), audience.source
        places = _places(audience, source.place)
        table = _table(lambda: self._rows.table(self._cursor, source, places, self._today), places, findings)
        lists = [
            one
            for declared in audience.lists
            if (one := _listed(self._cursor, self._files, declared, columns, findings))
        ]
        draft.table, draft.lists = table, tuple(lists)
        if table:
            with _reading(table, findings):
                self._add_condition(draft, table)
        elif not findings:
            found = where.parse(self._cursor, source, None, self._today, self._trees)
            findings += [found] if isinstance(found, Finding) else []

    def results(self) -> Mapping[str, PreparationResult]:
        """Each audience by its name, or everything that is wrong with it."""
        fitting = self._fitting()
        return {name: self._result(draft, name in fitting) for name, draft in self._drafts.items()}

    def _add_condition(self, draft: _Draft, table: Table) -> None:
        source = draft.audience.source
        known = {one.casefold(): one for one in table.names}
        condition = where.parse(self._cursor, source, known, self._today, self._trees, table.origin)
        if isinstance(condition, Finding):
            draft.findings.append(condition)
            return
        lacking = sources.missing(table, dict.fromkeys(condition.columns, source.where_place))
        draft.findings += lacking
        if not lacking and condition is not where.ALWAYS:
            draft.meanings = self._files.meanings(self._cursor, table, _free(draft.audience, condition))
            draft.condition = condition

    def _fitting(self) -> frozenset[str]:
        """The audiences whose conditions certainly suit their columns."""
        tables = {name: one.table for name, one in self._drafts.items() if one.condition is not where.ALWAYS}
        fitting: set[str] = set()
        for group in grouped([self._drafts[name].needs(one) for name, one in tables.items() if one], LIMIT):
            some = [self._drafts[one.audience] for one in group]
            if len(some) > 1 and (table := some[0].table):
                rows = seen(table, [(one.condition.columns, one.meanings) for one in some])
                found = where.fitting(self._cursor, [one.condition for one in some], rows)
                fitting |= {one.audience for one, fits in zip(group, found, strict=True) if fits}
        return frozenset(fitting)

    def _result(self, draft: _Draft, fits: bool) -> PreparationResult:
        audience, table, findings = draft.audience, draft.table, draft.findings
        if table and not fits and draft.condition is not where.ALWAYS:
            with _reading(table, findings):
                self._suit(draft, table)
        if table and not findings:
            wanted = {*dict(audience.columns).values(), *draft.condition.columns}
            findings += self._files.bring(self._cursor, table, wanted)
        if findings or not table:
            return ConfigurationError(f"{audience.name}: {draft.problem}", findings=findings)
        columns = dict(audience.columns)
        return PreparedAudience(
            table, columns, draft.condition, draft.meanings, draft.lists, audience.country
        )

    def _suit(self, draft: _Draft, table: Table) -> None:
        """Compare a condition with its columns; if the first rows misled us, with all rows."""
        condition = draft.condition
        unsuited = suited(self._cursor, table, condition, draft.meanings)
        if unsuited and draft.meanings:
            free = _free(draft.audience, condition)
            draft.meanings = self._files.decide(self._cursor, table, free)
            unsuited = suited(self._cursor, table, condition, draft.meanings)
        draft.findings += [unsuited] if unsuited else []


def _free(audience: Audience, condition: WhereClause) -> list[str]:
    """The columns of a condition that are not read as identifiers."""
    identifiers = {one.casefold() for _, one in audience.columns}
    return [one for one in condition.columns if one.casefold() not in identifiers]


@contextlib.contextmanager
def _reading(table: Table, findings: list[Finding]) -> Iterator[None]:
    try:
        yield
    except READ_ERRORS as error:
        if is_ours(error):
            raise
        findings.append(sources.unreadable(error, table.called, table.place))


def _table(
    find: Callable[[], Table | None], columns: Mapping[str, SourceLocation], findings: list[Finding]
) -> Table | None:
    try:
        table = find()
        if table is None:
            return None
        findings += sources.missing(table, columns) or sources.rounded(table, columns)
    except ConfigurationError as error:
        findings += error.findings
        return None
    return table


def _places(named: Audience | Exclusion, otherwise: SourceLocation) -> dict[str, SourceLocation]:
    """Where each column is named."""
    places = named.places or (otherwise,) * len(named.columns)
    return {column: place for (_, column), place in zip(named.columns, places, strict=True)}


def _listed(
    cursor: duckdb.DuckDBPyConnection,
    files: FileSets,
    exclusion: Exclusion,
    columns: Mapping[IdentifierType, str],
    findings: list[Finding],
) -> ListedIdentifiers | None:
    if not exclusion.is_matched(columns.items()):
        remedy = f"add one of {', '.join(sorted(dict(exclusion.columns)))} to the audience's columns"
        findings.append(Finding(str(exclusion.place), "this list could never exclude anybody", remedy))
    return _opened(cursor, files, exclusion, findings)


def _opened(
    cursor: duckdb.DuckDBPyConnection, files: FileSets, declared: Exclusion, findings: list[Finding]
) -> ListedIdentifiers | None:
    places = _places(declared, declared.place)
    table = _table(lambda: files.table(cursor, declared.files, declared.place), places, findings)
    columns = dict(declared.columns)
    if table is None:
        return None
    findings += files.bring(cursor, table, [one for one in columns.values() if table.has(one)])
    return ListedIdentifiers(table, columns, declared)


def prepare_list(
    cursor: duckdb.DuckDBPyConnection, files: FileSets, declared: Exclusion
) -> ListedIdentifiers:
    """One list by itself. Raises ConfigurationError with everything that is wrong."""
    findings: list[Finding] = []
    found = _opened(cursor, files, declared, findings)
    if findings or not found:
        raise ConfigurationError("a list can't be read", findings=findings)
    return found


def suited(
    cursor: duckdb.DuckDBPyConnection,
    table: Table,
    condition: WhereClause,
    meanings: Mapping[str, ColumnType],
) -> Finding | None:
    """Whether the expression suits what its columns mean."""
    words = readings.words(table, meanings, condition.columns)
    rows = seen(table, [(condition.columns, meanings)])
    return where.fit(cursor, condition, rows, words, condition.place)


def odd(place: SourceLocation, columns: str) -> Finding:
    """Values in JSON that are numbers with a fraction, or no values at all."""
    problem = f"not every value of {columns} is text or a whole number"
    return Finding(str(place), problem, "write identifiers as text: numbers with a fraction have lost digits")
