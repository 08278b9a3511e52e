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
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from reconciler.core.errors import CorruptSnapshotError
from reconciler.core.members import EMPTY_SNAPSHOT, SnapshotRef
from reconciler.core.model import Hashing
from reconciler.members.database import IN_FILE, READ_ERRORS, blob, is_ours, literal, number, paths

PUT_BACK = (
    "put it back from a backup (docs/how-to/recover-state.md), or go back: `reconciler state history`, then "
    "`state restore --accept-loss`"
)
TEXT, DIGEST = "VARCHAR", "BLOB"
_FORMS = {TEXT: (Hashing.NONE,), DIGEST: tuple(hashing for hashing in Hashing if hashing != Hashing.NONE)}
"""By the type of a snapshot's column."""
Sums = tuple[int, int, int]
"""The count, and both lanes."""
LANE = "(1::UHUGEINT << 64) - 1"
SUMS = f"count(*) AS members, sum((x >> 64)::UBIGINT) AS high, sum((x & ({LANE}))::UBIGINT) AS low"
_UNCOMPRESSED = "(FORMAT parquet, PARQUET_VERSION v2, COMPRESSION uncompressed, USE_TMP_FILE false)"
"""Digests don't compress, and compressing them costs more than all else."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of files for which `test` is true. A brace in the test is the place of `value`."""

    files: tuple[Path, ...]
    test: str
    value: str

    @property
    def source(self) -> str:
        return reader(*self.files)

    @property
    def query(self) -> str:
        return f"SELECT member FROM {self.source} AS selected WHERE {self.test.format(self.value)}"


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The snapshots that one process works with, in a folder that goes when it ends.

    What must last is kept in the state, from where `fetch` brings it: no copies of people pile up. A set that
    is a selection from files of this process is written as a file only once somebody asks for that.
    """

    scratch: Path
    fetch: Callable[[SnapshotRef], str]
    key: bytes
    _selections: dict[SnapshotRef, tuple[Selection, ...]] = field(default_factory=dict)
    _known: dict[SnapshotRef, Sums] = field(default_factory=dict)

    def keep(self, cursor: duckdb.DuckDBPyConnection, members: str, hashing: Hashing) -> SnapshotRef:
        """Writes the distinct members that a query selects; a set that is there already costs its digest."""
        with self.draft() as draft:
            if not write(cursor, members, draft):
                return EMPTY_SNAPSHOT
            sums = self._sums(cursor, draft, TEXT if hashing == Hashing.NONE else DIGEST)
            snapshot = self._remembered(hashing, sums)
            draft.replace(self._file(snapshot))
        return snapshot

    def select(self, hashing: Hashing, sums: Sums, *parts: Selection) -> SnapshotRef:
        """Return the set of members in files that stay, by its sums. Its parts have no member in common."""
        snapshot = self._remembered(hashing, sums)
        if snapshot:
            self._selections.setdefault(snapshot, parts)
        return snapshot

    def united(
        self, cursor: duckdb.DuckDBPyConnection, hashing: Hashing, one: SnapshotRef, other: SnapshotRef
    ) -> SnapshotRef:
        """Return two sets of this process that have no member in common, as one."""
        if not one or not other:
            return one or other
        count, high, low = (
            mine + theirs for mine, theirs in zip(*map(self._known.__getitem__, (one, other)), strict=True)
        )
        parts = (*self.parts(cursor, one), *self.parts(cursor, other))
        return self.select(hashing, (count, high, low), *parts)

    def relation(self, cursor: duckdb.DuckDBPyConnection, snapshot: SnapshotRef) -> str:
        """Return the members of a snapshot that isn't empty, fetched and checked if need be."""
        if snapshot in self._selections and not self._file(snapshot).exists():
            return f"({_union(self._selections[snapshot])})"
        return reader(self.path(cursor, snapshot))

    def numbered(self, cursor: duckdb.DuckDBPyConnection, snapshots: Mapping[int, SnapshotRef]) -> str:
        """Return a query for `number` and `member` of snapshots that are not empty, each file read once."""
        groups: dict[tuple[str, str], list[str]] = {}
        for at, snapshot in snapshots.items():
            for part in self.parts(cursor, snapshot):
                groups.setdefault((part.source, part.test), []).append(f"({at}::USMALLINT, {part.value})")
        return " UNION ALL ".join(
            f"SELECT number, member FROM {source} AS selected "
            f"JOIN (VALUES {', '.join(values)}) AS numbers(number, wanted) ON {test.format('wanted')}"
            for (source, test), values in groups.items()
        )

    def parts(self, cursor: duckdb.DuckDBPyConnection, snapshot: SnapshotRef) -> tuple[Selection, ...]:
        """Return what a snapshot that isn't empty is selected from, fetched and checked if need be."""
        if snapshot in self._selections and not self._file(snapshot).exists():
            return self._selections[snapshot]
        return (Selection((self.path(cursor, snapshot),), "{}", "true"),)

    def written(self, cursor: duckdb.DuckDBPyConnection, query: str) -> tuple[Path, int]:
        """A file with the rows of a query, which stays as long as this process, and how many there are."""
        with self.draft() as draft:
            rows = write(cursor, query, draft)
            return draft.replace(draft.with_stem(f"rows-{draft.stem}")), rows

    @contextlib.contextmanager
    def draft(self) -> Iterator[Path]:
        """A new file, to be moved to its place when it is whole; nobody else may read it."""
        handle, name = tempfile.mkstemp(dir=self.scratch, suffix=".parquet")
        os.close(handle)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def path(self, cursor: duckdb.DuckDBPyConnection, snapshot: SnapshotRef) -> Path:
        """The file of a snapshot that isn't empty, fetched and checked if need be."""
        file = self._file(snapshot)
        if file.exists():
            rows = number(cursor, f"SELECT sum(num_rows) FROM parquet_file_metadata({paths([file])})")
        else:
            rows = self._bring(cursor, snapshot)
        if rows != snapshot.count:
            raise CorruptSnapshotError(
                f"snapshot {snapshot.digest[:12]} holds {rows:,} members, not {snapshot.count:,} as recorded",
                remedy=PUT_BACK,
            )
        return file

    def _bring(self, cursor: duckdb.DuckDBPyConnection, snapshot: SnapshotRef) -> int:
        """Writes the file of a snapshot. Returns its number of rows."""
        if snapshot not in self._selections:
            return self._take(cursor, Path(self.fetch(snapshot)), snapshot)
        with self.draft() as draft:
            rows = write(cursor, _union(self._selections[snapshot]), draft)
            draft.replace(self._file(snapshot))
        return rows

    def _take(self, cursor: duckdb.DuckDBPyConnection, kept: Path, snapshot: SnapshotRef) -> int:
        """Reads the rows of a kept file once, into a file of our own, which is checked and then used.

        A check of the kept file itself would not do: somebody may change it afterwards, and damaged
        statistics in it make joins skip rows that a whole scan reads.
        """
        with self._linked(kept) as link, self.draft() as draft:
            try:
                rows = write(cursor, f"SELECT member FROM {reader(link)} AS kept", draft)
                whole = snapshot in self._names(cursor, draft)
            except UnicodeDecodeError:  # what is damaged stands in DuckDB's own message
                whole = False
            except duckdb.Error as error:
                if is_ours(error):
                    raise
                whole = False
            if not whole:
                raise CorruptSnapshotError(
                    f"{kept.parent}: snapshot {snapshot.digest[:12]} is damaged: "
                    "its content does not match its name",
                    remedy=PUT_BACK,
                )
            draft.replace(self._file(snapshot))
        return rows

    def fetch_together(
        self, cursor: duckdb.DuckDBPyConnection, wanted: Mapping[SnapshotRef, Hashing]
    ) -> None:
        """Fetch and check many kept snapshots in one file. All are hashed, or none is.

        A damaged one is left to `relation`, which reports it.
        """
        kept = [one for one in wanted if one not in self._selections and not self._file(one).exists()]
        if len(kept) < 2:
            return
        with contextlib.ExitStack() as links, self.draft() as draft:
            files = [links.enter_context(self._linked(Path(self.fetch(one)))) for one in kept]
            try:
                write(
                    cursor, f"SELECT file_index::USMALLINT AS kept, member FROM {reader(*files)} AS f", draft
                )
                kind = TEXT if wanted[kept[0]] is Hashing.NONE else DIGEST
                found = cursor.execute(
                    f"SELECT kept, {SUMS} FROM ({self.lanes(draft, kind)}) GROUP BY kept"
                ).fetchall()
            except READ_ERRORS as error:
                if is_ours(error):
                    raise
                return
            file = draft.replace(draft.with_stem(f"kept-{draft.stem}"))
        for at, *sums in found:
            count, high, low = sums
            if self._sealed(wanted[kept[at]], (count, high, low)) == kept[at]:
                self._selections[kept[at]] = (Selection((file,), "kept = {}", f"{at}::USMALLINT"),)

    def discard(self, snapshot: SnapshotRef) -> None:
        """Removes the file of our own; the next use fetches it again."""
        self._file(snapshot).unlink(missing_ok=True)

    def _names(self, cursor: duckdb.DuckDBPyConnection, file: Path) -> tuple[SnapshotRef, ...]:
        """What a file would be named, in each hashing that its column can hold."""
        kinds = cursor.execute(f"DESCRIBE SELECT * FROM {reader(file)} AS drafted").fetchall()
        kind = str(kinds[0][1])
        if kind not in _FORMS:
            return ()
        sums = self._sums(cursor, file, kind)
        return tuple(self._sealed(hashing, sums) for hashing in _FORMS[kind])

    def _remembered(self, hashing: Hashing, sums: Sums) -> SnapshotRef:
        snapshot = self._sealed(hashing, sums)
        self._known[snapshot] = sums
        return snapshot

    def _sums(self, cursor: duckdb.DuckDBPyConnection, file: Path, kind: str) -> Sums:
        row = cursor.execute(f"SELECT {SUMS} FROM ({self.lanes(file, kind)})").fetchone()
        return row or (0, 0, 0)

    def lanes(self, file: Path, kind: str) -> str:
        """A query of a file that holds each member once: its columns, and `x`, the lanes of the member."""
        lanes_key = hmac.digest(self.key, b"lanes", "sha256")[:16]
        content = "encode(member)" if kind == TEXT else "member"
        return f"SELECT *, md5_number({blob(lanes_key)} || {content}) AS x FROM {reader(file)} AS drafted"

    def _sealed(self, hashing: Hashing, sums: Sums) -> SnapshotRef:
        count, high, low = sums
        if not count:
            return EMPTY_SNAPSHOT
        digest = hmac.new(
            self.key, f"{hashing.value}:{count}:{high}:{low}".encode(), hashlib.sha256
        ).hexdigest()
        return SnapshotRef(digest, int(count))

    @contextlib.contextmanager
    def _linked(self, kept: Path) -> Iterator[Path]:
        """A hard link, or a copy, in the one folder that the database may read."""
        with self.draft() as link:
            link.unlink()
            try:
                os.link(kept, link)
            except OSError:  # another disk, or a file system without links
                shutil.copyfile(kept, link)
                link.chmod(0o600)
            yield link

    def _file(self, snapshot: SnapshotRef) -> Path:
        return self.scratch / f"{snapshot.digest}.parquet"


def _union(parts: Iterable[Selection]) -> str:
    return " UNION ALL ".join(part.query for part in parts)


def write(cursor: duckdb.DuckDBPyConnection, query: str, file: Path) -> int:
    """Writes the rows of a query to a file, and returns how many there are."""
    return number(cursor, f"COPY ({query}) TO {literal(str(file))} {_UNCOMPRESSED}")


def reader(*files: Path) -> str:
    return f"read_parquet({paths(files)}, {IN_FILE})"
