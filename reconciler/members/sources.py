"""Source files: found, and one table of them, in which a column is the same column in every file."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Literal

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.identifiers import BLANKS
from reconciler.core.members import FileCounts
from reconciler.core.model import SourceLocation
from reconciler.core.pii import redacted_path
from reconciler.members.data_root import DataRoot, NoListingError, SourceChangedError, is_outside, is_source
from reconciler.members.database import literal, name
from reconciler.members.intake import PACKED
from reconciler.members.parts import File, Part

Family = Literal["csv", "json", "parquet"]
FAMILIES: dict[str, Family] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
}
WHOLE = re.compile(r"VARCHAR|UUID|ENUM\(.*|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
LINE_BREAKS = "\r\n"
COLUMNS = "\0"  # stands for the columns in a reader; no path can hold it


class RowOrigin(Enum):
    """Where rows come from. The value is what to do about a column that isn't there."""

    FILES = "name a column of the files' header line; do they begin with one?"
    QUERY = "name a column that the query returns"
    DELTA = "name a column of the Delta table"
    ICEBERG = "name a column of the Iceberg table"


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a source. `types` are DuckDB's, by case-folded name; text families have none.

    `fresh_at` is when the newest row was written, if a query or a table tells it. `unread` is
    how many files were left out, because `where` keeps no row of them.
    """

    family: Family
    parts: tuple[Part, ...]
    types: Mapping[str, str]
    names: tuple[str, ...]
    place: SourceLocation
    origin: RowOrigin = RowOrigin.FILES
    fresh_at: datetime | None = None
    unread: int = 0

    @property
    def files(self) -> tuple[File, ...]:
        return tuple(file for part in self.parts for file in part.files)

    @property
    def counts(self) -> FileCounts:
        """Return how many files are read and left out; a query has none."""
        return FileCounts(0 if self.origin is RowOrigin.QUERY else len(self.files), self.unread)

    @property
    def called(self) -> tuple[tuple[str, Path], ...]:
        """Return what messages call each file, and what is read of it."""
        return tuple((one.shown, one.path) for one in self.files)

    @property
    def newest(self) -> datetime | None:
        """When the newest file or row was written; None if nothing tells it."""
        if self.origin is not RowOrigin.FILES:
            return self.fresh_at
        return max(file.stamp.written_at for file in self.files)

    def has(self, column: str) -> bool:
        return all(column.casefold() in part.columns for part in self.parts)

    def relation(self, columns: Iterable[str]) -> str:
        """The rows with these columns, as they are stored, named as asked for."""
        wanted = list(dict.fromkeys(columns))
        return f"({' UNION ALL '.join(self._select(part, wanted) for part in self.parts)})"

    def _select(self, part: Part, wanted: Sequence[str]) -> str:
        stored = [part.columns[one.casefold()] for one in wanted]
        items = [f"{part.item(one)} AS {name(one)}" for one in wanted] or ["1 AS one"]
        typed = ", ".join(f"{literal(column)}: 'JSON'" for column in stored) or "'one': 'JSON'"
        return f"SELECT {', '.join(items)} FROM {part.reader.replace(COLUMNS, typed)}"

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

    def broken(self, column: str) -> str:
        """Whether a stored value of CSV has a line break inside: a quote was opened too early."""
        if self.family != "csv":
            return "false"
        breaks = " OR ".join(f"contains({name(column)}, chr({ord(one)}))" for one in LINE_BREAKS)
        inside = literal(f"[^{BLANKS}][{BLANKS}]*[\r\n][{BLANKS}]*[^{BLANKS}]")
        return f"coalesce(({breaks}) AND regexp_matches({name(column)}, {inside}), false)"


def locate(root: DataRoot, patterns: Sequence[str], place: SourceLocation) -> tuple[Path, ...]:
    """The files of a source, each once, in a fixed order, ready to be read; every problem is a finding."""
    files = matching(root, patterns, place)
    bring(root, files, place)
    return files


def matching(root: DataRoot, patterns: Sequence[str], place: SourceLocation) -> tuple[Path, ...]:
    """The same, not ready to be read yet."""
    findings, found = [], set[Path]()
    for pattern in patterns:
        if is_outside(pattern):
            findings.append(
                _finding(place, "a source file lies outside the data root", "give a path relative to it")
            )
            continue
        if any("**" in part and part != "**" for part in Path(pattern).parts) or pattern.endswith("**"):
            findings.append(
                _finding(place, "`**` stands for folders, and for nothing else", "write `**/*.csv`")
            )
            continue
        try:
            matches = [path for path in root.matching(pattern) if is_source(path)]
        except NoListingError:
            remedy = "name each file without a wildcard, or use an object store"
            findings.append(_finding(place, "a web server has no listing of its files", remedy))
            continue
        if not matches:
            remedy = "check the path: it is relative to data.root, or to --data-root"
            problem = f"no file matches {redacted_path(pattern)} in {redacted_path(root.name)}"
            findings.append(_finding(place, problem, remedy))
        if not all(path.resolve().is_relative_to(root.folder) for path in matches):
            remedy = "copy the file, or make the folder it is in the data root"
            findings.append(
                _finding(place, f"{redacted_path(pattern)} leads out of the data root by a link", remedy)
            )
        found.update(matches)
    findings += [
        _finding(place, f"{shown_in(root.folder, one)} is of no kind that can be read", _KINDS)
        for one in sorted(found)
        if family(one) is None
    ]
    if findings:
        raise ConfigurationError("sources can't be found", findings=findings)
    return tuple(sorted(found))


def bring(root: DataRoot, files: Sequence[Path], place: SourceLocation) -> None:
    """Make files readable. Raises ConfigurationError for one that changed meanwhile."""
    try:
        root.bring(files)
    except SourceChangedError as error:
        finding = changed(shown_in(root.folder, error.file), place)
        raise ConfigurationError("sources can't be read", findings=[finding]) from None


_KINDS = "use .csv, .tsv, .jsonl, .ndjson, .json or .parquet; text may be packed as .gz or .zst"


def family(file: Path) -> Family | None:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
        return FAMILIES.get(suffixes[-1]) if suffixes and suffixes[-1] != ".parquet" else None
    return FAMILIES.get(suffixes[-1]) if suffixes else None


def moved(table: Table) -> Finding | None:
    """A file that changed since it was first checked: it is unknown which version was read."""
    for one in table.files:
        if not one.stamp.holds():
            return changed(one.shown, table.place)
    return None


def changed(file: str, place: SourceLocation) -> Finding:
    remedy = "write it beside, rename it into its place when it is whole, and run again"
    return _finding(place, f"{file} changed while it was read", remedy)


def missing(table: Table, columns: Mapping[str, SourceLocation]) -> tuple[Finding, ...]:
    """A finding for each column that some file doesn't have, at the place where it is named."""
    findings = []
    for column, place in columns.items():
        twice = f"{column} (column ".casefold()
        double = [part for part in table.parts if any(one.startswith(twice) for one in part.columns)]
        if double:
            problem = f"this column is there twice in {_first(double)}; upper and lower case are one"
            findings.append(_finding(place, problem, "export it once"))
        lacking = [part for part in table.parts if column.casefold() not in part.columns]
        if lacking:
            offered = [one for part in lacking for one in part.columns.values()]
            problem = f"there is no such column{_lacking(table, lacking, column)}"
            findings.append(_finding(place, problem, suggestion(column, offered, table.origin)))
    return tuple(findings)


