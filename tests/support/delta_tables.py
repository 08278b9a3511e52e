"""Delta tables that delta-rs writes, and their logs."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import write_deltalake

Action = dict[str, Any]


def write_table(
    folder: Path,
    columns: Mapping[str, Sequence[object]],
    partitions: Sequence[str] = (),
    mode: Any = "append",
    schema_mode: Any = None,
    types: Mapping[str, pa.DataType] | None = None,
) -> None:
    """Write one version."""
    known = types or {}
    arrays = {name: pa.array(list(values), known.get(name)) for name, values in columns.items()}
    write_deltalake(
        folder, pa.table(arrays), partition_by=[*partitions] or None, mode=mode, schema_mode=schema_mode
    )


def commit(folder: Path, version: int = 0) -> Path:
    return folder / "_delta_log" / f"{version:020}.json"


def actions(folder: Path, version: int = 0) -> list[Action]:
    return [json.loads(line) for line in commit(folder, version).read_text().splitlines()]


def rewrite(folder: Path, change: Callable[[Action], object], version: int = 0) -> None:
    """Change each action of a commit in place."""
    found = actions(folder, version)
    for one in found:
        change(one)
    commit(folder, version).write_text("".join(json.dumps(one) + "\n" for one in found))


def added_files(folder: Path, version: int = 0) -> list[Path]:
    """Return the files that a commit adds."""
    return [folder / unquote(one["add"]["path"]) for one in actions(folder, version) if "add" in one]


def map_columns(folder: Path) -> None:
    """Rewrite the first commit as a writer with column mapping does."""

    def change(action: Action) -> None:
        action.get("protocol", {}).update(minReaderVersion=2, minWriterVersion=5)
        if stated := action.get("metaData"):
            schema = json.loads(stated["schemaString"])
            for number, field in enumerate(schema["fields"], 1):
                mapped = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": field["name"]}
                field["metadata"] = mapped
            stated["schemaString"] = json.dumps(schema)
            stated["configuration"] = {
                "delta.columnMapping.mode": "name",
                "delta.columnMapping.maxColumnId": str(len(schema["fields"])),
            }

    rewrite(folder, change)
