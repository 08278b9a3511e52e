"""Whether the files that manifests name exist, as far as a local disk shows."""

import errno
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from reconciler.buckets import is_elsewhere
from reconciler.core.pii import redacted_path
from reconciler.manifests.checks.placeholders import is_placeholder
from reconciler.manifests.index import ManifestIndex, list_paths
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument, PathStep

_LAKE_TABLES = (("delta", "Delta", "_delta_log"), ("iceberg", "Iceberg", "metadata"))
"""Keys, what messages call such a table, and the folder that states its files."""
_METADATA = ".metadata.json"


def check_root(inventory: ManifestIndex, root: Path, data_root: str | None) -> Iterator[Issue]:
    """The data root must be there; `data_root` overrides the environment's."""
    home, declared = inventory.home, _declared(inventory, data_root)
    if home and declared and not is_elsewhere(declared) and not (root / declared).is_dir():
        what = "the folder given as --data-root" if data_root else "the data folder"
        remedy = "create it, or correct it; it is relative to the project root"
        yield Issue(home.place("data", "root"), IssueRank.SCHEMA, f"{what} does not exist", remedy)


def check(inventory: ManifestIndex, root: Path, data_root: str | None) -> Iterator[Issue]:
    """And every pattern must match a file below it."""
    yield from check_root(inventory, root, data_root)
    declared = _declared(inventory, data_root)
    if inventory.home and declared and not is_elsewhere(declared) and (root / declared).is_dir():
        yield from _missing(inventory, root / declared, redacted_path(declared))


def are_elsewhere(inventory: ManifestIndex, root: Path) -> bool:
    """The declared folder is not on this machine, as in a job that gets no data."""
    declared = _declared(inventory, None)
    return bool(declared) and not is_elsewhere(declared) and not (root / declared).is_dir()


def _declared(inventory: ManifestIndex, data_root: str | None) -> str:
    declared = data_root or (inventory.home and inventory.home.value("data", "root")) or ""
    return declared.removeprefix("file://")


def _missing(inventory: ManifestIndex, folder: Path, name: str) -> Iterator[Issue]:
    @cache
    def matches(pattern: str) -> bool:
        return _matches(folder, pattern)

    kinds = ("Environment", "Audience", "Adopt", "Connection")
    for document in (one for kind in kinds for one in inventory.declared[kind]):
        for path, pattern in _patterns(document):
            if not (is_placeholder(pattern) or matches(pattern)):
                problem = f"no file below the data root, {name}, matches this pattern"
                remedy = "correct the pattern, bring the files, or point `--data-root` at them"
                yield Issue(document.place(*path), IssueRank.SCHEMA, problem, remedy)
        yield from _missing_table(document, folder, name)


def _matches(folder: Path, pattern: str, is_wanted: Callable[[Path], bool] = Path.is_file) -> bool:
    try:
        return any(is_wanted(found) for found in folder.glob(pattern))
    except ValueError:  # a pattern that pathlib can't read, such as `**x`
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # no file has such a name
            return False
        raise


def _missing_table(document: ManifestDocument, folder: Path, name: str) -> Iterator[Issue]:
    remedy = "correct the folder, bring the table, or point `--data-root` at it"
    for key, called, log in _LAKE_TABLES if document.kind == "Audience" else ():
        table = document.value("source", key)
        if not table or is_placeholder(table):
            continue
        if key == "iceberg" and table.endswith(_METADATA):
            problem, is_there = f"no such file is below the data root, {name}", _matches(folder, table)
        else:
            problem = f"no {called} table is in this folder below the data root, {name}: it has no `{log}`"
            is_there = _matches(folder, f"{table}/{log}", Path.is_dir)
        if not is_there:
            yield Issue(document.place("source", key), IssueRank.SCHEMA, problem, remedy)


def _patterns(document: ManifestDocument) -> Iterator[tuple[tuple[PathStep, ...], str]]:
    if pattern := document.text_of("file"):
        yield ("file",), pattern
    for path in (("source",), *list_paths(document)):
        for index, pattern in document.texts(*path, "files"):
            yield (*path, "files", index), pattern


def notes(inventory: ManifestIndex, root: Path, data_root: str | None) -> Iterator[str]:
    """Yield a note if the files could not be checked."""
    if inventory.home is None:
        return
    place = inventory.home.place("data", "root")
    if is_elsewhere(_declared(inventory, data_root)):
        yield f"{place}: sources are in an object store or on a web server, so that they are not checked here"
    elif not data_root and are_elsewhere(inventory, root):
        yield f"{place}: the data folder is not here, so that sources are not checked"
