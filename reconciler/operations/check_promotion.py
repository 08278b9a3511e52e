"""Checks `promotion.lock` for a pull request, against git and the state of the source. It writes nothing."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.portable_definition import portable_parts
from reconciler.core.promotion.gates import NOTHING_PROMOTED
from reconciler.core.promotion.lock import LOCK_FILE, PromotionLock, Proof
from reconciler.core.promotion.proofs import KnownProofs
from reconciler.git import history
from reconciler.git.merge import NEEDS
from reconciler.git.program import Git, find_git
from reconciler.git.trees import read_tree
from reconciler.git.worktree import Folder
from reconciler.manifests.project import environments
from reconciler.manifests.promotion_lock import promotion_record
from reconciler.operations.promotion_trees import (
    FETCH_ALL,
    Manifests,
    environment_folder,
    last_lock,
    last_promoted,
    manifests_of,
    promoted_definitions,
)

_AGAIN = "run `reconciler promote {ways}` again and commit the result"


Known = Callable[[str, Iterable[Proof]], KnownProofs | None]
"""Returns what the state of an environment proves, for these proofs; None if it is not readable here."""


def promoted_environments(root: Path) -> tuple[tuple[str, str], ...]:
    """Return source and target of each recorded promotion. A damaged lock has no source."""
    found = {name: promotion_record(root, name) for name in environments(root)}
    return tuple(
        (record.lock.source if record.lock else "", name)
        for name, record in found.items()
        if record != NOTHING_PROMOTED
    )


def check(root: Path, source: str, target: str, branch: str, known: Known) -> tuple[Finding, ...]:
    """Return what is wrong with the lock of `target` at HEAD."""
    git = find_git(root, NEEDS, "`promote`")
    here = environment_folder(git, root, target)
    where = f"{here.path}/{LOCK_FILE}"
    record = promotion_record(root, target)
    if record.problem:
        return (Finding(where, record.problem, f"restore it from an earlier commit: `git log -- {where}`"),)
    there, lock = environment_folder(git, root, source), last_lock(git, here, source)
    if lock is None:
        return ()
    if history.is_shallow(git):
        return (Finding(where, "this clone is shallow, so the lock can't be checked", FETCH_ALL),)
    main, again = history.target_branch(git, branch), _AGAIN.format(ways=f"{source} {target}")
    findings = [*_superseded(git, here, main, where, again), *_mixed(git, here, there, main, where)]
    unknown = [*_unknown_files(git, there, lock, main, where, again)]
    findings += unknown or _other_definitions(git, there, lock, last_promoted(git, lock, here), where, again)
    proved = known(source, [one.proof for one in lock.definitions if one.proof])
    if proved is not None:
        findings += _unproved(lock, proved, source, where, again)
    return tuple(findings)


def _superseded(git: Git, here: Folder, main: str, where: str, again: str) -> Iterator[Finding]:
    """Yield a finding if another promotion was merged since this branch began."""
    began = history.merge_base(git, "HEAD", main)
    ours, theirs, before = (_lock_blob(here, commit) for commit in ("HEAD", main, began))
    if theirs not in (before, ours) and ours != before:
        yield Finding(
            where,
            f"another promotion was merged into {main} meanwhile",
            f"start a new branch from {main}, then {again}",
        )


def _mixed(git: Git, here: Folder, there: Folder, main: str, where: str) -> Iterator[Finding]:
    """Yield a finding if one change edits the lock and the source, which names the state that proves it."""
    began = history.merge_base(git, "HEAD", main)
    if _lock_blob(here, "HEAD") == _lock_blob(here, began):
        return
    tree = history.tree_of(git, "HEAD", there.path)
    if not history.commit_with(git, main, there.path, tree):
        yield Finding(
            where,
            f"the same change edits {there.path}, which was never on {main} like this",
            f"merge the change of {there.path} first, and promote it in a change of its own",
        )


def _lock_blob(folder: Folder, commit: str) -> str:
    file = folder.files(commit).get(LOCK_FILE) if commit else None
    return file.blob if file else ""


def _unknown_files(
    git: Git, there: Folder, lock: PromotionLock, main: str, where: str, again: str
) -> Iterator[Finding]:
    """Yield a finding for each file that the target branch never had as the lock states."""
    trees = {
        commit: read_tree(git, commit, there.path)
        for commit in {one.commit for one in lock.files}
        if history.contains(git, main, commit)
    }
    for one in lock.files:
        found = trees.get(one.commit, {}).get(one.path)
        if found is None or found.blob != one.blob:
            yield Finding(where, f"{main} never had {there.path}/{one.path} as the lock states", again)


def _other_definitions(
    git: Git, there: Folder, lock: PromotionLock, promoted: Manifests, where: str, again: str
) -> Iterator[Finding]:
    """Yield a finding for each definition that the promoted files do not have."""
    name = there.place.name
    try:
        found = promoted_definitions(git, promoted, manifests_of(git, there, lock.commit), name)
    except ConfigurationError:
        yield Finding(where, f"the promoted files of {name} are invalid", again)
        return
    digests = {spec.address: portable_parts(spec) for spec in found.segments}
    for one in lock.definitions:
        if digests.get(one.address) != one.digests:
            yield Finding(
                where, f"the promoted files of {name} do not have {one.address} as the lock states", again
            )


def _unproved(
    lock: PromotionLock, known: KnownProofs, source: str, where: str, again: str
) -> Iterator[Finding]:
    """Yield a finding for each proof that the state of the source never had."""
    for one in lock.definitions:
        if one.proof and not known.has(one.address, one.proof):
            problem = f"the state of {source} does not prove {one.address} as the lock states"
            yield Finding(where, problem, again)
