"""Columns of which all rows of a file have one value: of folders, or of the log or metadata of a table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.core.errors import Finding
from reconciler.core.model import SourceLocation
from reconciler.members.parts import Part
from reconciler.members.pruning import Values

FILE_INDEX = "file_index"
"""DuckDB's column of a file's position among those of its reader."""


@dataclass(frozen=True, slots=True)
class SharedColumn:
    """`type` is DuckDB's."""

    name: str
    type: str


def with_shared(part: Part, columns: Sequence[SharedColumn], values: Mapping[Path, Values]) -> Part:
    """Return a part with these columns, whose values are in the order of the columns."""
    shared = {
        one.name.casefold(): tuple(values[file.stamp.file][index] for file in part.files)
        for index, one in enumerate(columns)
    }
    names = {one.name.casefold(): one.name for one in columns}
    types = {one.name.casefold(): one.type for one in columns}
    return replace(part, columns={**part.columns, **names}, types={**part.types, **types}, shared=shared)


def unsuited(parts: Iterable[Part], key: str, place: SourceLocation) -> Iterator[Finding]:
    """Yield a finding for files that can have no shared columns. `key` is what asks for them."""
    for part in parts:
        if FILE_INDEX in part.columns:
            problem = (
                f"{part.files[0].shown} has a column `{FILE_INDEX}`, which a source with `{key}` can't have"
            )
            yield Finding(str(place), problem, "rename the column")
