"""Source files: found, and described so that a column is the same column in every one of them.

CSV is read without DuckDB's guesses about columns: its sniffer skips lines that don't fit, header
included, and a wrong line ending reads as an empty file. We read the header; DuckDB reads the rest,
strictly, as text. What text means in a `where` is decided in `readings`.
"""

import csv
import difflib
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.identifiers import BLANKS
from reconciler.core.model import Place
from reconciler.core.personal import shown_path
from reconciler.members.database import literal, name
from reconciler.members.roots import DataRoot, MovedError
from reconciler.members.stamps import Stamp, stamp

Family = Literal["csv", "json", "parquet"]
FAMILIES: dict[str, Family] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
}
PACKED = (".gz", ".zst")
SEPARATORS = (",", ";", "\t", "|")
WHOLE = re.compile(r"VARCHAR|UUID|ENUM\(.*|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
FLOATING = ("FLOAT", "DOUBLE")
LONGEST_HEADER = 1 << 20
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
JSON_COLUMNS = "\0"  # stands for the columns in a reader; no path can hold it


@dataclass(frozen=True, slots=True)
class Part:
    """Files that one function call reads. `columns` maps a case-folded name to the name in them."""

    files: tuple[Path, ...]
    reader: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a source. `types` are DuckDB's, by case-folded name; text families have none."""

    family: Family
    root: Path
    parts: tuple[Part, ...]
    types: Mapping[str, str]
    names: tuple[str, ...]
    newest: datetime
    place: Place
    stamps: tuple[Stamp, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file for part in self.parts for file in part.files)

    def has(self, column: str) -> bool:
        return all(column.casefold() in part.columns for part in self.parts)

    def relation(self, columns: Iterable[str]) -> str:
        """The rows with these columns, as they are stored, named as asked for."""
        wanted = list(dict.fromkeys(columns))
        return f"({' UNION ALL '.join(self._select(part, wanted) for part in self.parts)})"

    def _select(self, part: Part, wanted: Sequence[str]) -> str:
        stored = {one: part.columns[one.casefold()] for one in wanted}
        items = [f"{name(column)} AS {name(one)}" for one, column in stored.items()] or ["1 AS one"]
        typed = ", ".join(f"{literal(column)}: 'JSON'" for column in stored.values()) or "'one': 'JSON'"
        return f"SELECT {', '.join(items)} FROM {part.reader.replace(JSON_COLUMNS, typed)}"

    def text(self, column: str) -> str:
        """A column of `relation` as text."""
        if self.family == "json":
            return f"({name(column)} ->> '$')"
        return name(column) if self.family == "csv" else f"CAST({name(column)} AS VARCHAR)"

    def untextual(self, column: str) -> str:
        """Whether a stored value can't be an identifier: numbers with a fraction have been rounded."""
        if self.family != "json":
            return "false"
        return f"coalesce(json_type({name(column)}) IN ('DOUBLE', 'BOOLEAN', 'OBJECT', 'ARRAY'), false)"


def locate(root: DataRoot, patterns: Sequence[str], place: Place) -> tuple[Path, ...]:
    """The files of a source, each once, in a fixed order, ready to be read; every problem is a finding."""
    findings, found = [], set[Path]()
    for pattern in patterns:
        if "://" in pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            findings.append(
                _finding(place, "a source file lies outside the data root", "give a path relative to it")
            )
            continue
        if any("**" in part and part != "**" for part in Path(pattern).parts) or pattern.endswith("**"):
            findings.append(
                _finding(place, "`**` stands for folders, and for nothing else", "write `**/*.csv`")
            )
            continue
        matches = [path for path in root.matching(pattern) if not path.name.startswith((".", "_"))]
        if not matches:
            remedy = "check the path: it is relative to data.root, or to --data-root"
            findings.append(_finding(place, f"no file matches {shown_path(pattern)}", remedy))
        if not all(path.resolve().is_relative_to(root.folder) for path in matches):
            remedy = "copy the file, or make the folder it is in the data root"
            findings.append(
                _finding(place, f"{shown_path(pattern)} leads out of the data root by a link", remedy)
            )
        found.update(matches)
    findings += [
        _finding(place, f"{_shown(root.folder, one)} is of no kind that can be read", _KINDS)
        for one in sorted(found)
        if family(one) is None
    ]
    if findings:
        raise ConfigurationError("sources can't be found", findings=findings)
    files = tuple(sorted(found))
    try:
        root.bring(files)
    except MovedError as error:
        finding = _changed(root.folder, error.file, place)
        raise ConfigurationError("sources can't be read", findings=[finding]) from None
    return files


_KINDS = "use .csv, .tsv, .jsonl, .ndjson, .json or .parquet; text may be packed as .gz or .zst"


def family(file: Path) -> Family | None:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
        return FAMILIES.get(suffixes[-1]) if suffixes and suffixes[-1] != ".parquet" else None
    return FAMILIES.get(suffixes[-1]) if suffixes else None


def describe(cursor: duckdb.DuckDBPyConnection, root: Path, files: Sequence[Path], place: Place) -> Table:
    """Learns the columns of files, which must all be of one family."""
    families = {kind for file in files if (kind := family(file))}
    if len(families) > 1:
        problem = f"one source mixes {' and '.join(sorted(families))} files"
        remedy = "give each kind an audience of its own, or export all of it in one"
        raise ConfigurationError("sources don't fit together", findings=[_finding(place, problem, remedy)])
    kind, stamps = families.pop(), tuple(map(stamp, files))
    newest = max(one.written_at for one in stamps)
    if kind == "csv":
        parts = _csv_parts(cursor, root, files, place)
        names = tuple(dict.fromkeys(one for part in parts for one in part.columns.values()))
        return Table("csv", root, parts, {}, names, newest, place, stamps)
    reader, sample = (_parquet, _parquet) if kind == "parquet" else (_json_rows, _json_sample)
    described = cursor.execute(f"DESCRIBE SELECT * FROM {sample(files)}").fetchall()
    names = tuple(str(row[0]) for row in described)
    part = Part(tuple(files), reader(files), {one.casefold(): one for one in names})
    types = {str(row[0]).casefold(): str(row[1]) for row in described} if kind == "parquet" else {}
    return Table(kind, root, (part,), types, names, newest, place, stamps)


def moved(table: Table) -> Finding | None:
    """A file that is not what it was when it was first looked at: nobody knows what was read of it."""
    for one in table.stamps:
        if not one.holds():
            return _changed(table.root, one.file, table.place)
    return None


def _changed(root: Path, file: Path, place: Place) -> Finding:
    remedy = "write it beside, rename it into its place when it is whole, and run again"
    return _finding(place, f"{_shown(root, file)} changed while it was read", remedy)


def _list(files: Sequence[Path]) -> str:
    return f"[{', '.join(literal(_escaped(file)) for file in files)}]"


def _escaped(file: Path) -> str:
    """DuckDB would read these characters as a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", str(file))


def _parquet(files: Sequence[Path]) -> str:
    return f"read_parquet({_list(files)}, union_by_name = true) AS source"


def _json_rows(files: Sequence[Path]) -> str:
    return (
        f"read_json({_list(files)}, format = {_json_format(files)}, columns = {{{JSON_COLUMNS}}}) AS source"
    )


def _json_sample(files: Sequence[Path]) -> str:
    options = "union_by_name = true, maximum_depth = 1, maximum_sample_files = 1000000"
    return f"read_json({_list(files)}, format = {_json_format(files)}, {options})"


def _json_format(files: Sequence[Path]) -> str:
    return "'auto'" if any(".json" in file.suffixes for file in files) else "'newline_delimited'"


def _csv_parts(
    cursor: duckdb.DuckDBPyConnection, root: Path, files: Sequence[Path], place: Place
) -> tuple[Part, ...]:
    """Files with the same separator and header are read in one call."""
    groups: dict[tuple[str, tuple[str, ...]], list[Path]] = {}
    findings = []
    for file in files:
        try:
            line = _first_line(cursor, file)
        except (OSError, EOFError, zlib.error):
            findings.append(
                _finding(place, f"{_shown(root, file)} can't be read or unpacked", "export it again")
            )
            continue
        if not line.strip(BLANKS):
            findings.append(_finding(place, f"{_shown(root, file)} has no header line", "export it again"))
            continue
        if CONTROL.search(line):
            problem = f"{_shown(root, file)} is no text: its first line holds control characters"
            findings.append(_finding(place, problem, "is it really CSV? export it again"))
            continue
        separator = (
            "\t" if ".tsv" in file.suffixes else max(SEPARATORS, key=lambda one: len(_cells(line, one)))
        )
        groups.setdefault((separator, _unique(_cells(line, separator))), []).append(file)
    if findings:
        raise ConfigurationError("sources can't be read", findings=findings)
    return tuple(
        Part(tuple(group), _csv(group, separator, header), {one.casefold(): one for one in header})
        for (separator, header), group in groups.items()
    )


def _csv(files: Sequence[Path], separator: str, header: Sequence[str]) -> str:
    columns = ", ".join(f"{literal(one)}: 'VARCHAR'" for one in header)
    options = f"delim = {literal(separator)}, quote = '\"', escape = '\"', header = true, auto_detect = false"
    return f"read_csv({_list(files)}, {options}, columns = {{{columns}}}) AS source"


def _first_line(cursor: duckdb.DuckDBPyConnection, file: Path) -> str:
    if file.suffix == ".zst":
        whole = "auto_detect=false, strict_mode=false, header=false, delim='\x01', quote='', escape=''"
        reader = f"read_csv({_list([file])}, {whole}, columns = {{'line': 'VARCHAR'}})"
        row = cursor.execute(f"SELECT line FROM {reader} AS source LIMIT 1").fetchone()
        return str(row[0] or "").removeprefix("\ufeff") if row else ""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        start = stream.read(LONGEST_HEADER)
    return next(iter(start.decode("utf-8-sig", errors="replace").splitlines()), "")


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip(BLANKS) for cell in next(csv.reader([line], delimiter=separator), [])]


def _unique(header: Sequence[str]) -> tuple[str, ...]:
    """Columns without a name, or with one that was there before, get one that nobody asks for."""
    seen: set[str] = set()
    unique = []
    for index, one in enumerate(header):
        fresh = one if one and one.casefold() not in seen else f"{one} (column {index + 1})"
        seen.add(fresh.casefold())
        unique.append(fresh)
    return tuple(unique)


def missing(table: Table, columns: Mapping[str, Place]) -> tuple[Finding, ...]:
    """A finding for each column that some file doesn't have, at the place where it is named."""
    findings = []
    for column, place in columns.items():
        twice = f"{column} (column ".casefold()
        if any(one.startswith(twice) for part in table.parts for one in part.columns):
            findings.append(_finding(place, "this column is there twice", "export it once"))
        lacking = [part for part in table.parts if column.casefold() not in part.columns]
        if not lacking:
            continue
        file = "" if len(lacking) == len(table.parts) else f" in {_shown(table.root, lacking[0].files[0])}"
        offered = [one for part in lacking for one in part.columns.values()]
        findings.append(_finding(place, f"there is no such column{file}", suggestion(column, offered)))
    return tuple(findings)


def rounded(
    cursor: duckdb.DuckDBPyConnection, table: Table, columns: Mapping[str, Place]
) -> tuple[Finding, ...]:
    """A finding for each identifier column that a Parquet file stores neither as text nor as integers.

    Files are asked one by one: where one has text, DuckDB reads rounded numbers of the others as text too.
    """
    if table.family != "parquet":
        return ()
    schema = cursor.execute(
        f"SELECT file_name, name, duckdb_type, num_children FROM parquet_schema({_list(table.files)})"
    ).fetchall()
    unfit: dict[str, str] = {}
    for file, column, type_name in _top_level(schema):
        if not WHOLE.fullmatch(type_name):
            words = "floating point" if type_name in FLOATING else type_name.partition("(")[0].lower()
            unfit.setdefault(column.casefold(), f"{words} in {_shown(table.root, Path(file))}")
    remedy = "store it as text: numbers lose digits and leading zeros"
    return tuple(
        _finding(place, f"the identifiers of this column are stored as {stored}", remedy)
        for column, place in columns.items()
        if (stored := unfit.get(column.casefold()))
    )


def _top_level(schema: Iterable[tuple[str, str, str | None, int | None]]) -> Iterator[tuple[str, str, str]]:
    """File, name and type of each column. What is nested in one follows it, and may have any name."""
    open_: list[int] = []
    for file, column, stored, children in schema:
        if not open_:
            open_ = [children or 0]  # the root of a file
        else:
            if len(open_) == 1:
                yield file, column, stored or ""
            open_[-1] -= 1
            open_ += [children] if children else []
        while open_ and open_[-1] == 0:
            open_.pop()


COLUMN = re.compile(r"[A-Za-z_]{1,32}")
"""What a column may be called to be suggested: no digits, as people's ids have them."""


def suggestion(column: str, offered: Iterable[str]) -> str:
    """`did you mean`, from what is much like the name that was given; nothing else is ever shown.

    A file without a header line has people where the names should be.
    """
    names = {one.casefold(): one for one in offered if COLUMN.fullmatch(one)}
    close = difflib.get_close_matches(column.casefold(), names, n=1, cutoff=0.75)
    if close:
        return f"did you mean {names[close[0]]}?"
    return "name a column of the files' header line; do they begin with one?"


def shown(column: str) -> str:
    """A column's name, unless it may be a value in the wrong place."""
    return (
        column
        if re.fullmatch(r"[^\W\d][\w .-]{0,63}", column)
        else "(not shown: it doesn't look like a name)"
    )


def _shown(root: Path, file: Path) -> str:
    return shown_path(file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name)


def _finding(place: Place, problem: str, remedy: str = "") -> Finding:
    return Finding(str(place), problem, remedy)


def unreadable(error: duckdb.Error, root: Path, files: Sequence[Path], place: Place) -> Finding:
    """What a reader's error says, in our words: DuckDB's quote the line."""
    text = str(error)
    file = next((one for one in files if str(one) in text), files[0] if len(files) == 1 else None)
    line = re.search(r"(?:CSV Error on Line: |in line )(\d{1,12})", text)
    where = (_shown(root, file) if file else "a source file") + (f", line {line[1]}" if line else "")
    signs = ((problem, remedy) for sign, problem, remedy in _SIGNS if sign in text)
    problem, remedy = next(
        signs, (f"it can't be read ({type(error).__name__})", "check the file, or export it again")
    )
    return _finding(place, f"{where}: {problem}", remedy)


_SIGNS = (
    ("Malformed JSON", "it breaks off, or is no JSON", "export it again"),
    ("unicode", "it is not UTF-8", "export it as UTF-8"),
    ("Expected Number of Columns", "the line has more or fewer columns than the header", "export it again"),
    (
        "unterminated quote",
        "a quote is opened and never closed, or line endings are mixed",
        "export it again",
    ),
    ("invalid state", "quotes or line endings are broken: are CRLF and LF mixed?", "export it again"),
    ("Maximum line size", "a line is longer than 2 MB: is a quote never closed?", "export it again"),
)
