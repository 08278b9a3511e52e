"""Which files were moved: their documents decide. The texts of two audiences are often alike."""

from collections.abc import Mapping
from typing import TypeVar

from reconciler.manifests.promotable import Promotable

File = TypeVar("File")


def common_paths(base: Promotable, ours: Promotable, theirs: Promotable) -> dict[str, str]:
    """Return the path at which each moved file is merged, by each of its paths.

    A file that both sides moved is merged at its path in `ours`. A file is not moved onto another file.
    """
    here, there = _moved(base, ours), _moved(base, theirs)
    found: dict[str, str] = {}
    for path in sorted({*here, *there}):
        new = here.get(path) or there[path]
        if (path in here or new not in ours) and (there.get(path) == new or new not in theirs):
            found |= {old: new for old in (path, there.get(path, path)) if old != new}
    return found


def at_common_paths(files: Mapping[str, File], paths: Mapping[str, str]) -> dict[str, File]:
    """Return the files of one side at the paths of `common_paths`."""
    return {paths.get(path, path): file for path, file in files.items()}


def _moved(base: Promotable, side: Promotable) -> dict[str, str]:
    """Return the new path of each file that a side moved, by its path in `base`."""
    gone = {frozenset(named): path for path, named in base.items() if named and path not in side}
    new = {frozenset(named): path for path, named in side.items() if named and path not in base}
    return {path: new[named] for named, path in gone.items() if named in new}
