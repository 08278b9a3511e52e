"""The three trees of a promotion, as git has them: what was promoted last, the target, and the source."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.promotion.lock import LOCK_FILE, PromotionLock
from reconciler.git import history, worktree
from reconciler.git.program import Git
from reconciler.git.trees import REGULAR, Tree, TreeFile, read_blobs
from reconciler.git.worktree import Folder
from reconciler.manifests.load import load_without_sources
from reconciler.manifests.project import environments, is_read, is_sql, within_repository
from reconciler.manifests.promotable import Named, Promotable, promotable
from reconciler.manifests.promotion_lock import record_in
from reconciler.manifests.suggestions import choices

FETCH_ALL = "run `git fetch --unshallow`; in CI, fetch the whole history"


@dataclass(frozen=True, slots=True)
class Manifests:
    """The files of one environment that are promoted, and their documents. `others` are its other files."""

    files: Tree
    documents: Promotable
    others: Tree

    def changed_in(self, new: "Manifests") -> frozenset[str]:
        """Return the paths whose content is another one in `new`, and those that only one of both has."""
        before, after = ({(path, file.blob) for path, file in one.files.items()} for one in (self, new))
        return frozenset(path for path, _ in before ^ after)


def environment_folder(git: Git, root: Path, name: str) -> Folder:
    """Return the folder of an environment. ConfigurationError if there is none of that name."""
    known = environments(root)
    if name not in known:
        remedy = choices(name, known, call="environments here")
        raise ConfigurationError(f"there is no environment {name}", remedy=remedy)
    return Folder(git, f"{within_repository(root)}environments/{name}", root / "environments" / name)


def check_repository(git: Git, folders: tuple[Folder, ...]) -> None:
    """Raise ConfigurationError, with all findings, if the repository is not ready for a promotion."""
    history.head(git)
    flaws = []
    if worktree.unmerged(git):
        remedy = "resolve them with `git mergetool` and commit, or undo the merge that caused them"
        flaws.append(Finding("", "the index has files in conflict", remedy))
    elif worktree.unfinished(git):
        remedy = "finish it, or abort it"
        flaws.append(Finding("", "a merge, a rebase, a cherry-pick or a revert is in progress", remedy))
    if history.is_shallow(git):
        lacking = "this clone is shallow, so it lacks the commits of earlier promotions"
        flaws.append(Finding("", lacking, FETCH_ALL))
    flaws += [
        Finding(
            folder.path, "the folder has changes that are not committed", "commit them, or `git stash` them"
        )
        for folder in folders
        if not flaws and not folder.is_clean()
    ]
    if flaws:
        raise ConfigurationError("the repository is not ready for a promotion", findings=flaws)


def origin(git: Git, source: Folder, branch: str) -> tuple[str, str]:
    """Return the commit of the target branch that has the source as it is here, and its tree.

    ConfigurationError if the branch never had it: only merged manifests are promoted.
    """
    target = history.target_branch(git, branch)
    tree = history.tree_of(git, "HEAD", source.path)
    commit = history.commit_with(git, target, source.path, tree) if tree else ""
    if not commit:
        raise ConfigurationError(
            f"{source.path} as it is here was never on {target}",
            remedy=f"merge it into {target} first, then fetch; `--branch` names another branch",
        )
    return commit, tree


def manifests_of(git: Git, folder: Folder, commit: str = "HEAD") -> Manifests:
    """Return the files of an environment. ConfigurationError for a file that cannot be promoted."""
    found = folder.files(commit)
    linked = [path for path, file in found.items() if is_read(path) and file.mode not in REGULAR]
    if linked:
        flaws = [
            Finding(f"{folder.path}/{path}", "this is a link, and no file", "put a file here")
            for path in linked
        ]
        raise ConfigurationError(f"{folder.path} cannot be promoted from or to", findings=flaws)
    files = {path: file for path, file in found.items() if file.mode in REGULAR}
    documents = promotable(_texts(git, files), folder.path)
    return Manifests(
        {path: files[path] for path in documents},
        documents,
        {path: file for path, file in found.items() if path not in documents},
    )


def last_lock(git: Git, target: Folder, source: str) -> PromotionLock | None:
    """Return the lock at HEAD; None before the first promotion. ConfigurationError if it is not usable."""
    file = target.files("HEAD").get(LOCK_FILE)
    if file is None:
        return None
    record = record_in(read_blobs(git, [file.blob]).get(file.blob, b""))
    where = f"{target.path}/{LOCK_FILE}"
    if record.lock is None:
        remedy = f"restore it from an earlier commit: `git log -- {where}`"
        raise ConfigurationError(f"{where}: {record.problem}", remedy=remedy)
    if record.lock.source != source:
        remedy = (
            f"promote from {record.lock.source}; to change the source for good, delete the file and commit"
        )
        raise ConfigurationError(
            f"{where}: the environment is promoted from {record.lock.source}", remedy=remedy
        )
    return record.lock


def last_promoted(git: Git, lock: PromotionLock | None, target: Folder) -> Manifests:
    """Return the files as they were last promoted; none before the first promotion.

    ConfigurationError if git has lost one of them.
    """
    files = {one.path: TreeFile("100644", one.blob) for one in lock.files} if lock else {}
    texts = _texts(git, files)
    lost = [path for path in files if path not in texts]
    if lost:
        where = f"{target.path}/{LOCK_FILE}"
        raise ConfigurationError(
            f"{where}: git has lost {lost[0]} as it was last promoted",
            remedy="fetch the whole history of the target branch; if the file is lost for good, delete the "
            "lock: the next promotion has no base then, and each file that differs is a conflict",
        )
    return Manifests(files, promotable(texts, target.path), {})


def promoted_definitions(git: Git, promoted: Manifests, source: Manifests, name: str) -> DesiredState:
    """Return the definitions of promoted files in their source, the environment `name`.

    Files that were not promoted complete it, such as a destination, unless a promoted file has one of their
    documents. ConfigurationError if the definitions are invalid.
    """
    known = {one for documents in promoted.documents.values() for one in documents}
    others = {
        path: file
        for path, file in source.files.items()
        if is_sql(path) or known.isdisjoint(source.documents[path])
    }
    found = load_files(git, {**source.others, **others, **promoted.files}, name)
    segments = [one for one in found.segments if Named("Audience", one.address.audience) in known]
    return replace(found, segments=tuple(segments))


def load_files(git: Git, files: Tree, name: str) -> DesiredState:
    """Return what manifests of git declare for the environment `name`. Files outside of git do not count."""
    wanted = {path: file for path, file in files.items() if is_read(path) or path == LOCK_FILE}
    contents = read_blobs(git, sorted({file.blob for file in wanted.values()}))
    with tempfile.TemporaryDirectory(prefix="reconciler-promotion-") as folder:
        for path, file in wanted.items():
            place = Path(folder) / "environments" / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(contents.get(file.blob, b""))
        return load_without_sources(Path(folder), name)


def _texts(git: Git, files: Tree) -> Mapping[str, bytes]:
    """Return the contents of manifests and files of SQL by path, as far as git has them."""
    wanted = {path: file.blob for path, file in files.items() if is_read(path)}
    contents = read_blobs(git, sorted(set(wanted.values())))
    return {path: contents[blob] for path, blob in wanted.items() if blob in contents}
