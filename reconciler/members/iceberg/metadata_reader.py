"""The process that reads the metadata of an Iceberg table, and asks for the files that it needs, as JSON.

Manifests contain values of rows, and pyiceberg quotes what it can't read. So nobody reads what this process
prints as errors. `cause` says what was found instead of a snapshot.
"""

import contextlib
import gzip
import json
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pyiceberg.io import FileIO, InputFile
from pyiceberg.manifest import DataFileContent, FileFormat, ManifestContent, ManifestFile, read_manifest_list
from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil
from pyiceberg.table.snapshots import Operation, Snapshot

FORMATS = (1, 2)
VALUES: Mapping[str, type] = {"string": str, "int": int, "long": int, "date": int, "boolean": bool}
"""The Python type of values of a partition, by its type in the metadata. A date is a number of days."""
_EPOCH = date(1970, 1, 1)

Value = str | int | None
Fetch = Callable[[str, Sequence[str]], Sequence[str]]
"""Returns where files of a table are on this machine, by the location of the table and their own."""


class RefusedError(Exception):
    """A table that can't be used; says the cause."""


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    with contextlib.suppress(ValueError, OSError):  # a system that has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
    try:
        found = current(Path(asked["metadata"]), _fetch)
    except MemoryError:
        found = {"cause": "memory"}
    json.dump(found, sys.stdout)


def _fetch(table: str, locations: Sequence[str]) -> Sequence[str]:
    """Ask the process that started this one."""
    sys.stdout.write(json.dumps({"location": table, "wanted": [*locations]}) + "\n")
    sys.stdout.flush()
    found: list[str] = json.loads(sys.stdin.readline())
    return found


def current(metadata: Path, fetch: Fetch) -> dict[str, Any]:
    """Return the current snapshot of a table, or the `cause` for which it can't be used."""
    content = metadata.read_bytes()
    stated = json.loads(gzip.decompress(content) if metadata.name.endswith(".gz.metadata.json") else content)
    if stated["format-version"] not in FORMATS:
        return {"cause": "format"}
    table = TableMetadataUtil.parse_obj(stated)
    try:
        files = [*_files(table, fetch)]
    except RefusedError as error:
        return {"cause": str(error)}
    except ImportError:  # Snappy
        return {"cause": "codec"}
    if not _is_whole(table, len(files)):
        return {"cause": "count"}
    mapping = table.name_mapping()
    return {
        "location": table.location,
        "columns": [(one.field_id, one.name, str(one.field_type)) for one in table.schema().fields],
        "names": {name: one.field_id for one in mapping for name in one.names} if mapping else {},
        "files": files,
        "changed_at": _changed_at(table),
    }


def _files(table: TableMetadata, fetch: Fetch) -> Iterator[tuple[str, int, dict[int, Value]]]:
    """Yield the path and the size of each live file, and the values of its partitions by column."""
    if table.current_snapshot_id is None:
        return
    path = _snapshot(table, table.current_snapshot_id).manifest_list
    manifests = [*read_manifest_list(_here(table, [path], fetch).new_input(path))]
    here = _here(table, [one.manifest_path for one in manifests], fetch)
    for manifest in manifests:
        if len(here.new_input(manifest.manifest_path)) != manifest.manifest_length:
            raise EOFError
        for entry in manifest.fetch_manifest_entry(here):
            file = entry.data_file
            if manifest.content != ManifestContent.DATA or file.content != DataFileContent.DATA:
                raise RefusedError("deletes")
            if file.file_format != FileFormat.PARQUET:
                raise RefusedError("kind")
            if file.key_metadata is not None:
                raise RefusedError("encrypted")
            values = _values(table, manifest, [file.partition[at] for at in range(len(file.partition))])
            yield file.file_path, file.file_size_in_bytes, values


def _is_whole(table: TableMetadata, files: int) -> bool:
    """Return whether there are as many files as the snapshot states, if it does.

    A manifest list that was cut between two blocks looks complete, because its length is written nowhere.
    """
    snapshot = table.current_snapshot()
    counts = snapshot.summary.additional_properties if snapshot and snapshot.summary else {}
    return counts.get("total-data-files", str(files)) == str(files)


def _snapshot(table: TableMetadata, number: int) -> Snapshot:
    found = table.snapshot_by_id(number)
    if found is None:
        raise KeyError
    return found


def _values(table: TableMetadata, manifest: ManifestFile, stated: Sequence[object]) -> dict[int, Value]:
    """Return the values that all rows of a file have, of columns that the table is partitioned by as such."""
    fields = table.specs()[manifest.partition_spec_id].fields
    types = {one.field_id: str(one.field_type) for one in table.schema().fields}
    return {
        one.source_id: _json(value, types[one.source_id])
        for one, value in zip(fields, stated, strict=True)
        if str(one.transform) == "identity" and types.get(one.source_id) in VALUES
    }


def _json(value: object, type_: str) -> Value:
    """Return a value as JSON has it. Raises TypeError for a value that is not of its type."""
    if value is None:
        return None
    if type(value) is not VALUES[type_] or not isinstance(value, str | int):
        raise TypeError
    return (_EPOCH + timedelta(days=int(value))).isoformat() if type_ == "date" else value


def _changed_at(table: TableMetadata) -> int | None:
    """Return when the newest snapshot that changed rows was written, in milliseconds; None if it is gone."""
    snapshots = {one.snapshot_id: one for one in table.snapshots}
    number = table.current_snapshot_id
    while number is not None and (snapshot := snapshots.pop(number, None)):  # a circle of parents ends too
        if _changes_rows(snapshot):
            return snapshot.timestamp_ms
        number = snapshot.parent_snapshot_id
    return None


def _changes_rows(snapshot: Snapshot) -> bool:
    """Return whether a snapshot may have changed rows.

    Compaction replaces files, and no row; a writer of a stream also commits if nothing arrived.
    """
    if snapshot.summary is None:
        return True
    counts = snapshot.summary.additional_properties
    changed = [value for key, value in counts.items() if key.startswith(("added-", "deleted-", "removed-"))]
    stated = "total-data-files" in counts
    return snapshot.summary.operation is not Operation.REPLACE and (
        any(one != "0" for one in changed) or not stated
    )


class _File(InputFile):
    """A file of the table that is on this machine."""

    def __init__(self, location: str, path: Path) -> None:
        super().__init__(location)
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        return self._path.exists()

    def open(self, seekable: bool = True) -> Any:  # noqa: ARG002 - as pyiceberg declares it
        return self._path.open("rb")


class _Files(FileIO):
    """The files of the table that were fetched. Nothing is written."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        super().__init__()
        self._paths = paths

    def new_input(self, location: str) -> InputFile:
        return _File(location, self._paths[location])

    def new_output(self, location: str) -> Any:
        raise NotImplementedError

    def delete(self, location: Any) -> None:
        raise NotImplementedError


def _here(table: TableMetadata, locations: Sequence[str], fetch: Fetch) -> _Files:
    return _Files(dict(zip(locations, map(Path, fetch(table.location, locations)), strict=True)))


if __name__ == "__main__":
    main()
