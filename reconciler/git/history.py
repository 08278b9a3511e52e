"""Questions about commits: where a tree comes from, and what a branch contains. It changes nothing."""

from reconciler.core.errors import ConfigurationError
from reconciler.git.program import Git

_COMMON = ("main", "master")


def head(git: Git) -> str:
    """Return the commit of HEAD. ConfigurationError if there is none."""
    found = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if found.code:
        raise ConfigurationError("this repository has no commit", remedy="commit the manifests first")
    return found.text


def is_shallow(git: Git) -> bool:
    """Return whether older commits were left out of this clone."""
    return git.run("rev-parse", "--is-shallow-repository").text == "true"


def commit_of(git: Git, revision: str) -> str:
    """Return the commit that a name stands for, or ""."""
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return git.ask(*arguments).text


def target_branch(git: Git, named: str) -> str:
    """Return the branch that merged work is on: `named`, the remote's default branch, or main.

    ConfigurationError if there is none.
    """
    if named:
        candidates: tuple[str, ...] = (f"origin/{named}", named)
    else:
        default = git.ask("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD").text
        candidates = tuple(filter(None, (default, *(f"origin/{one}" for one in _COMMON), *_COMMON)))
    for one in candidates:
        if commit_of(git, one):
            return one
    missing = f"git finds no branch {named}" if named else "git finds no branch main, here or at origin"
    raise ConfigurationError(missing, remedy="name the branch that pull requests merge into with --branch")


def commit_with(git: Git, branch: str, folder: str, tree: str) -> str:
    """Return the newest commit of a branch in which a folder has this tree, or ""."""
    commits = git.run("rev-list", "--end-of-options", branch, "--", folder).text.split()
    asked = "".join(f"{commit}:{folder}\n" for commit in commits).encode("utf-8", "surrogateescape")
    answers = git.run("cat-file", "--batch-check=%(objectname)", given=asked).text.splitlines()
    return next((commit for commit, found in zip(commits, answers, strict=True) if found == tree), "")


def tree_of(git: Git, commit: str, folder: str) -> str:
    """Return the id of a folder's tree in a commit, or ""."""
    return git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{folder}").text


def contains(git: Git, branch: str, commit: str) -> bool:
    """Return whether a branch contains a commit; False if the commit is missing here."""
    return git.ask("merge-base", "--is-ancestor", "--end-of-options", commit, branch).code == 0


def merge_base(git: Git, one: str, other: str) -> str:
    """Return the best common ancestor of two commits, or ""."""
    return git.ask("merge-base", "--end-of-options", one, other).text
