"""Checks of an audience against its files: columns and `where`, without reading members."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import duckdb

from reconciler.buckets import is_bucket
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Audience
from reconciler.disk.scratch_dir import ScratchDir
from reconciler.members import where_clause as where
from reconciler.members.data_root import CHECKED, DataRoot, LocalFolder, local
from reconciler.members.database import connect, storage_errors
from reconciler.members.file_sets import FileSets
from reconciler.members.intake import Intake
from reconciler.members.prepare import Preparation
from reconciler.members.stopping import stoppable


class Checker:
    """Looks at audiences, and at each of their files once."""

    def __init__(
        self, files: FileSets, database: duckdb.DuckDBPyConnection, check: Callable[[], None]
    ) -> None:
        self._files = files
        self._database = database
        self._check = check

    def wrong(self, audiences: Sequence[Audience], today: date) -> tuple[Finding, ...]:
        """Everything wrong with files, columns and `where`. StorageError for a place that can't be read."""
        with storage_errors("checking sources"), stoppable(self._database, self._check) as cursor:
            preparation = Preparation(cursor, self._files, audiences, today)
            for one in audiences:
                preparation.examine(one)
            found = preparation.results().values()
        wrong: list[Finding] = []
        for error in (one for one in found if isinstance(one, ConfigurationError)):
            known = set(wrong)  # audiences share suppression lists
            wrong += (one for one in error.findings if one not in known)
        return tuple(wrong)

    def misspelt(self, audiences: Sequence[Audience], today: date) -> tuple[Finding, ...]:
        """What is wrong with the syntax of each `where`."""
        sources = [one.source for one in audiences]
        with storage_errors("checking sources"), stoppable(self._database, self._check) as cursor:
            trees = where.parsed(cursor, sources, today)
            found = [where.parse(cursor, one, None, today, trees) for one in sources]
        return tuple(one for one in found if isinstance(one, Finding))


@contextlib.contextmanager
def checking(root: DataRoot, scratch: ScratchDir, check: Callable[[], None]) -> Iterator[Checker]:
    """`check` is called time and again while files are read, and raises when somebody asks to stop."""
    try:
        with storage_errors("starting DuckDB"):
            database = connect((root.folder, scratch.folder), scratch.folder)
        with contextlib.closing(database):
            yield Checker(FileSets(Intake(root, scratch.folder / "unpacked", check)), database, check)
    finally:
        scratch.remove()


def check_all(
    audiences: Sequence[Audience],
    data_root: str,
    today: date,
    work: Path,
    check: Callable[[], None] = lambda: None,
    project: Path = Path(),
) -> tuple[Finding, ...]:
    """Everything wrong with the files, columns and `where` of each audience; packed files go to `work`.

    Where the data isn't there, as on a laptop or in an object store, only the syntax of `where` is
    checked.
    """
    with storage_errors("checking sources"):
        scratch = ScratchDir(work.resolve(), CHECKED)
    root = LocalFolder(scratch.folder / "absent") if is_bucket(data_root) else local(data_root, project)
    with checking(root, scratch, check) as checker:
        look = checker.wrong if root.folder.is_dir() else checker.misspelt
        return look(audiences, today)
