"""Offline checks of an audience against its files: columns and `where`, without reading members."""

import contextlib
import tempfile
from datetime import date
from pathlib import Path

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Audience
from reconciler.members import where
from reconciler.members.database import connect, storage_errors
from reconciler.members.engine import local
from reconciler.members.prepare import prepare


def check(audience: Audience, data_root: str, today: date) -> tuple[Finding, ...]:
    """Everything wrong with an audience's files, columns and `where`.

    Where the data isn't there, as on a laptop, only the syntax of `where` is checked.
    """
    try:
        root = local(data_root)
    except ConfigurationError as error:
        return (Finding(str(audience.source.place), error.problem, error.remedy),)
    with (
        storage_errors(f"{audience.name}: checking its sources"),
        tempfile.TemporaryDirectory() as spill,
        connect((root,), Path(spill)) as database,
        contextlib.closing(database.cursor()) as cursor,
    ):
        if not root.is_dir():
            found = where.parse(cursor, audience.source.where, None, today, audience.source.place)
            return (found,) if isinstance(found, Finding) else ()
        try:
            prepare(cursor, root, audience, today)
        except ConfigurationError as error:
            return error.findings
    return ()
