"""The process that reads the log of a Delta table: a folder comes in, the latest version goes out, as JSON.

deltalake may end its process on a damaged log, and prints what it finds: values of rows are in a log. So
nobody reads what this process prints as errors. `cause` says what was found instead of a version.
"""

import json
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

FEATURES = frozenset({"columnMapping", "deletionVectors", "timestampNtz", "vacuumProtocolCheck"})
"""Features of a table that change no row here, or are refused where a table uses them."""
MODE = "delta.columnMapping.mode"
UNSUPPORTED = ("Feature '", "Unsupported minimum reader version")
"""What errors of deltalake say of a table that needs a newer reader."""
VALUES = {
    "string": str,
    "byte": int,
    "short": int,
    "integer": int,
    "long": int,
    "date": date,
    "boolean": bool,
}
"""The Python type of values of a partition column, by its type in the log."""


def main() -> None:
    asked = json.load(sys.stdin)
    json.dump(latest(asked["folder"]), sys.stdout)


def latest(folder: str) -> dict[str, Any]:
    """Return the latest version of a table, or the `cause` for which it can't be used."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        table = DeltaTable(folder)
    except DeltaError as error:
        return {"cause": "features" if any(sign in str(error) for sign in UNSUPPORTED) else "damaged"}
    unknown = set(table.protocol().reader_features or ()) - FEATURES
    if unknown:
        return {"cause": "features", "features": sorted(unknown)}
    if table.metadata().configuration.get(MODE) not in (None, "none"):
        return {"cause": "columnMapping"}
    if any(batch.num_rows for batch in _selections(table)):
        return {"cause": "deletionVectors"}
    return _version(table)


def _version(table: Any) -> dict[str, Any]:
    fields = json.loads(table.schema().to_json())["fields"]
    types = {one["name"]: one["type"] if isinstance(one["type"], str) else "" for one in fields}
    partitions = table.metadata().partition_columns
    if odd := [one for one in partitions if types[one] not in VALUES]:
        return {"cause": "partition", "column": odd[0]}
    found = table.get_add_actions(flatten=False)
    values = found["partition"].to_pylist() if partitions and found.num_rows else [{}] * found.num_rows
    files = zip(
        found["path"].to_pylist(),
        found["size_bytes"].to_pylist(),
        found["modification_time"].to_pylist(),
        ([_stated(one[column], types[column]) for column in partitions] for one in values),
        strict=True,
    )
    return {
        "version": table.version(),
        "columns": list(types.items()),
        "partitions": partitions,
        "files": list(files),
    }


def _selections(table: Any) -> Iterator[Any]:
    """Yield the rows that deletion vectors select. Their files are not in this folder, so most fail."""
    from deltalake.exceptions import DeltaError

    try:
        yield from table.deletion_vectors()
    except DeltaError:
        if "deletionVectors" not in (table.protocol().reader_features or ()):
            raise
        yield from [_Unread()]


class _Unread:
    """A deletion vector whose file is not here."""

    num_rows = 1


def _stated(value: object, type_: str) -> str | int | None:
    """Return a value as JSON has it. Raises TypeError for a value that is not of its type."""
    if value is None:
        return None
    if not isinstance(value, VALUES[type_]):
        raise TypeError
    return value.isoformat() if isinstance(value, date) else value  # type: ignore[return-value] # str or int


if __name__ == "__main__":
    main()
