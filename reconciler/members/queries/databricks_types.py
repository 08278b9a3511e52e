"""Columns of Databricks: what its SQL calls their types, and what these are in Arrow."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

_ARROW = {
    "bigint": "int64",
    "binary": "binary",
    "boolean": "bool",
    "date": "date32",
    "double": "float64",
    "float": "float32",
    "int": "int32",
    "smallint": "int16",
    "timestamp_ntz": "timestamp[us]",
    "tinyint": "int8",
}
_UNFIT = frozenset(
    {"array", "geography", "geometry", "interval", "map", "object", "struct", "user_defined_type", "variant"}
)
"""Types that may arrive as text, and that hold no text."""
_NAME = re.compile(r"[a-z_]*")
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result. `type_text` is its type in SQL."""

    name: str
    type_text: str

    @property
    def kind(self) -> str:
        """Return its type without parameters."""
        found = _NAME.match(self.type_text.strip().lower())
        return found[0] if found else ""


def schema(columns: Sequence[Column]) -> "pyarrow.Schema":
    """Return the columns of a result, called `c0`…, with types that DuckDB reads."""
    import pyarrow

    return pyarrow.schema([(f"c{index}", _type(one)) for index, one in enumerate(columns)])


def received(schema_: "pyarrow.Schema") -> "pyarrow.Schema":
    """Return the columns of rows that arrive, called `c0`…; one that has no value at all is text."""
    import pyarrow

    kinds = [pyarrow.string() if pyarrow.types.is_null(one) else one for one in schema_.types]
    return pyarrow.schema([(f"c{index}", one) for index, one in enumerate(kinds)])


def unfit(columns: Sequence[Column]) -> dict[int, str]:
    return {index: one.kind.upper() for index, one in enumerate(columns) if one.kind in _UNFIT}


def _type(column: Column) -> Any:
    import pyarrow

    if column.kind == "timestamp":
        return pyarrow.timestamp("us", tz="UTC")
    if found := _DECIMAL.match(column.type_text.strip().lower()):
        return pyarrow.decimal128(min(int(found[1]), 38) or 38, int(found[2]))
    return pyarrow.type_for_alias(_ARROW.get(column.kind, "string"))
