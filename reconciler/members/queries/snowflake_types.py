"""The types of Snowflake's columns as Arrow brings them, and as the engine reads them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reconciler.members.queries.problems import QueryError, QueryProblem

if TYPE_CHECKING:
    import pyarrow

_TYPE_KEYS = (b"SNOWFLAKE_TYPE", b"logicalType")
"""Where the driver puts the type: of a description, and of rows."""
_STRUCTURED = frozenset({"variant", "object", "array", "geography", "geometry", "vector"})
"""Types that Arrow has as text, and that hold none."""


def numbered(schema: "pyarrow.Schema") -> "pyarrow.Schema":
    """Return a schema with names of ours. `NUMBER` without decimal places is a whole number."""
    import pyarrow

    return pyarrow.schema([(f"c{index}", _stored(one.type)) for index, one in enumerate(schema)])


def stored(batch: "pyarrow.RecordBatch", schema: "pyarrow.Schema") -> "pyarrow.RecordBatch":
    """Return a batch with another schema. A number of more than 18 digits may have no place in it."""
    import pyarrow

    try:
        columns = [one.cast(field.type) for one, field in zip(batch.columns, schema, strict=True)]
    except pyarrow.ArrowInvalid:
        raise QueryError(QueryProblem.VALUE) from None
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


def unfit(schema: "pyarrow.Schema") -> dict[int, str]:
    """Return the types, by the number of a column, that hold no text though Arrow has it."""
    named = {index: _type(one.metadata or {}) for index, one in enumerate(schema)}
    return {index: kind.upper() for index, kind in named.items() if kind in _STRUCTURED}


def _type(facts: Mapping[bytes, bytes]) -> str:
    return next((facts[key].decode().lower() for key in _TYPE_KEYS if key in facts), "")


def _stored(kind: Any) -> Any:
    import pyarrow

    return pyarrow.int64() if pyarrow.types.is_decimal(kind) and kind.scale == 0 else kind
