"""What an audience needs from its files, checked before any row is read; all findings at once."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import duckdb

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Audience, Exclusion, IdentifierType, SourceLocation
from reconciler.members import column_types as readings
from reconciler.members import sources
from reconciler.members import where_clause as where
from reconciler.members.column_types import ColumnType
from reconciler.members.database import READ_ERRORS, is_ours
from reconciler.members.file_sets import FileSets
from reconciler.members.shared_scan import seen
from reconciler.members.sources import Table
from reconciler.members.where_clause import WhereClause


@dataclass(frozen=True, slots=True)
class ListedIdentifiers:
    """An exclusion list whose files are known."""

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


def prepare(
    cursor: duckdb.DuckDBPyConnection, files: FileSets, audience: Audience, today: date
) -> PreparedAudience:
    """Raises ConfigurationError with everything that is wrong."""
    if not files.intake.root.folder.is_dir():
        finding = Finding(
            str(audience.source.place),
            f"there is no folder {files.intake.root.folder}",
            "check data.root, or --data-root",
        )
        raise ConfigurationError(f"{audience.name}: no data root", findings=(finding,))
    findings: list[Finding] = []
    columns = dict(audience.columns)
    source, places = audience.source, _places(audience, audience.source.place)
    table = _table(cursor, files, source.files, source.place, places, findings)
    lists = [_listed(cursor, files, one, columns, findings) for one in audience.exclusion_lists]
    condition: WhereClause = where.ALWAYS
    meanings: Mapping[str, ColumnType] = {}
    if table:
        with _reading(table, findings):
            condition, meanings = _condition(cursor, files, audience, table, today, findings)
    if findings or not table:
        raise ConfigurationError(f"{audience.name}: its sources can't be used as declared", findings=findings)
    known = tuple(one for one in lists if one)
    return PreparedAudience(table, columns, condition, meanings, known, audience.country)


@contextlib.contextmanager
def _reading(table: Table, findings: list[Finding]) -> Iterator[None]:
    try:
        yield
    except READ_ERRORS as error:
        if is_ours(error):
            raise
        findings.append(sources.unreadable(error, table.files, table.place))


def _table(
    cursor: duckdb.DuckDBPyConnection,
    files: FileSets,
    patterns: tuple[str, ...],
    place: SourceLocation,
    columns: Mapping[str, SourceLocation],
    findings: list[Finding],
) -> Table | None:
    try:
        table = files.table(cursor, patterns, place)
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
    listed = dict(exclusion.columns)
    if not listed.keys() & columns.keys():
        remedy = f"add one of {', '.join(sorted(listed))} to the audience's columns"
        findings.append(Finding(str(exclusion.place), "this list could never exclude anybody", remedy))
    places = _places(exclusion, exclusion.place)
    table = _table(cursor, files, exclusion.files, exclusion.place, places, findings)
    return ListedIdentifiers(table, listed, exclusion) if table else None


def prepare_list(
    cursor: duckdb.DuckDBPyConnection, files: FileSets, exclusion: Exclusion, audience: Audience
) -> ListedIdentifiers:
    """One list by itself. Raises ConfigurationError with everything that is wrong."""
    findings: list[Finding] = []
    found = _listed(cursor, files, exclusion, dict(audience.columns), findings)
    if findings or not found:
        raise ConfigurationError(f"{audience.name}: an exclusion list can't be read", findings=findings)
    return found


def _condition(
    cursor: duckdb.DuckDBPyConnection,
    files: FileSets,
    audience: Audience,
    table: Table,
    today: date,
    findings: list[Finding],
) -> tuple[WhereClause, Mapping[str, ColumnType]]:
    place = audience.source.where_place
    known = {one.casefold(): one for one in table.names}
    condition = where.parse(cursor, audience.source, known, today)
    if isinstance(condition, Finding):
        findings.append(condition)
        return where.ALWAYS, {}
    if condition is where.ALWAYS:
        return condition, {}
    lacking = sources.missing(table, dict.fromkeys(condition.columns, place))
    findings += lacking
    if lacking:
        return where.ALWAYS, {}
    identifiers = {one.casefold() for _, one in audience.columns}
    free = [one for one in condition.columns if one.casefold() not in identifiers]
    meanings = files.meanings(cursor, table, free)
    unsuited = suited(cursor, table, condition, meanings)
    if unsuited and meanings:  # the first rows may have misled us
        meanings = files.decide(cursor, table, free)
        unsuited = suited(cursor, table, condition, meanings)
    findings += [unsuited] if unsuited else []
    return condition, meanings


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
