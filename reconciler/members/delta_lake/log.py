"""The log of a Delta table: which of its files make up the latest version, and when rows last changed."""

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from reconciler.disk.atomic import os_errors
from reconciler.members.data_root import DataRoot
from reconciler.members.delta_lake import LOG_FOLDER
from reconciler.members.intake import UnusableError
from reconciler.members.table_files import AGAIN

_COMMIT = re.compile(r"([0-9]{20})\.json")
_CHECKPOINT = re.compile(r"([0-9]{20})\.checkpoint(?:\.([0-9]{10})\.([0-9]{10}))?\.parquet")
_TIMES = ("inCommitTimestamp", "timestamp")


@dataclass(frozen=True, slots=True)
class LogFiles:
    """`commits` are all there are, by version; `needed` are the files that state the latest version."""

    commits: Sequence[Path]
    needed: Sequence[Path]


def damaged() -> UnusableError:
    return UnusableError("has a log that can't be read: it is damaged, or was copied in part", AGAIN)


def log_files(found: Iterable[Path]) -> LogFiles:
    """Return the files of a log. Raises UnusableError for a log without a beginning, or with a gap."""
    commits: dict[int, Path] = {}
    checkpoints: dict[int, list[Path]] = {}
    for path in sorted(found):
        if name := _COMMIT.fullmatch(path.name):
            commits[int(name[1])] = path
        elif name := _CHECKPOINT.fullmatch(path.name):
            checkpoints.setdefault(int(name[1]), []).append(path)
    if not commits and not checkpoints:
        raise UnusableError(f"has no log: there is no version in `{LOG_FOLDER}`", "check the path; " + AGAIN)
    start = max((version for version, parts in checkpoints.items() if _is_complete(parts)), default=None)
    first = 0 if start is None else start + 1
    newest = max(commits, default=first - 1)
    for version in range(first, newest + 1):
        if version not in commits:
            raise UnusableError(f"has no version {version:,} in its log", AGAIN)
    after = [path for version, path in commits.items() if start is None or version >= start]
    return LogFiles([*commits.values()], [*after, *(checkpoints[start] if start is not None else ())])


def _is_complete(parts: Sequence[Path]) -> bool:
    """Return whether a checkpoint has all of its parts."""
    names = [_CHECKPOINT.fullmatch(path.name) for path in parts]
    if any(name and name[2] is None for name in names):
        return True
    totals = {int(name[3]) for name in names if name}
    return len(totals) == 1 and len(parts) == max(totals)


def copy_log(root: DataRoot, log: LogFiles, folder: Path) -> None:
    """Copy what states the latest version to the log of a folder, where nobody changes it.

    deltalake takes percent signs and backslashes in the path of a table for something else. Raises
    UnusableError, SourceChangedError, StorageError.
    """
    root.bring(log.needed)
    target = folder / LOG_FOLDER
    with os_errors("copy to", folder):
        target.mkdir()
    for path in log.needed:
        with (
            _opened(root, path) as source,
            os_errors("copy to", folder),
            (target / path.name).open("xb") as copy,
        ):
            shutil.copyfileobj(source, copy)


def _opened(root: DataRoot, path: Path) -> BinaryIO:
    """Return a file of a log, all of which is there."""
    try:
        if size := path.stat().st_size:
            if not root.is_whole(path):
                root.bring_ranges(path, [(0, size)])
            return path.open("rb")
    except PermissionError:
        raise UnusableError("has a log that this user may not read", "check its permissions") from None
    except OSError:
        raise damaged() from None
    raise damaged()


def changed_at(root: DataRoot, commits: Sequence[Path]) -> datetime | None:
    """Return when rows last changed, by the newest commit that changed any; None if none is left.

    Maintenance changes no row: a table that is compacted each night, and not filled, gets old.
    """
    for commit in reversed(commits):
        root.bring([commit])
        actions = _actions(commit)
        if any(_changes_rows(one) for one in actions):
            return _time(actions, commit)
    return None


def _actions(commit: Path) -> list[dict[str, Any]]:
    """Return the actions of a commit."""
    try:
        actions = [orjson.loads(line) for line in commit.read_bytes().splitlines() if line.strip()]
    except (OSError, ValueError):
        raise damaged() from None
    if not all(isinstance(one, dict) for one in actions):
        raise damaged()
    return actions


def _changes_rows(action: dict[str, Any]) -> bool:
    files = (action.get(kind) for kind in ("add", "remove"))
    return any(isinstance(one, dict) and one.get("dataChange") is True for one in files)


def _time(actions: Sequence[dict[str, Any]], commit: Path) -> datetime:
    """Return the time that a commit states, or that of its file."""
    stated = (one["commitInfo"] for one in actions if isinstance(one.get("commitInfo"), dict))
    info: dict[str, Any] = next(stated, {})
    found = next((info[one] for one in _TIMES if isinstance(info.get(one), int)), None)
    return moment(found) if found is not None else moment(int(commit.stat().st_mtime * 1000))


def moment(milliseconds: int) -> datetime:
    """Return a time of a log. Raises UnusableError for one beyond any calendar."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise damaged() from None
