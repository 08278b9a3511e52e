"""Where an identifier in CSV has a line break inside: two stray quotes make one value of all between them."""

import csv
from collections.abc import Collection, Iterator

from reconciler.core.errors import Finding
from reconciler.core.identifiers import BLANKS
from reconciler.members.parts import File, Part
from reconciler.members.sources import LINE_BREAKS, Table


def line_break(table: Table, columns: Collection[str]) -> Finding:
    """Names the first file and line. Reads rows again, since DuckDB doesn't number them."""
    places = (
        f"{file.shown}, line {line:,}"
        for part in table.parts
        for file in part.files
        for line in _broken_lines(part, file, columns)
    )
    return Finding(
        str(table.place),
        f"{next(places, 'a source file')}: an identifier holds a line break",
        "a quote is probably opened too early: correct the line, or export the file again",
    )


def _broken_lines(part: Part, file: File, columns: Collection[str]) -> Iterator[int]:
    """The lines on which such rows begin."""
    folded = list(part.columns)
    places = [folded.index(one.casefold()) for one in columns]
    with file.path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        rows = csv.reader(text, delimiter=part.separator)
        start = 0
        try:
            for row in rows:
                if start and any(_is_broken(row[at]) for at in places if at < len(row)):
                    yield start + 1
                start = rows.line_num
        except csv.Error:  # so long a value is one that a stray quote has opened
            yield start + 1


def _is_broken(value: str) -> bool:
    return any(one in value.strip(BLANKS) for one in LINE_BREAKS)
