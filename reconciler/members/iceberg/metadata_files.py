"""Which metadata file of an Iceberg table is the current one. A catalog knows, and is not asked."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from reconciler.members.iceberg import METADATA_FOLDER, METADATA_SUFFIX
from reconciler.members.intake import UnusableError
from reconciler.members.table_files import AGAIN

HINT = "version-hint.text"
LONGEST_HINT = 1024
"""Bytes."""
_OF_FOLDER = re.compile(r"v([0-9]{1,9})(?:\.gz)?\.metadata\.json")
"""What writers without a catalog name metadata: the next version is the next number."""
_OF_CATALOG = re.compile(r"([0-9]{1,9})-[0-9A-Za-z-]+(?:\.gz)?\.metadata\.json")
"""What writers with a catalog name metadata: a number, and then characters that are never used twice."""


def current(found: Iterable[Path], hint: Callable[[Path], bytes]) -> Path:
    """Return the current metadata file of a folder. `hint` returns the content of the file that names it.

    Raises UnusableError if there is none, or if more than one may be it.
    """
    files = {path.name: path for path in found}
    names = [one for one in sorted(files) if one.endswith(METADATA_SUFFIX)]
    if not names:
        problem = f"has no metadata: there is no `*{METADATA_SUFFIX}` in `{METADATA_FOLDER}`"
        raise UnusableError(problem, "check the path; " + AGAIN)
    by_folder, by_catalog = _numbered(names, _OF_FOLDER), _numbered(names, _OF_CATALOG)
    if HINT in files:
        return files[_hinted(hint(files[HINT]), names, by_folder)]
    if by_folder and by_catalog:
        raise _ambiguous("has metadata of a catalog and of a folder")
    numbered = by_folder or by_catalog
    if not numbered:
        raise _ambiguous("has metadata without version numbers")
    return files[_only(numbered, max(numbered))]


def _numbered(names: Iterable[str], pattern: re.Pattern[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for one in names:
        if match := pattern.fullmatch(one):
            found.setdefault(int(match[1]), []).append(one)
    return found


def _hinted(content: bytes, names: Iterable[str], by_folder: Mapping[int, list[str]]) -> str:
    """Return the metadata that a hint names. A version number may lag behind: then the next ones count."""
    stated = content.decode(errors="replace").strip()
    if re.fullmatch("[0-9]{1,9}", stated) and (version := int(stated)) in by_folder:
        while version + 1 in by_folder:
            version += 1
        return _only(by_folder, version)
    for one in names:
        if one in (stated, f"{stated}{METADATA_SUFFIX}"):
            return one
    raise UnusableError(f"lacks the metadata that its `{HINT}` names", AGAIN)


def _only(numbered: Mapping[int, list[str]], version: int) -> str:
    if len(numbered[version]) > 1:
        raise _ambiguous(f"has {len(numbered[version])} metadata files of version {version:,}")
    return numbered[version][0]


def _ambiguous(problem: str) -> UnusableError:
    remedy = f"ask its catalog, and name the file: `iceberg: FOLDER/{METADATA_FOLDER}/NAME{METADATA_SUFFIX}`"
    return UnusableError(f"{problem}, and nothing says which is current", remedy)
