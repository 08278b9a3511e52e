"""Queries in files of their own: which file an audience names, and its text."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from reconciler.core.pii import redacted_path
from reconciler.manifests.index import ManifestIndex
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument
from reconciler.manifests.syntax.sql_text import LARGEST, decode_sql

KEY = ("source", "query", "file")
_NO_LINKS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def path_of(audience: ManifestDocument) -> str:
    """Return the path of the file that an audience names, relative to the root; "" if it names none."""
    file = audience.value(*KEY)
    return f"{PurePosixPath(audience.file).parent}/{file}" if isinstance(file, str) else ""


def read(root: Path, documents: Sequence[ManifestDocument]) -> tuple[dict[str, str], list[Issue]]:
    """Return the texts of all files that audiences name, by path, and what is wrong with the others."""
    texts: dict[str, str] = {}
    flaws: list[Issue] = []
    for document in documents:
        file = path_of(document) if document.kind == "Audience" else ""
        if not file or file in texts:
            continue
        found = _text(root, file, document)
        if isinstance(found, str):
            texts[file] = found
        else:
            flaws.append(found)
    return texts, flaws


def notes(inventory: ManifestIndex, files: Sequence[str]) -> Iterator[str]:
    """Yield a note for each file of SQL that no audience names. `files` are those of the environment."""
    for file in files:
        if file not in inventory.statements:
            yield f"{redacted_path(file)}: no audience uses this file"


def _text(root: Path, file: str, document: ManifestDocument) -> str | Issue:
    named = redacted_path(file)
    if _leads_away(root, document.file, file):
        remedy = "put the file itself there: promotion carries no links"
        return _unread(document, f"a link is on the way to {named}", remedy)
    try:
        data = _regular(root / file)
    except FileNotFoundError:
        remedy = "create it, or correct the path, which begins at the folder of this manifest"
        return _unread(document, f"there is no file {named}", remedy)
    except OSError:
        return _unread(document, f"{named} can't be read", "check that it is a file, and its permissions")
    return decode_sql(data, file)


def _regular(path: Path) -> bytes:
    """Return the content up to what is too much. A pipe is opened without waiting for its writer."""
    handle = os.open(path, _NO_LINKS)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError
        with os.fdopen(handle, "rb", closefd=False) as opened:
            return opened.read(LARGEST + 1)
    finally:
        os.close(handle)


def _leads_away(root: Path, manifest: str, file: str) -> bool:
    """Return whether a link is below the folder of the manifest, on the way to a file."""
    folder = PurePosixPath(manifest).parent
    below = PurePosixPath(file).relative_to(folder)
    return any((root / folder / one).is_symlink() for one in (below, *below.parents[:-1]))


def _unread(document: ManifestDocument, problem: str, remedy: str) -> Issue:
    return Issue(document.place(*KEY), IssueRank.SCHEMA, problem, remedy)
