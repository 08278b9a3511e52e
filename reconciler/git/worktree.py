"""Writes a merged tree into one folder of the working tree and of the index, and restores that folder.

A merge of subtrees has no MERGE_HEAD. A file in git's own folder records it instead: `restore` needs it.

    merged tree ─► record ─► index (stage 0; in conflict, stages 1 to 3) ─► files (in conflict, with markers)
"""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconciler.core.errors import ConfigurationError
from reconciler.disk.atomic import os_errors, read_file, remove_file, replace_file
from reconciler.git.history import head
from reconciler.git.merge import Merged
from reconciler.git.program import Git
from reconciler.git.trees import Tree, TreeFile, entries, read_tree

_RECORD = "reconciler-promotion"
_IN_PROGRESS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the repository: `path` from the root of the repository, `place` on disk."""

    git: Git
    path: str
    place: Path

    def is_clean(self) -> bool:
        """Return whether files, index and HEAD agree here. Files that git ignores do not count."""
        options = ("status", "--porcelain", "-z", "--untracked-files=all")
        return not self.git.names(*options, "--", self.path)

    def files(self, commit: str) -> dict[str, TreeFile]:
        """Return the files of this folder in a commit, with paths relative to it."""
        return read_tree(self.git, commit, self.path)

    def within(self, files: Iterable[tuple[str, TreeFile]]) -> Iterator[tuple[str, TreeFile]]:
        """Yield files with paths from the root of the repository."""
        return ((f"{self.path}/{path}", file) for path, file in files)


def unmerged(git: Git) -> bool:
    """Return whether the index of the repository has files in conflict."""
    return bool(git.names("ls-files", "--unmerged", "-z"))


def in_the_way(folder: Folder, paths: Iterable[str]) -> Iterator[str]:
    """Yield what is on disk where these paths would be written: at a path, or in place of a folder of it."""
    for path in paths:
        parents = reversed(PurePosixPath(path).parents[:-1])
        above = (one for one in parents if _is_no_folder(folder.place / one))
        if (first := next(above, None)) or os.path.lexists(folder.place / path):
            yield first.as_posix() if first else path


def _is_no_folder(place: Path) -> bool:
    return place.is_symlink() or (place.exists() and not place.is_dir())


def write(folder: Folder, before: Tree, merged: Merged, after: Tree, labels: Mapping[str, str]) -> None:
    """Write what differs between the trees `before` and `after`; `after` is the tree of `merged`.

    `labels` replaces the ids of trees in conflict markers. After a kill at any point, `restore` gets the
    folder back.
    """
    changed = [
        one for one in sorted({*before, *after, *merged.stages}) if _differs(one, before, merged, after)
    ]
    _remember(folder, changed)
    folder.git.run("update-index", "-z", "--index-info", given=_staged(folder, changed, merged, after))
    for path in changed:
        if path not in after:
            _remove(folder, path)
    _check_out(folder, {path: after[path] for path in changed if path in after})
    for path in changed:
        if path in after and path in merged.stages:
            _label(folder.place / path, labels)
    folder.git.ask("update-index", "-q", "--refresh")


def unfinished(git: Git) -> bool:
    """Return whether a merge, a rebase, a cherry-pick or a revert is in progress."""
    options = [part for name in _IN_PROGRESS for part in ("--git-path", name)]
    paths = git.run("rev-parse", *options).text.splitlines()
    return any((git.folder / path).exists() for path in paths)


def commit(folder: Folder, branch: str, message: str) -> None:
    """Commit this folder, as it is in the index, to a branch that begins at HEAD.

    ConfigurationError if git refuses the commit: the result stays in the working tree and the index.
    """
    switched = folder.git.ask("switch", "--quiet", "--force-create", branch)
    given = message.encode()
    done = (
        switched.code or folder.git.ask("commit", "--quiet", "--file=-", "--", folder.path, given=given).code
    )
    if done:
        raise ConfigurationError(
            f"git did not commit the result to {branch} (exit code {done}); it is in the index",
            remedy=f"run `git commit -- {folder.path}` to see why: a hook, a signature, or no `user.email`",
        )
    remove_file(_record(folder.git))


def restore(folder: Folder) -> tuple[str, ...]:
    """Get the folder back as it was before `write`; return the paths. ConfigurationError without a record."""
    paths, known, gone = _remembered(folder), folder.files("HEAD"), _no_entry(folder.git)
    added = [path for path in paths if path not in known]
    given = entries(folder.within((path, gone) for path in added))
    folder.git.run("update-index", "-z", "--index-info", given=given)
    for path in added:
        _remove(folder, path)
    back = "".join(
        f"{path}\0" for path, _ in folder.within((one, known[one]) for one in paths if one in known)
    )
    if back:
        options = ("--source=HEAD", "--staged", "--worktree", "--pathspec-from-file=-", "--pathspec-file-nul")
        given = back.encode("utf-8", "surrogateescape")
        folder.git.run("restore", *options, given=given)
    remove_file(_record(folder.git))
    return tuple(paths)


def _differs(path: str, before: Tree, merged: Merged, after: Tree) -> bool:
    return path in merged.stages or before.get(path) != after.get(path)


def _staged(folder: Folder, changed: Iterable[str], merged: Merged, after: Tree) -> bytes:
    """Return the input of `update-index`: one entry for a path, or the stages of a conflict."""
    parts, gone = [], _no_entry(folder.git)
    for path in changed:
        if path in merged.stages or path not in after:
            parts.append(entries(folder.within([(path, gone)])))
        else:
            parts.append(entries(folder.within([(path, after[path])])))
        for stage, file in merged.stages.get(path, {}).items():
            parts.append(entries(folder.within([(path, file)]), stage))
    return b"".join(parts)


def _no_entry(git: Git) -> TreeFile:
    """Return what removes an entry in `update-index`: mode 0, and an id as long as the repository's ids."""
    return TreeFile("0", "0" * len(head(git)))


