"""Source files that have the same columns, and what a column is in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.members.database import name, paths
from reconciler.members.file_stamp import FileStamp


@dataclass(frozen=True, slots=True)
class File:
    """`path` is what is read: of a packed file, its content. `shown` is what messages call it."""

    shown: str
    path: Path
    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column of files by its name there, and the type that its values become; "" for their own type."""

    name: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Files with the same columns, which one function call reads; of CSV, `separator` is between values.

    `columns` maps a case-folded name to the name in them, `types` to DuckDB's type; text has none. All rows
    of a file have one value of a `shared` column: an SQL literal for each file, by the case-folded name.
    `ids` maps the number of a column to the name in them. `stored` has columns that a table names otherwise.
    """

    files: tuple[File, ...]
    reader: str
    columns: Mapping[str, str]
    types: Mapping[str, str]
    separator: str = ""
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ids: Mapping[int, str] = field(default_factory=dict)
    stored: Mapping[str, StoredColumn] = field(default_factory=dict)

    def item(self, column: str) -> str:
        """Return a column as the reader has it, or as the value that it has in each file."""
        if values := self.shared.get(column.casefold()):
            return f"([{', '.join(values)}])[file_index::BIGINT + 1]"
        found = self.in_files(column)
        return f"CAST({name(found.name)} AS {found.type})" if found.type else name(found.name)

    def in_files(self, column: str) -> StoredColumn:
        """Return what a column is in the files."""
        folded = column.casefold()
        return self.stored.get(folded) or StoredColumn(self.columns.get(folded, column))

    def of(self, files: tuple[File, ...]) -> "Part":
        """Return some of the files, with their values of shared columns."""
        every, some = (paths(one.path for one in read) for read in (self.files, files))
        at = [self.files.index(one) for one in files]
        shared = {one: tuple(values[index] for index in at) for one, values in self.shared.items()}
        return replace(self, files=files, reader=self.reader.replace(every, some), shared=shared)
