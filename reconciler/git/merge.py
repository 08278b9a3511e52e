"""The three-way merge of three trees, by `git merge-tree`. It changes no file and no index.

base ──┬── ours      base: what was promoted last    ours: the files now
       └── theirs    theirs: the files to promote
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.errors import ConfigurationError
from reconciler.git.program import Git
from reconciler.git.trees import TreeFile

NEEDS = (2, 45)
"""The first git whose `merge-tree --merge-base` takes trees (its release notes)."""
_SETTINGS = ("-c", "merge.renames=true", "-c", "merge.directoryRenames=false", "-c", "merge.default=text")
"""The same merge whatever the user's settings are. Files are not moved because their neighbours were."""
_OPTIONS = ("--write-tree", "-z", "--no-messages", "-Xfind-renames=100%")
"""Only an unchanged file counts as moved: callers give other moved files the same path in all trees."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged tree. `stages` has, by path in conflict, the file of each stage: 1 base, 2 ours, 3 theirs.

    A text in conflict has markers in the merged tree.
    """

    tree: str
    stages: Mapping[str, Mapping[int, TreeFile]]


def merge(git: Git, base: str, ours: str, theirs: str) -> Merged:
    """Return the merge of three trees, named by their ids. ConfigurationError if git cannot merge them."""
    done = git.ask(*_SETTINGS, "merge-tree", *_OPTIONS, f"--merge-base={base}", ours, theirs)
    if done.code not in (0, 1):
        raise ConfigurationError(
            f"`git merge-tree` failed with exit code {done.code}",
            remedy="run `git fsck` in this repository; then repeat the command",
        )
    tree, _, rest = done.output.partition(b"\0")
    return Merged(tree.decode(), _stages(list(_entries(rest))))


def _entries(output: bytes) -> Iterator[tuple[str, int, TreeFile]]:
    for entry in output.split(b"\0"):
        if entry:
            fields, _, path = entry.decode("utf-8", "surrogateescape").partition("\t")
            mode, blob, stage = fields.split(" ")
            yield path, int(stage), TreeFile(mode, blob)


def _stages(entries: Sequence[tuple[str, int, TreeFile]]) -> dict[str, dict[int, TreeFile]]:
    found: dict[str, dict[int, TreeFile]] = {}
    for path, stage, file in entries:
        found.setdefault(path, {})[stage] = file
    return found
