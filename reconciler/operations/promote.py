"""Merges the manifests of one environment into another, by git. `prepare` reads; `carry_out` writes.

lock ─► base ─────┐
target ─► ours ───┼─ git merge-tree ─► result ─ validate ─► working tree, index, promotion.lock
source ─► theirs ─┘                      └─ conflicts ─► stages and markers, as of any merge
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Seat, SegmentSpec
from reconciler.core.pii import redacted_path
from reconciler.core.portable_definition import part_digests, portable_parts
from reconciler.core.promotion.differences import Difference, changes
from reconciler.core.promotion.lock import (
    LOCK_FILE,
    PromotedDefinition,
    PromotionLock,
    carried_files,
)
from reconciler.core.promotion.proofs import KnownProofs, carried_definition, trusted
from reconciler.git import history, worktree
from reconciler.git.merge import NEEDS, Merged, merge
from reconciler.git.program import find_git
from reconciler.git.trees import Tree, TreeFile, read_tree, store_blob, write_tree
from reconciler.git.worktree import Folder
from reconciler.manifests.moved_files import at_common_paths, common_paths
from reconciler.manifests.promotable import select
from reconciler.manifests.promotion_lock import lock_text
from reconciler.operations.promotion_trees import (
    Manifests,
    check_repository,
    environment_folder,
    last_lock,
    last_promoted,
    load_files,
    manifests_of,
    origin,
    promoted_definitions,
)


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """What to promote: all manifests, or the files that `only` selects. `branch` is "" for the usual one."""

    source: str
    target: str
    only: tuple[str, ...] = ()
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the target must have for the promoted definitions: files of its data root, and credentials."""

    files: tuple[str, ...]
    credentials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a merge without conflicts changes in meaning."""

    differences: tuple[Difference, ...]
    needs: Needs


@dataclass(frozen=True, slots=True)
class PreparedPromotion:
    """A merge that is not written yet. Paths are relative to the folder of the target.

    `specs` are the promoted definitions. `comparison` is None if there are conflicts.
    """

    request: PromotionRequest
    folder: Folder
    before: Tree
    after: Tree
    merged: Merged
    labels: Mapping[str, str]
    lock: PromotionLock
    comparison: Comparison | None
    specs: tuple[SegmentSpec, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """Return the paths that the merge changes, the lock included."""
        paths = sorted({*self.before, *self.after})
        return tuple(path for path in paths if self.before.get(path) != self.after.get(path))

    @property
    def conflicts(self) -> tuple[str, ...]:
        return tuple(sorted(self.merged.stages))


@dataclass(frozen=True, slots=True)
class _Trees:
    base: Manifests
    ours: Manifests
    theirs: Manifests


def prepare(root: Path, request: PromotionRequest, known: KnownProofs | None) -> PreparedPromotion:
    """Return the merge. ConfigurationError, with the fix, for everything that stands in its way.

    `known` are the proofs in the state of the source; None if there is no state.
    """
    git = find_git(root, NEEDS, "`promote`")
    source, target = (environment_folder(git, root, name) for name in (request.source, request.target))
    check_repository(git, (source, target))
    commit, tree = origin(git, source, request.branch)
    last = last_lock(git, target, request.source)
    trees = _Trees(last_promoted(git, last, target), manifests_of(git, target), manifests_of(git, source))
    selected = select(
        request.only,
        [one.documents for one in (trees.theirs, trees.base, trees.ours)],
        trees.base.changed_in(trees.theirs),
    )
    promoted = _promoted(trees, selected)
    sides = (trees.base, trees.ours, promoted)
    paths = common_paths(*(one.documents for one in sides))
    base, ours, theirs = (write_tree(git, at_common_paths(one.files, paths)) for one in sides)
    merged = merge(git, base, ours, theirs)
    files = read_tree(git, merged.tree, "")
    _check_collisions(files, trees.ours, target)
    _check_untracked({*files, LOCK_FILE}, trees.ours, target)
    desired = promoted_definitions(git, promoted, trees.theirs, request.source)
    new = PromotionLock(request.source, commit, tree, (), _proved(last, desired, known))
    lock = _renewed(last, trees, selected, new)
    locked = {LOCK_FILE: TreeFile("100644", store_blob(git, lock_text(lock)))}
    return PreparedPromotion(
        request=request,
        folder=target,
        before={
            **trees.ours.files,
            **{path: file for path, file in trees.ours.others.items() if path == LOCK_FILE},
        },
        after={**files, **locked},
        merged=merged,
        labels={
            base: f"{request.source} as last promoted",
            ours: request.target,
            theirs: request.source,
        },
        lock=lock,
        specs=desired.segments,
        comparison=None if merged.stages else _checked(target, {**files, **locked}, trees.ours),
    )


def carry_out(prepared: PreparedPromotion) -> None:
    """Write the result to the working tree and the index."""
    worktree.write(prepared.folder, prepared.before, prepared.merged, prepared.after, prepared.labels)


def new_branch(prepared: PreparedPromotion) -> str:
    """Return the name of a branch for the result. ConfigurationError if it exists with another commit."""
    request, git = prepared.request, prepared.folder.git
    branch = f"promote-{request.source}-to-{request.target}-{prepared.lock.tree[:8]}"
    if history.commit_of(git, f"refs/heads/{branch}") not in ("", history.head(git)):
        raise ConfigurationError(
            f"the branch {branch} exists already, with another commit",
            remedy="delete it with `git branch -D`, or commit the result yourself",
        )
    return branch


def commit(prepared: PreparedPromotion, branch: str) -> None:
    """Commit the result to a new branch."""
    request = prepared.request
    title = f"Promote {request.source} to {request.target}"
    worktree.commit(prepared.folder, branch, f"{title}\n\nThe manifests of {prepared.lock.commit}.\n")


def abort(root: Path, target: str) -> tuple[str, ...]:
    """Get the target back as it was before an uncommitted promotion, and return the paths."""
    git = find_git(root, NEEDS, "`promote`")
    return worktree.restore(environment_folder(git, root, target))


def _promoted(trees: _Trees, selected: frozenset[str]) -> Manifests:
    """Return the manifests to merge: those promoted last, with the selected files as the source has them."""
    base, theirs = trees.base, trees.theirs
    files = {path: file for path, file in base.files.items() if path not in selected}
    files |= {path: file for path, file in theirs.files.items() if path in selected}
    documents = {path: (theirs if path in selected else base).documents.get(path, ()) for path in files}
    return Manifests(files, documents, {})


def _check_collisions(files: Tree, ours: Manifests, target: Folder) -> None:
    """Refuse to write over a file of the target that is not promoted."""
    for path in sorted(files.keys() & ours.others.keys()):
        raise ConfigurationError(
            f"{target.path}/{path} belongs to its environment, and a promoted file has the same path",
            remedy="rename one of the two files",
        )


def _check_untracked(paths: set[str], ours: Manifests, target: Folder) -> None:
    """Refuse to write over what is not in git, because git could not bring it back.

    The folder is clean, so git ignores each such file.
    """
    tracked = {*ours.files, *ours.others}
    found = sorted({*worktree.in_the_way(target, sorted(paths - tracked))} - tracked)
    if found:
        raise ConfigurationError(
            f"the promotion would overwrite files of {target.path} that are not in git",
            findings=[
                Finding(
                    f"{target.path}/{redacted_path(path)}",
                    "git ignores this file, and the promotion would overwrite it",
                    "move or delete it; to see the rule, run `git check-ignore -v` with this path",
                )
                for path in found
            ],
        )


def _proved(
    last: PromotionLock | None, desired: DesiredState, known: KnownProofs | None
) -> tuple[PromotedDefinition, ...]:
    """Return the promoted definitions with what proves them, by address."""
    earlier = {one.address: trusted(one, known) for one in last.definitions} if last else {}
    proofs = known.newest if known else {}
    fresh = (
        PromotedDefinition(
            spec.address,
            part_digests(portable_parts(spec)),
            Seat(spec.key.account_id, spec.key.retailer_id),
            proofs.get(spec.address),
        )
        for spec in desired.segments
    )
    found = (carried_definition(earlier.get(one.address), one) for one in fresh)
    return tuple(sorted(found, key=lambda one: one.address))


def _renewed(
    last: PromotionLock | None, trees: _Trees, selected: frozenset[str], new: PromotionLock
) -> PromotionLock:
    """Return the new lock with its files; the last one if nothing that it states has changed."""
    promoted = {path: file.blob for path, file in trees.theirs.files.items() if path in selected}
    left = trees.base.files.keys() - selected
    found = replace(new, files=carried_files(last.files if last else (), promoted, left, new.commit))
    same = last and (last.files, last.definitions) == (found.files, found.definitions)
    return last if last and same else found


def _checked(target: Folder, after: Tree, ours: Manifests) -> Comparison:
    """Return what the merge changes. ConfigurationError if the result is invalid: nothing is written then."""
    name = target.place.name
    before = load_files(target.git, {**ours.others, **ours.files}, name)
    try:
        merged = load_files(target.git, {**ours.others, **after}, name)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the merged manifests of {name} are invalid, so nothing was written",
            remedy="correct them in the source, or in the target where they differ",
            findings=error.findings,
        ) from None
    return Comparison(changes(before.segments, merged.segments), _needs(before, merged))


def _needs(before: DesiredState, after: DesiredState) -> Needs:
    """Return what the target uses after the merge and did not use before."""
    return Needs(
        tuple(sorted(_files(after) - _files(before))),
        tuple(
            sorted({one.credential for one in after.segments} - {one.credential for one in before.segments})
        ),
    )


def _files(desired: DesiredState) -> set[str]:
    """Return all file patterns and tables, without personal data in their names."""
    lists = {file for one in desired.audiences for listed in one.exclusion_lists for file in listed.files}
    sources = {
        file for one in desired.audiences for file in (*one.source.files, *one.source.lake_tables.values())
    }
    return {redacted_path(file) for file in sources | lists}
