"""Offline checks of an audience against its files: columns and `where`, without reading members."""

import contextlib
import tempfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb

from reconciler.buckets import is_bucket
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Audience
from reconciler.members import where
from reconciler.members.database import connect, storage_errors
from reconciler.members.prepare import prepare
from reconciler.members.roots import DataRoot, Folder, local


def check_all(audiences: Iterable[Audience], data_root: str, today: date) -> tuple[Finding, ...]:
    """Everything wrong with the files, columns and `where` of each audience.

    Where the data isn't there, as on a laptop or in an object store, only the syntax of `where` is
    checked.
    """
    with (
        storage_errors("checking sources"),
        tempfile.TemporaryDirectory() as spill,
    ):
        root = Folder(Path(spill) / "absent") if is_bucket(data_root) else local(data_root)
        with connect((root.folder,), Path(spill)) as database:
            return tuple(
                finding for audience in audiences for finding in _check(database, audience, root, today)
            )


def check(audience: Audience, data_root: str, today: date) -> tuple[Finding, ...]:
    """`check_all` for one audience."""
    return check_all((audience,), data_root, today)


def reachable(audience: Audience, root: DataRoot, today: date) -> tuple[Finding, ...]:
    """The same where the data must be there. StorageError for an object store that can't be read."""
    with (
        storage_errors("checking sources"),
        tempfile.TemporaryDirectory() as spill,
        connect((root.folder,), Path(spill)) as database,
        contextlib.closing(database.cursor()) as cursor,
    ):
        return _wrong(cursor, root, audience, today)


def _check(
    database: duckdb.DuckDBPyConnection, audience: Audience, root: DataRoot, today: date
) -> tuple[Finding, ...]:
    with contextlib.closing(database.cursor()) as cursor:
        if not root.folder.is_dir():
            found = where.parse(cursor, audience.source.where, None, today, audience.source.where_place)
            return (found,) if isinstance(found, Finding) else ()
        return _wrong(cursor, root, audience, today)


def _wrong(
    cursor: duckdb.DuckDBPyConnection, root: DataRoot, audience: Audience, today: date
) -> tuple[Finding, ...]:
    try:
        prepare(cursor, root, audience, today)
    except ConfigurationError as error:
        return error.findings
    return ()
