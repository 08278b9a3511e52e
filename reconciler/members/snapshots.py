"""Snapshots on disk: Parquet with one column, `member`, named by a keyed digest of the set.

The digest doesn't depend on the order of members: each is turned into two 64-bit numbers with a
key, the numbers are summed, and the sums and the count are sealed with the key once more.
"""

import contextlib
import hashlib
import hmac
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from reconciler.core.errors import DamagedError
from reconciler.core.members import EMPTY, SnapshotRef
from reconciler.core.model import Form
from reconciler.members.database import blob, literal, number

PUT_BACK = (
    "put it back from a backup (docs/state.md), or go back: `reconciler state history`, then "
    "`state restore --accept-loss`"
)
LANE = "(1::UHUGEINT << 64) - 1"
UNCOMPRESSED = "(FORMAT parquet, PARQUET_VERSION v2, COMPRESSION uncompressed, USE_TMP_FILE false)"
"""Digests don't compress, and compressing them costs more than all else."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The snapshots that one process works with, in a folder that goes when it ends.

    What must last is kept in the state, from where `fetch` brings it: no copies of people pile up.
    """

    scratch: Path
    fetch: Callable[[SnapshotRef], str]
    key: bytes

    def keep(self, cursor: duckdb.DuckDBPyConnection, members: str, form: Form) -> SnapshotRef:
        """Writes the distinct members that a query selects; a set that is there already costs its digest."""
        with self.draft() as draft:
            cursor.execute(f"COPY ({members}) TO {literal(str(draft))} {UNCOMPRESSED}")
            snapshot = self._named(cursor, draft, form)
            if snapshot:
                draft.replace(self._file(snapshot))
        return snapshot

    @contextlib.contextmanager
    def draft(self) -> Iterator[Path]:
        """A new file, to be moved to its place when it is whole; nobody else may read it."""
        handle, name = tempfile.mkstemp(dir=self.scratch, suffix=".parquet")
        os.close(handle)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _named(self, cursor: duckdb.DuckDBPyConnection, file: Path, form: Form) -> SnapshotRef:
        lanes_key = hmac.digest(self.key, b"lanes", "sha256")[:16]
        content = "encode(member)" if form == Form.PLAIN else "member"
        row = cursor.execute(
            f"SELECT count(*), sum((x >> 64)::UBIGINT), sum((x & ({LANE}))::UBIGINT) "
            f"FROM (SELECT md5_number({blob(lanes_key)} || {content}) AS x FROM {reader(file)} AS drafted)"
        ).fetchone()
        count, high, low = row or (0, 0, 0)
        if not count:
            return EMPTY
        digest = hmac.new(self.key, f"{form.value}:{count}:{high}:{low}".encode(), hashlib.sha256).hexdigest()
        return SnapshotRef(digest, int(count))

    def path(self, cursor: duckdb.DuckDBPyConnection, snapshot: SnapshotRef) -> Path:
        """The file of a snapshot that isn't empty, fetched if need be, and found to be whole."""
        file = kept = self._file(snapshot)
        if not file.exists():
            kept = Path(self.fetch(snapshot))
            self._bring(kept, file)
        try:
            rows = number(cursor, f"SELECT sum(num_rows) FROM parquet_file_metadata({literal(str(file))})")
        except duckdb.Error:
            raise DamagedError(f"{kept}: a snapshot is damaged", remedy=PUT_BACK) from None
        if rows != snapshot.count:
            raise DamagedError(
                f"snapshot {snapshot.digest[:12]} holds {rows:,} members, not {snapshot.count:,} as recorded",
                remedy=PUT_BACK,
            )
        return file

    def _bring(self, fetched: Path, file: Path) -> None:
        """Hard-links or copies a file into the one folder that the database may read."""
        if fetched == file:
            return
        with self.draft() as draft:
            draft.unlink()
            try:
                os.link(fetched, draft)
            except OSError:  # another disk, or a file system without links
                shutil.copyfile(fetched, draft)
                draft.chmod(0o600)
            draft.replace(file)

    def _file(self, snapshot: SnapshotRef) -> Path:
        return self.scratch / f"{snapshot.digest}.parquet"


def reader(file: Path) -> str:
    return f"read_parquet({literal(str(file))})"
