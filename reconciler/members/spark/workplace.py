"""The folders that this machine and all executors share, and a database on one executor."""

import contextlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from reconciler.core.erasure import NO_ERASURES, ErasureList
from reconciler.core.members import SnapshotRef
from reconciler.core.state.codec import decode_erasures, encode_erasures
from reconciler.members.database import connect, name
from reconciler.members.erased import ErasedMembers
from reconciler.members.snapshots import Snapshots, reader, write

MEMORY = "512MB"
"""What the database of one task may use; more goes to the disk of its executor."""
SECRETS = "cluster-secrets.json"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The key of digests, and the erasure list with its keys."""

    key: bytes = field(repr=False)
    erasures: ErasureList = NO_ERASURES

    @property
    def erased(self) -> ErasedMembers:
        return ErasedMembers(self.erasures)


@dataclass(frozen=True, slots=True)
class Workplace:
    """`root` has the sources, `scratch` what this run writes. It has keys in a file, and never in
    itself: tasks travel through plans.
    """

    root: Path
    scratch: Path

    def share(self, secrets: "Secrets") -> None:
        """Write secrets where tasks find them. Only the owner may read the file; it goes with the folder."""
        content = {
            "key": secrets.key.hex(),
            "erasures": encode_erasures(secrets.erasures.content),
            "keys": [one.hex() for one in secrets.erasures.keys],
        }
        handle = os.open(self.scratch / SECRETS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream)

    def secrets(self) -> "Secrets":
        content = json.loads((self.scratch / SECRETS).read_text(encoding="utf-8"))
        keys = tuple(map(bytes.fromhex, content["keys"]))
        return Secrets(bytes.fromhex(content["key"]), ErasureList(decode_erasures(content["erasures"]), keys))

    def snapshots(self) -> Snapshots:
        return Snapshots(self.scratch, _nothing, self.secrets().key)

    def new_file(self, stem: str) -> Path:
        """Return a path that no other attempt of a task has."""
        return self.scratch / f"{stem}-{uuid.uuid4().hex}.parquet"

    @contextlib.contextmanager
    def cursor(
        self, tables: Mapping[str, Sequence[str]] | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A database of this task with views of files by their names."""
        with tempfile.TemporaryDirectory(prefix="reconciler-task-") as spill:
            folder = Path(spill).resolve()
            with contextlib.closing(connect((self.root, self.scratch, folder), folder, MEMORY, 1)) as cursor:
                for table, files in (tables or {}).items():
                    cursor.execute(
                        f"CREATE TEMP VIEW {name(table)} AS SELECT * FROM {reader(*map(Path, files))}"
                    )
                yield cursor

    def written(self, cursor: duckdb.DuckDBPyConnection, stem: str, query: str) -> tuple[str, int]:
        """Write the rows of a query to a new file. Returns its path, and how many there are."""
        file = self.new_file(stem)
        return str(file), write(cursor, query, file)


def _nothing(snapshot: SnapshotRef) -> str:
    raise FileNotFoundError(snapshot.digest)
