"""Columns of BigQuery: what a dry run calls them, and what they are in Arrow."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

Field = Mapping[str, Any]
"""A `TableFieldSchema` of the REST API."""
_ARROW = {
    **dict.fromkeys(("INTEGER", "INT64"), "int64"),
    **dict.fromkeys(("FLOAT", "FLOAT64"), "float64"),
    **dict.fromkeys(("BOOLEAN", "BOOL"), "bool"),
    "BYTES": "binary",
    "DATE": "date32",
    "DATETIME": "timestamp[us]",
    "INTERVAL": "month_day_nano_interval",
    "TIME": "time64[us]",
}
_UNFIT = {"BIGNUMERIC", "GEOGRAPHY", "JSON"}
"""Types that are read as text, and that hold no text."""


def schema(fields: Sequence[Field]) -> "pyarrow.Schema":
    """Return the columns of a result, called `c0`…, with types that DuckDB reads."""
    import pyarrow

    return pyarrow.schema([(f"c{index}", _type(one)) for index, one in enumerate(fields)])


def unfit(fields: Sequence[Field]) -> dict[int, str]:
    return {index: one["type"] for index, one in enumerate(fields) if one["type"] in _UNFIT}


def _type(field: Field) -> Any:
    import pyarrow

    kind = _single(field)
    return pyarrow.list_(kind) if field.get("mode") == "REPEATED" else kind


def _single(field: Field) -> Any:
    import pyarrow

    name = field["type"]
    if name in ("RECORD", "STRUCT"):
        return pyarrow.struct([(one["name"], _type(one)) for one in field["fields"]])
    if name == "RANGE":
        ends = _single(field["rangeElementType"])
        return pyarrow.struct([("start", ends), ("end", ends)])
    if name == "NUMERIC":
        return pyarrow.decimal128(38, 9)
    if name == "TIMESTAMP":
        return pyarrow.timestamp("us", tz="UTC")
    return pyarrow.type_for_alias(_ARROW.get(name, "string"))
