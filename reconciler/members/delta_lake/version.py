"""The latest version of a Delta table, as another process of ours reads it from a log."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from reconciler.members.delta_lake.log import damaged
from reconciler.members.intake import UnusableError
from reconciler.members.queries.child import started
from reconciler.members.sources import shown

READER = "reconciler.members.delta_lake.log_reader"
POLL = 0.05
"""Seconds between two looks whether somebody has asked to stop."""
LONGEST = 600.0
"""Seconds that a log may take."""
_MISREAD = re.compile(r"[%\\\x00-\x1f]")
"""What deltalake takes for another character in a path."""
_CAUSES = {
    "columnMapping": (
        "has column mapping, so that its files have other columns than the table",
        "let its owner write a table without `delta.columnMapping.mode`",
    ),
    "deletionVectors": (
        "has deletion vectors: rows of its files are deleted that are still there",
        "let its owner run REORG TABLE … APPLY (PURGE), and set delta.enableDeletionVectors to false",
    ),
    "damaged": (damaged().problem, damaged().remedy),
}


def latest(folder: Path, check: Callable[[], None]) -> dict[str, Any]:
    """Return the latest version. `check` raises when somebody asks to stop. Raises UnusableError."""
    if not find_spec("deltalake"):
        raise UnusableError("needs a library that is not installed", "pip install 'criteo-reconciler[delta]'")
    if _MISREAD.search(str(folder)):
        raise UnusableError(
            "can't be read here: the path of the working folder has a `%`, a backslash or a line break",
            "move the project, or set TMPDIR, to a folder without them",
        )
    answer = _asked(folder, check)
    try:
        found = json.loads(answer)
    except ValueError:
        raise damaged() from None
    cause = found.get("cause")
    if cause is None:
        return dict(found)
    if cause == "features":
        named = ", ".join(shown(str(one)) for one in found.get("features", ()))
        problem = f"needs features that can't be read{f': {named}' if named else ''}"
        raise UnusableError(problem, "let its owner write a table without them")
    if cause == "partition":
        problem = f"has a partition column of a type that can't be read: {shown(str(found['column']))}"
        raise UnusableError(problem, "partition it by text, whole numbers, dates or booleans")
    raise UnusableError(*_CAUSES[cause])


def _asked(folder: Path, check: Callable[[], None]) -> bytes:
    """Return what the process answers; nothing if it fails."""
    asked: bytes | None = json.dumps({"folder": str(folder)}).encode()
    end = time.monotonic() + LONGEST
    with started(READER) as child:
        try:
            while time.monotonic() < end:
                try:
                    answer, _ = child.communicate(asked, timeout=POLL)
                except subprocess.TimeoutExpired:
                    asked = None
                    check()
                else:
                    return b"" if child.returncode else answer
            return b""
        finally:
            child.kill()
