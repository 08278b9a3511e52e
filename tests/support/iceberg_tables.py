"""Iceberg tables that pyiceberg writes with a catalog of its own, and their metadata."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.manifest import ManifestContent, write_manifest, write_manifest_list
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import IcebergType, IntegerType, NestedField, StringType

from reconciler.members.iceberg import metadata_reader, snapshot
from reconciler.members.intake import UnusableError

Types = Mapping[str, IcebergType]
PEOPLE: Types = {"id": StringType(), "region": StringType(), "n": IntegerType()}


def catalog(folder: Path) -> Catalog:
    """Return a catalog in a file of SQLite."""
    folder.mkdir(parents=True, exist_ok=True)
    found = load_catalog("tests", type="sql", uri=f"sqlite:///{folder}/catalog.db", warehouse=str(folder))
    found.create_namespace_if_not_exists("crm")
    return found


def create(folder: Path, types: Types = PEOPLE, partitions: Sequence[str] = (), **properties: str) -> Table:
    """Return a new table in a folder, without rows. The catalog lies beside the data root."""
    fields = [NestedField(number, name, kind) for number, (name, kind) in enumerate(types.items(), 1)]
    names = [*types]
    spec = [
        PartitionField(names.index(one) + 1, 1000 + at, IdentityTransform(), one)
        for at, one in enumerate(partitions)
    ]
    return catalog(folder.parents[1] / "catalog").create_table(
        f"crm.{folder.name}",
        Schema(*fields),
        location=folder.as_uri(),
        partition_spec=PartitionSpec(*spec),
        properties={"format-version": "2", **properties},
    )


def append(table: Table, **columns: Sequence[object]) -> None:
    """Add one file of rows for each partition."""
    schema = table.schema().as_arrow()
    arrays = {name: pa.array(list(values), schema.field(name).type) for name, values in columns.items()}
    table.append(pa.table(arrays))


def newest(folder: Path) -> Path:
    """Return the newest metadata file."""
    return max(folder.glob("metadata/*.metadata.json"))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the newest metadata in place."""
    stated = json.loads(newest(folder).read_text())
    change(stated)
    newest(folder).write_text(json.dumps(stated))


def rewrite_files(
    table: Table, change: Callable[[list[Any]], object], content: ManifestContent = ManifestContent.DATA
) -> None:
    """Change what the manifests of the current snapshot state of each data file, in place.

    The fields of a file are in the order of `DataFile`. pyiceberg writes no manifest of deletes itself.
    """
    current, io = table.current_snapshot(), table.io
    assert current
    manifests = []
    for one in current.manifests(io):
        path, entries = io.new_output(one.manifest_path), one.fetch_manifest_entry(io)
        spec = table.specs()[one.partition_spec_id]
        with write_manifest(2, spec, table.schema(), path, current.snapshot_id, "gzip") as writer:
            for entry in entries:
                change(entry.data_file._data)
                writer.add_entry(entry)
        written = writer.to_manifest_file()
        written._data[3] = content
        manifests.append(written)
    listed = io.new_output(current.manifest_list)
    number = current.sequence_number or 0
    with write_manifest_list(2, listed, current.snapshot_id, None, number, "gzip") as found:
        found.add_manifests(manifests)


def data_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def read_here(metadata: Path, fetch: snapshot.Fetch, _: Callable[[], None]) -> dict[str, Any] | None:
    """Read metadata in this process: another one would load pyiceberg again."""

    def fetched(location: str, wanted: Sequence[str]) -> list[str]:
        return [str(one) for one in fetch(location, wanted)]

    try:
        found: dict[str, Any] = json.loads(json.dumps(metadata_reader.current(metadata, fetched)))
    except UnusableError:
        raise
    except Exception:  # noqa: BLE001 - as the other process, which ends with any error
        return None
    return found
