"""What identifies the source files of audiences, and the software that reads members from them.

No content is read, and DuckDB is not loaded: a run whose sources are unchanged needs no more than this.
"""

import platform
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from time import time_ns

from reconciler import __version__
from reconciler.core.model import Audience
from reconciler.core.reuse import SourceIdentities, SourceIdentity
from reconciler.members.data_root import DataRoot
from reconciler.members.delta_lake import LOG_FOLDER
from reconciler.members.iceberg import metadata_pattern

REVISION = 1
"""Raise it with every change that may change the members, counts or lists that a file is read as."""

_LIBRARIES = ("duckdb", "phonenumbers")


@cache
def engine_version() -> str:
    """Return the versions of all software that decides which members a file has."""
    libraries = (f"{one} {version(one)}" for one in _LIBRARIES)
    return ", ".join([f"{__version__}-{REVISION}", f"python {platform.python_version()}", *libraries])


def identify(
    root: DataRoot,
    audiences: Sequence[Audience],
    sample_rows: int | None,
    erased: str = "",
) -> SourceIdentities:
    """Return the files of audiences as they are now; each pattern is resolved once.

    A Delta table is identified by the files of its log: each version adds one, and changes no other file.
    So is an Iceberg table by its metadata.

    What a query returns has no identity, so that the query runs each time.
    """
    seen_at = time_ns()
    found: dict[str, tuple[SourceIdentity, ...]] = {}
    files: dict[str, tuple[SourceIdentity, ...]] = {}
    for audience in (one for one in audiences if one.source.query is None):
        patterns = _patterns(audience)
        for one in patterns:
            if one not in found:
                found[one] = root.identities(one)
        if all(found[one] for one in patterns):
            files[audience.name] = tuple(file for one in patterns for file in found[one])
    return SourceIdentities(engine_version(), sample_rows, seen_at, files, erased)


def _patterns(audience: Audience) -> tuple[str, ...]:
    lists = (one.files for one in audience.lists)
    source = audience.source
    log = (f"{source.delta}/{LOG_FOLDER}/*",) if source.delta else ()
    metadata = (metadata_pattern(source.iceberg),) if source.iceberg else ()
    return tuple(
        dict.fromkeys((*source.files, *log, *metadata, *(file for files in lists for file in files)))
    )
