"""Batches of Arrow with names of ours, and without types of a driver's own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow


def numbered(schema: "pyarrow.Schema") -> "pyarrow.Schema":
    """Return a schema whose columns are called `c0`…"""
    import pyarrow

    return pyarrow.schema([(f"c{index}", _stored(one.type)) for index, one in enumerate(schema)])


def renamed(batch: "pyarrow.RecordBatch", schema: "pyarrow.Schema") -> "pyarrow.RecordBatch":
    """Return a batch with the numbered schema of its own."""
    import pyarrow

    columns = [getattr(one, "storage", one) for one in batch.columns]
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


def _stored(kind: Any) -> Any:
    return getattr(kind, "storage_type", kind)
