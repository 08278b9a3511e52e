"""Checks of an audience against its files: columns and `where`, without reading members."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import duckdb

from reconciler.buckets import is_elsewhere
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Audience, Source
from reconciler.disk.scratch_dir import ScratchDir
from reconciler.members import where_clause as where
from reconciler.members.data_root import CHECKED, DataRoot, LocalFolder, local
from reconciler.members.database import connect, storage_errors
from reconciler.members.delta_lake.tables import DeltaTables
from reconciler.members.file_sets import FileSets
from reconciler.members.iceberg.tables import IcebergTables
from reconciler.members.intake import Intake
from reconciler.members.prepare import Preparation
from reconciler.members.queries.databases import NO_DATABASES, Databases
from reconciler.members.queries.tables import AskedQueries, GuardedQueries, QueryTables, described
from reconciler.members.row_sources import RowSources
from reconciler.members.stopping import stoppable


class Checker:
    """Looks at audiences, and at each of their files once."""

    def __init__(
        self, rows: RowSources, database: duckdb.DuckDBPyConnection, check: Callable[[], None]
    ) -> None:
        self._rows = rows
        self._database = database
        self._check = check

    def wrong(self, audiences: Sequence[Audience], today: date) -> tuple[Finding, ...]:
        """Everything wrong with files, columns and `where`. StorageError for a place that can't be read."""
        with storage_errors("checking sources"), stoppable(self._database, self._check) as cursor:
            preparation = Preparation(cursor, self._rows, audiences, today)
            for one in audiences:
                preparation.examine(one)
            found = preparation.results().values()
        wrong: list[Finding] = []
        for error in (one for one in found if isinstance(one, ConfigurationError)):
            known = set(wrong)  # audiences share suppression lists
            wrong += (one for one in error.findings if one not in known)
        return tuple(wrong)

    def misspelt(self, audiences: Sequence[Audience], today: date) -> tuple[Finding, ...]:
        """What is wrong with the syntax of each `where`, and with each query."""
        sources = [one.source for one in audiences]
        with storage_errors("checking sources"), stoppable(self._database, self._check) as cursor:
            trees = where.parsed(cursor, sources, today)
            found = [where.parse(cursor, one, None, today, trees) for one in sources]
            refused = [*self._refused(cursor, sources, today)]
        return (*dict.fromkeys(refused), *(one for one in found if isinstance(one, Finding)))

    def _refused(
        self, cursor: duckdb.DuckDBPyConnection, sources: Sequence[Source], today: date
    ) -> Iterator[Finding]:
        """Yield what is wrong with each query."""
        for one in sources:
            try:
                if one.query:
                    self._rows.table(cursor, one, (), today)
            except ConfigurationError as error:
                yield from error.findings


@contextlib.contextmanager
def checking(
    root: DataRoot, scratch: ScratchDir, check: Callable[[], None], queries: QueryTables
) -> Iterator[Checker]:
    """`check` is called time and again while files are read, and raises when somebody asks to stop."""
    try:
        with storage_errors("starting DuckDB"):
            database = connect((root.folder, scratch.folder), scratch.folder)
        with contextlib.closing(database):
            lake = DeltaTables(root, scratch.folder / "logs", check)
            files = FileSets(
                Intake(root, scratch.folder / "unpacked", check), lake, IcebergTables(root, check)
            )
            yield Checker(RowSources(files, queries), database, check)
    finally:
        scratch.remove()


@contextlib.contextmanager
def checking_databases(
    root: DataRoot, scratch: ScratchDir, check: Callable[[], None], databases: Databases
) -> Iterator[Checker]:
    """The same, with the columns that databases tell of each query."""
    queries = AskedQueries(databases, root.folder, scratch.folder / "queries", check, described)
    with checking(root, scratch, check, queries) as checker:
        yield checker


def check_all(
    audiences: Sequence[Audience],
    data_root: str,
    today: date,
    work: Path,
    check: Callable[[], None] = lambda: None,
    project: Path = Path(),
    databases: Databases = NO_DATABASES,
) -> tuple[Finding, ...]:
    """Everything wrong with the files, columns and `where` of each audience; packed files go to `work`.

    No database is asked: only the texts of queries are checked. Where the data isn't there, as on a laptop
    or in an object store, only the syntax of `where` is checked.
    """
    with storage_errors("checking sources"):
        scratch = ScratchDir(work.resolve(), CHECKED)
    root = LocalFolder(scratch.folder / "absent") if is_elsewhere(data_root) else local(data_root, project)
    with checking(root, scratch, check, GuardedQueries(databases)) as checker:
        look = checker.wrong if root.folder.is_dir() else checker.misspelt
        return look(audiences, today)
