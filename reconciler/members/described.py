"""What columns each file of a source has: of each file alone, so that none is missed for another's sake.

CSV is read without DuckDB's guesses about columns: its sniffer skips lines that don't fit, header
included, and a wrong line ending reads as an empty file. We read the header; DuckDB reads the rest,
strictly, as text. What text means in a `where` is decided in `column_types`.
"""

import csv
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import duckdb

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.identifiers import BLANKS
from reconciler.core.model import SourceLocation
from reconciler.members.data_root import SourceChangedError
from reconciler.members.database import IN_FILE, READ_ERRORS, is_ours, literal, paths
from reconciler.members.file_stamp import stamp
from reconciler.members.intake import AGAIN, Intake, UnusableError
from reconciler.members.parts import File, Part
from reconciler.members.sources import COLUMNS, Family, Table, changed, family, shown_in, unreadable

SEPARATORS = (",", ";", "\t", "|")
LONGEST_HEADER = 1 << 20
MOST_KEYS = 10_000
Read = TypeVar("Read")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file is like. `dialect` is the separator of CSV, the format of JSON. `ids` number columns."""

    dialect: str
    names: tuple[str, ...]
    types: tuple[str, ...] = ()
    ids: tuple[int | None, ...] = ()


def describe(
    cursor: duckdb.DuckDBPyConnection, intake: Intake, found: Sequence[Path], place: SourceLocation
) -> Table:
    """Learns the columns of files, which must all be of one family. Raises ConfigurationError."""
    families = {one for path in found if (one := family(path))}
    if len(families) > 1:
        problem = f"one source mixes {' and '.join(sorted(families))} files"
        remedy = "give each kind an audience of its own, or export all of it in one"
        raise ConfigurationError(
            "sources don't fit together", findings=[Finding(str(place), problem, remedy)]
        )
    kind = families.pop()
    groups: dict[Header, list[File]] = {}
    findings: list[Finding] = []
    for path in found:
        read = _read(cursor, intake, path, kind, place)
        if isinstance(read, Finding):
            findings.append(read)
        else:
            file, header = read
            groups.setdefault(header, []).append(file)
    if findings:
        raise ConfigurationError("sources can't be read", findings=findings)
    parts = tuple(_part(kind, header, files) for header, files in groups.items())
    names = {one.casefold(): one for part in reversed(parts) for one in part.columns.values()}
    return Table(kind, parts, common_types(cursor, parts), tuple(names.values()), place)


def parquet_table(
    cursor: duckdb.DuckDBPyConnection, file: File, types: Mapping[str, str], place: SourceLocation
) -> Table:
    """Return the rows of one sound file. `types` replaces its types, by case-folded name."""
    header = _parquet_header(cursor, file.path)
    part = _part("parquet", header, [file])
    known = {**part.types, **types}
    return Table("parquet", (replace(part, types=known),), known, header.names, place)


def brought(
    cursor: duckdb.DuckDBPyConnection,
    intake: Intake,
    file: File,
    columns: Collection[str],
    place: SourceLocation,
) -> Finding | None:
    """Make columns of a Parquet file readable; return what prevents it."""
    return _reading(file.path, file.shown, place, lambda: intake.bring_columns(cursor, file.stamp, columns))


def _read(
    cursor: duckdb.DuckDBPyConnection, intake: Intake, path: Path, kind: Family, place: SourceLocation
) -> tuple[File, Header] | Finding:
    """One file, checked to its end where its format allows that, and what it is like."""
    shown = shown_in(intake.root.folder, path)

    def read() -> tuple[File, Header]:
        found = stamp(path)
        file = File(shown, intake.checked(cursor, found), found)
        return file, intake.learnt(found, lambda: _HEADERS[kind](cursor, file.path))

    return _reading(path, shown, place, read)


def _reading(path: Path, shown: str, place: SourceLocation, read: Callable[[], Read]) -> Read | Finding:
    """Return what `read` returns, or why a file can't be read."""
    try:
        return read()
    except (SourceChangedError, FileNotFoundError):
        return changed(shown, place)
    except UnusableError as error:
        return Finding(str(place), f"{shown} {error.problem}", error.remedy)
    except OSError:
        return Finding(str(place), f"{shown} can't be read", "check its permissions, and the disk")
    except READ_ERRORS as error:
        if is_ours(error):
            raise
        return unreadable(error, [(shown, path)], place)


def _part(kind: Family, header: Header, files: Sequence[File]) -> Part:
    folded = [one.casefold() for one in header.names]
    reader = _READERS[kind](header, paths(file.path for file in files))
    types = dict(zip(folded, header.types, strict=True)) if header.types else {}
    separator = header.dialect if kind == "csv" else ""
    ids = {number: one for number, one in zip(header.ids, header.names, strict=False) if number is not None}
    columns = dict(zip(folded, header.names, strict=True))
    return Part(tuple(files), reader, columns, types, separator, ids=ids)


