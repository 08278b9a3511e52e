"""What text columns of a source mean in its `where`: numbers, dates, times, yes/no, or text.

A column has one meaning, decided by every value of every file: the first reading that fits all of
them. The first rows give a guess; the scan checks it, and only if it fails are all rows asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from reconciler.members.database import literal
from reconciler.members.sources import Table

SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class ColumnType:
    """How to read a text: `{x}` stands for it, trimmed, NULL if empty. `fits` says whether it can be."""

    words: str
    value: str
    fits: str


# No leading zeros and at most 15 digits: what a double holds exactly, and nothing that is a code.
_NUMBER = literal("[+-]?(?:0|[1-9][0-9]{0,14})?(?:\\.[0-9]{1,15})?")
_TIME = "timezone('UTC', TRY_CAST({x} AS TIMESTAMPTZ))"
NOTHING = ColumnType("empty", "NULL", "false")
TEXT = ColumnType("text", "{x}", "true")
READINGS = (
    NOTHING,
    ColumnType(
        "number",
        "TRY_CAST({x} AS DOUBLE)",
        "regexp_full_match({x}, " + _NUMBER + ") AND TRY_CAST({x} AS DOUBLE) IS NOT NULL",
    ),
    ColumnType("date", "TRY_CAST({x} AS DATE)", "strlen({x}) = 10 AND TRY_CAST({x} AS DATE) IS NOT NULL"),
    ColumnType("time", _TIME, "strlen({x}) >= 10 AND " + _TIME + " IS NOT NULL"),
    ColumnType(
        "yes/no",
        "CASE lower({x}) WHEN 'true' THEN true WHEN 'false' THEN false END",
        "lower({x}) IN ('true', 'false')",
    ),
)


def guessed(
    cursor: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[str]
) -> Mapping[str, ColumnType]:
    """From the first rows."""
    return _fitting(cursor, table, columns, f"(SELECT * FROM {table.relation(columns)} LIMIT {SAMPLE})")


def decided(
    cursor: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[str]
) -> Mapping[str, ColumnType]:
    """From every row."""
    return _fitting(cursor, table, columns, table.relation(columns))


def _fitting(
    cursor: duckdb.DuckDBPyConnection, table: Table, columns: Sequence[str], rows: str
) -> Mapping[str, ColumnType]:
    """The first reading that fits all values of a column."""
    if not columns:
        return {}
    tests = ", ".join(f"bool_and({fits(table, one, reading)})" for one in columns for reading in READINGS)
    fitting = iter(cursor.execute(f"SELECT {tests} FROM {rows} AS r").fetchone() or ())
    found = {}
    for one in columns:
        fit = [next(fitting) is not False for _ in READINGS]
        found[one] = next((reading for reading, fits_it in zip(READINGS, fit, strict=True) if fits_it), TEXT)
    return found


def read(table: Table, column: str, reading: ColumnType) -> str:
    """What a column of `relation` means."""
    return table.text(column) if reading is TEXT else reading.value.replace("{x}", _trimmed(table, column))


def fits(table: Table, column: str, reading: ColumnType) -> str:
    """Whether the reading can be right for a value."""
    trimmed = _trimmed(table, column)
    return f"({trimmed} IS NULL OR coalesce({reading.fits.replace('{x}', trimmed)}, false))"


def words(table: Table, readings: Mapping[str, ColumnType], columns: Iterable[str]) -> str:
    """`last_order is a date, city is text`: for messages."""
    stored = {one: table.types.get(one.casefold(), "text").partition("(")[0].lower() for one in columns}
    return ", ".join(f"{one} is {readings[one].words if one in readings else stored[one]}" for one in stored)


def _trimmed(table: Table, column: str) -> str:
    return f"nullif(trim({table.text(column)}), '')"