def _lacking(table: Table, parts: Sequence[Part], column: str) -> str:
    """In which files. The column is named where others have it: then it surely is the name of a column."""
    if len(parts) == len(table.parts):
        return ""
    return f" in {_first(parts)}" + (f": {column}" if COLUMN.fullmatch(column) else "")


def _first(parts: Sequence[Part]) -> str:
    """The first of their files, and how many more there are."""
    files = [file.shown for part in parts for file in part.files]
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1:,} more"


def rounded(table: Table, columns: Mapping[str, SourceLocation]) -> tuple[Finding, ...]:
    """A finding for each identifier column of Parquet files that isn't text or a whole number."""
    remedy = "store it as text: numbers lose digits and leading zeros"
    return tuple(
        _finding(place, f"the identifiers of this column are stored as {stored}", remedy)
        for one, place in columns.items()
        if (stored := next(filter(None, (_unfit(part, one.casefold()) for part in table.parts)), ""))
    )


def _unfit(part: Part, column: str) -> str:
    found = part.types.get(column, "VARCHAR")
    if WHOLE.fullmatch(found):
        return ""
    words = "floating point" if found in ("FLOAT", "DOUBLE") else found.partition("(")[0].lower()
    return f"{words} in {_first([part])}"


COLUMN = re.compile(r"[A-Za-z_]{1,32}")
"""What a column may be called to be suggested: no digits, as people's ids have them."""


def suggestion(column: str, offered: Iterable[str], origin: RowOrigin = RowOrigin.FILES) -> str:
    """`did you mean`, from what is much like the name that was given; nothing else is ever shown.

    A file without a header line has people where the names should be.
    """
    names = {one.casefold(): one for one in offered if COLUMN.fullmatch(one)}
    close = difflib.get_close_matches(column.casefold(), names, n=1, cutoff=0.75)
    if close:
        return f"did you mean {names[close[0]]}?"
    return origin.value


def shown(column: str) -> str:
    """A column's name, unless it may be a value in the wrong place."""
    return (
        column
        if re.fullmatch(r"[^\W\d][\w .-]{0,63}", column)
        else "(not shown: it doesn't look like a name)"
    )


def shown_in(root: Path, file: Path) -> str:
    """What messages call a file."""
    return redacted_path(file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name)


def _finding(place: SourceLocation, problem: str, remedy: str = "") -> Finding:
    return Finding(str(place), problem, remedy)


def unreadable(error: Exception, files: Sequence[tuple[str, Path]], place: SourceLocation) -> Finding:
    """What a reader's error says of files, as messages call them, in our words: DuckDB's quote the line.

    DuckDB's errors have no code: one type stands for all that can be wrong with a file, and its text alone
    tells file, line and kind.
    """
    text = str(error)
    file = next((one for one, path in files if str(path) in text), files[0][0] if len(files) == 1 else "")
    line = re.search(r"(?:CSV Error on Line: |in line )(\d{1,12})", text)
    where = (file or "a source file") + (f", line {line[1]}" if line else "")
    signs = ((problem, remedy) for sign, problem, remedy in _SIGNS if sign in text)
    problem, remedy = next(
        signs, (f"it can't be read ({type(error).__name__})", "check the file, or export it again")
    )
    return _finding(place, f"{where}: {problem}", remedy)


_SIGNS = (
    ("duplicate key", "a key is there twice in one row", "export it once"),
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
