"""The current snapshot of an Iceberg table, as another process of ours reads it from its metadata."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from reconciler.core.errors import CancelledError
from reconciler.members.intake import UnusableError
from reconciler.members.queries.child import ended, output, started
from reconciler.members.table_files import AGAIN
from reconciler.members.watcher import WATCHER

READER = "reconciler.members.iceberg.metadata_reader"
LONGEST = 600.0
"""Seconds that the metadata may take."""
MEMORY = 4 << 30
"""Bytes that the process may use: a few kilobytes of a packed file can become any number."""
_CAUSES = {
    "format": ("has a newer format version than 2", "let its owner write a table of format version 2"),
    "deletes": (
        "has delete files: rows of its data files are deleted that are still there",
        "let its owner run rewrite_data_files with `remove-dangling-deletes`, and write `copy-on-write`",
    ),
    "count": ("lists another number of data files than its current snapshot states", AGAIN),
    "kind": ("has data files that are not Parquet", "let its owner rewrite them as Parquet"),
    "encrypted": ("has encrypted files", "let its owner write a table without encryption"),
    "memory": (
        "has metadata that needs more than 4 GB of memory",
        "let its owner expire old snapshots, and run rewrite_data_files and rewrite_manifests",
    ),
    "codec": (
        "has manifests that are packed with Snappy",
        "let its owner set write.avro.compression-codec to gzip, and run rewrite_manifests",
    ),
}

Fetch = Callable[[str, Sequence[str]], Sequence[Path]]
"""Returns where files of a table are on this machine, by the location of the table and their own."""


def damaged() -> UnusableError:
    return UnusableError("has metadata that can't be read: it is damaged, or was copied in part", AGAIN)


def current(metadata: Path, fetch: Fetch, check: Callable[[], None]) -> dict[str, Any]:
    """Return the current snapshot. `check` raises when somebody asks to stop. Raises UnusableError."""
    if not find_spec("pyiceberg"):
        raise UnusableError(
            "needs a library that is not installed", "pip install 'criteo-reconciler[iceberg]'"
        )
    found = _asked(metadata, fetch, check)
    check()
    if found is None:
        raise damaged()
    if cause := found.get("cause"):
        raise UnusableError(*_CAUSES[cause])
    return found


def _asked(metadata: Path, fetch: Fetch, check: Callable[[], None]) -> dict[str, Any] | None:
    """Return what the process answers; None if it fails."""
    end = time.monotonic() + LONGEST
    child = started(READER)

    def look() -> None:
        try:
            check()
        except CancelledError:
            child.kill()
        if time.monotonic() >= end:
            child.kill()

    try:
        with WATCHER.watching(look):
            _write(child, {"metadata": str(metadata), "memory": MEMORY})
            for line in output(child):
                message = json.loads(line)
                if not isinstance(message, dict):
                    return None
                if "wanted" not in message:
                    return message
                _write(child, [str(one) for one in fetch(message["location"], message["wanted"])])
    except ValueError:
        return None
    else:
        return None
    finally:
        ended(child)
        _close(child)


def _close(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()


def _write(child: subprocess.Popen[bytes], message: object) -> None:
    if child.stdin is None:
        raise AssertionError("the process was started with a pipe")
    with contextlib.suppress(BrokenPipeError):  # its end shows when it is to answer
        child.stdin.write(json.dumps(message).encode() + b"\n")
        child.stdin.flush()