def common_types(cursor: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> dict[str, str]:
    """Return, for each column that all files have, the type that holds the values of all."""
    shared = set.intersection(*(set(part.types) for part in parts))
    return {one: _common(cursor, [part.types[one] for part in parts]) for one in sorted(shared)}


def _common(cursor: duckdb.DuckDBPyConnection, types: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(types))
    if len(distinct) == 1:
        return distinct[0]
    values = " UNION ALL ".join(f"SELECT NULL::{one} AS x" for one in distinct)
    row = cursor.execute(f"DESCRIBE {values}").fetchone()
    return str(row[1]) if row else ""


def _csv_header(_: duckdb.DuckDBPyConnection, path: Path) -> Header:
    with path.open("rb") as stream:
        start = stream.read(LONGEST_HEADER)
    line = next(iter(start.decode("utf-8-sig", errors="replace").splitlines()), "")
    if not line.strip(BLANKS):
        raise UnusableError("has no header line", AGAIN)
    if CONTROL.search(line):
        problem = "is no text: its first line holds control characters"
        raise UnusableError(problem, "is it really CSV? export it again")
    try:
        tabs = ".tsv" in path.suffixes
        separator = "\t" if tabs else max(SEPARATORS, key=lambda one: len(_cells(line, one)))
        return Header(separator, unique(_cells(line, separator)))
    except csv.Error:
        limit = f"{csv.field_size_limit() >> 10} KiB"
        raise UnusableError(f"has a column whose name is longer than {limit}", AGAIN) from None


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip(BLANKS) for cell in next(csv.reader([line], delimiter=separator), [])]


def unique(header: Sequence[str]) -> tuple[str, ...]:
    """Columns without a name, or with one that was there before, get one that nobody asks for."""
    seen: set[str] = set()
    unique = []
    for index, one in enumerate(header):
        fresh = one if one and one.casefold() not in seen else f"{one} (column {index + 1})"
        seen.add(fresh.casefold())
        unique.append(fresh)
    return tuple(unique)


def _csv_reader(header: Header, files: str) -> str:
    columns = ", ".join(f"{literal(one)}: 'VARCHAR'" for one in header.names)
    options = f"delim = {literal(header.dialect)}, quote = '\"', escape = '\"', header = true"
    return f"read_csv({files}, {options}, auto_detect = false, {IN_FILE}, columns = {{{columns}}}) AS source"


def _json_header(cursor: duckdb.DuckDBPyConnection, path: Path) -> Header:
    """The keys of all its rows: a key that no row has is a column that the file lacks."""
    dialect = "auto" if ".json" in path.suffixes else "newline_delimited"
    rows = f"read_json_objects({paths([path])}, format = {literal(dialect)}, {IN_FILE}) AS source"
    keys = "CASE WHEN json_type(json) = 'OBJECT' THEN json_keys(json) ELSE [NULL] END"
    found = cursor.execute(
        f"SELECT DISTINCT unnest({keys}) AS key FROM {rows} ORDER BY key NULLS FIRST LIMIT {MOST_KEYS + 1}"
    ).fetchall()
    if found and found[0][0] is None:
        raise UnusableError("holds a row that is not an object", 'write each row as {"column": "value"}')
    if len(found) > MOST_KEYS:
        problem = f"has rows with more than {MOST_KEYS:,} different keys: are they values?"
        raise UnusableError(problem, 'write each row as {"column": "value"}')
    return Header(dialect, unique([str(row[0]) for row in found]))


def _json_reader(header: Header, files: str) -> str:
    options = f"format = {literal(header.dialect)}, {IN_FILE}, columns = {{{COLUMNS}}}"
    return f"read_json({files}, {options}) AS source"


def _parquet_header(cursor: duckdb.DuckDBPyConnection, path: Path) -> Header:
    described = cursor.execute(f"DESCRIBE SELECT * FROM {_parquet_reader(None, paths([path]))}").fetchall()
    schema = cursor.execute(
        f"SELECT name, num_children, field_id FROM parquet_schema({paths([path])})"
    ).fetchall()
    columns = _columns([(str(row[0]), int(row[1] or 0), row[2]) for row in schema])
    names = unique([one for one, _ in columns])
    ids = tuple(number if one == name else None for (one, number), name in zip(columns, names, strict=True))
    return Header("", names, tuple(str(row[1]) for row in described), ids)


def _columns(schema: Sequence[tuple[str, int, int | None]]) -> list[tuple[str, int | None]]:
    """Of all fields, each before its parts, those that are columns; DuckDB would rename a second `Email`."""
    columns, parts = [], [1]
    for name, children, number in schema:
        if len(parts) == 2:
            columns.append((name, number))
        parts[-1] -= 1
        parts.append(children)
        while parts and not parts[-1]:
            parts.pop()
    return columns


def _parquet_reader(_: Header | None, files: str) -> str:
    return f"read_parquet({files}, {IN_FILE}) AS source"


_HEADERS: dict[Family, Callable[[duckdb.DuckDBPyConnection, Path], Header]] = {
    "csv": _csv_header,
    "json": _json_header,
    "parquet": _parquet_header,
}
_READERS: dict[Family, Callable[[Header, str], str]] = {
    "csv": _csv_reader,
    "json": _json_reader,
    "parquet": _parquet_reader,
}