def _check_out(folder: Folder, files: Tree) -> None:
    """Write files as git does, with its filters and modes, through an index of their own."""
    if not files:
        return
    with tempfile.TemporaryDirectory(prefix="reconciler-index-") as scratch:
        apart = folder.git.within({"GIT_INDEX_FILE": str(Path(scratch) / "index")})
        apart.run("update-index", "-z", "--index-info", given=entries(folder.within(files.items())))
        apart.run("checkout-index", "--force", "--all")


def _label(file: Path, labels: Mapping[str, str]) -> None:
    """Name the environments in conflict markers, where git wrote the ids of their trees."""
    with os_errors("write", file):
        content = file.read_bytes()
        for tree, name in labels.items():
            for marker in (b"<<<<<<< ", b"||||||| ", b">>>>>>> "):
                content = content.replace(marker + tree.encode(), marker + name.encode())
        file.write_bytes(content)


def _remove(folder: Folder, path: str) -> None:
    """Remove a file, and folders that are empty then."""
    file = folder.place / path
    remove_file(file)
    with os_errors("remove", file):
        for parent in file.parents:
            if parent == folder.place or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()


def _record(git: Git) -> Path:
    return git.folder / git.run("rev-parse", "--git-path", _RECORD).text


def _remember(folder: Folder, paths: list[str]) -> None:
    record = {"head": head(folder.git), "folder": folder.path, "paths": paths}
    replace_file(_record(folder.git), json.dumps(record).encode())


def _remembered(folder: Folder) -> list[str]:
    """Return the recorded paths of this folder. ConfigurationError if there is nothing to restore."""
    content = read_file(_record(folder.git))
    record = json.loads(content) if content else {}
    if record.get("folder") != folder.path:
        raise ConfigurationError(
            f"{folder.path}: no promotion is in progress", remedy="see what changed with `git status`"
        )
    if record["head"] != head(folder.git):
        remove_file(_record(folder.git))
        raise ConfigurationError(
            f"{folder.path}: the promotion was committed, or another commit was checked out since",
            remedy="undo a commit with `git revert`",
        )
    paths: list[str] = record["paths"]
    return paths
