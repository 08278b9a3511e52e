"""Columns of an Iceberg table in its files: a column has one number there, whatever it was called."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.members.intake import UnusableError
from reconciler.members.parts import Part, StoredColumn
from reconciler.members.shared_values import SharedColumn, with_shared
from reconciler.members.table_files import AGAIN

_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}
"""DuckDB's types of columns, by their types in the metadata."""
_DECIMAL = re.compile(r"decimal\(([0-9]{1,2}), ?([0-9]{1,2})\)")
_PROMOTED = frozenset({("INTEGER", "BIGINT"), ("FLOAT", "DOUBLE")})
"""Types of files that the type of a table replaces, because its owner changed the type later."""
_TWICE = re.compile(r" \(column [0-9]+\)$")
"""What ends the name of a column whose name another column of the file has."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its number, its name now, and DuckDB's type."""

    id: int
    name: str
    type: str


def readable(stated: Sequence[tuple[int, str, str]]) -> tuple[Column, ...]:
    """Return the columns whose types can be read: none that has parts. Raises UnusableError."""
    if len({name.casefold() for _, name, _ in stated}) < len(stated):
        problem = "has columns whose names differ in upper and lower case only"
        raise UnusableError(problem, "let its owner rename one of them")
    if len({number for number, _, _ in stated}) < len(stated):
        raise UnusableError("has two columns with one id", AGAIN)
    types = ((number, name, _type(kind)) for number, name, kind in stated)
    return tuple(Column(number, name, kind) for number, name, kind in types if kind)


def _type(stated: str) -> str:
    if decimal := _DECIMAL.fullmatch(stated):
        return f"DECIMAL({decimal[1]},{decimal[2]})"
    return _TYPES.get(stated, "")


def mapped(
    part: Part, columns: Sequence[Column], names: Mapping[str, int], values: Mapping[Path, Mapping[int, str]]
) -> Part:
    """Return files with the columns of a table. Raises UnusableError for files whose columns have no number.

    `names` number the columns of such files. A file that lacks a column has the one value that `values` state
    for it, or none.
    """
    there = _numbered(part, names)
    found = {one: there[one.id] for one in columns if one.id in there}
    stored = {one.name.casefold(): _stored(part, name, one) for one, name in found.items()}
    types = {key: one.type or part.types[one.name.casefold()] for key, one in stored.items()}
    lacking = [one for one in columns if one.id not in there]
    literals = {
        file.stamp.file: tuple(values[file.stamp.file].get(one.id, f"NULL::{one.type}") for one in lacking)
        for file in part.files
    }
    known = {one.name.casefold(): one.name for one in found}
    own = replace(part, columns=known, types=types, stored=stored)
    return with_shared(own, [SharedColumn(one.name, one.type) for one in lacking], literals)


def _stored(part: Part, name: str, column: Column) -> StoredColumn:
    is_promoted = (part.types[name.casefold()], column.type) in _PROMOTED
    return StoredColumn(name, column.type if is_promoted else "")


def _numbered(part: Part, names: Mapping[str, int]) -> Mapping[int, str]:
    """Return the names in the files, by the numbers of the columns."""
    if part.ids and len(part.ids) == len(part.columns):
        return part.ids
    known = {names[one]: one for one in part.columns.values() if one in names}
    double = any(_TWICE.search(one) for one in part.columns.values())
    if part.ids or not names or double or len(known) < sum(one in names for one in part.columns.values()):
        raise UnusableError(
            "has files whose columns have no ids, or not one id each",
            f"let its owner set schema.name-mapping.default, or run rewrite_data_files; else {AGAIN}",
        )
    return known
