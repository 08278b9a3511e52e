"""Checks `promotion.lock` for a pull request, against git and the state of the source. It writes nothing."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.portable_definition import portable_parts
from reconciler.core.promotion.lock import LOCK_FILE, PromotionLock
from reconciler.core.promotion.proofs import proofs_of
from reconciler.core.verification import Verification
from reconciler.git import history
from reconciler.git.merge import NEEDS
from reconciler.git.program import Git, find_git
from reconciler.git.trees import TreeFile, read_tree
from reconciler.git.worktree import Folder
from reconciler.manifests.load import load_without_sources
from reconciler.operations.promotion_trees import environment_folder, last_lock, lay_out

_AGAIN = "run `reconciler promote {ways}` again and commit the result"


def check(
    root: Path, source: str, target: str, branch: str, known: Sequence[Verification] | None
) -> tuple[Finding, ...]:
    """Return what is wrong with the lock at HEAD. `known`: the verifications of the source; None: unknown."""
    git = find_git(root, NEEDS, "`promote`")
    there, here = environment_folder(git, root, source), environment_folder(git, root, target)
    main, lock = history.target_branch(git, branch), last_lock(git, here, source)
    if lock is None:
        return ()
    where, again = f"{here.path}/{LOCK_FILE}", _AGAIN.format(ways=f"{source} {target}")
    findings = [*_superseded(git, here, main, where, again)]
    unknown = [*_unknown_files(git, there, lock, main, where, again)]
    findings += unknown or _other_definitions(git, there, lock, where, again)
    if known is not None:
        findings += _unproved(lock, known, source, where, again)
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
    git: Git, there: Folder, lock: PromotionLock, where: str, again: str
) -> Iterator[Finding]:
    """Yield a finding for each definition that the promoted files do not have."""
    files = {one.path: TreeFile("100644", one.blob) for one in lock.files}
    name = there.place.name
    with tempfile.TemporaryDirectory(prefix="reconciler-promotion-") as folder:
        lay_out(git, {**there.files(lock.commit), **files}, Path(folder) / "environments" / name)
        try:
            promoted = load_without_sources(Path(folder), name)
        except ConfigurationError:
            yield Finding(where, f"the promoted files of {name} are invalid", again)
            return
    digests = {spec.address: portable_parts(spec) for spec in promoted.segments}
    for one in lock.definitions:
        if digests.get(one.address) != one.digests:
            yield Finding(
                where, f"the promoted files of {name} do not have {one.address} as the lock states", again
            )


def _unproved(
    lock: PromotionLock, known: Sequence[Verification], source: str, where: str, again: str
) -> Iterator[Finding]:
    """Yield a finding for each proof that the state of the source does not have.

    The state keeps the newest verification of an address: an older one is not comparable.
    """
    proofs = proofs_of(known)
    for one in lock.definitions:
        if one.proof is None:
            continue
        state = proofs.get(one.address)
        if state is None or (state != one.proof and state.verified_at <= one.proof.verified_at):
            problem = f"the state of {source} does not prove {one.address} as the lock states"
            yield Finding(where, problem, again)
