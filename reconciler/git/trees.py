"""Trees of git as flat mappings from path to file, read and written. It changes no index and no branch."""

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.git.program import Git, split

REGULAR = frozenset({"100644", "100755"})
"""The modes of files; links and submodules have others."""


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a tree: its mode and the id of its content."""

    mode: str
    blob: str


Tree = Mapping[str, TreeFile]


def read_tree(git: Git, tree: str, folder: str) -> dict[str, TreeFile]:
    """Return the files of `folder` in a tree or commit, with paths relative to it; none if it is missing."""
    found = {}
    for entry in split(git.ask("ls-tree", "-r", "-z", "--full-tree", f"{tree}:{folder}").output):
        fields, _, name = entry.partition("\t")
        mode, _, blob = fields.split(" ")
        found[name] = TreeFile(mode, blob)
    return found


def write_tree(git: Git, files: Tree) -> str:
    """Store a tree with these files, and return its id."""
    with tempfile.TemporaryDirectory(prefix="reconciler-index-") as folder:
        apart = git.within({"GIT_INDEX_FILE": str(Path(folder) / "index")})
        apart.run("update-index", "-z", "--index-info", given=entries(files.items()))
        return apart.run("write-tree").text


def entries(files: Iterable[tuple[str, TreeFile]], stage: int = 0) -> bytes:
    """Return the input of `update-index --index-info` for these files."""
    return b"".join(
        f"{file.mode} {file.blob} {stage}\t{path}".encode("utf-8", "surrogateescape") + b"\0"
        for path, file in files
    )


def read_blobs(git: Git, blobs: Collection[str]) -> dict[str, bytes]:
    """Return the contents of blobs, by id; one that is missing or no blob is left out."""
    return dict(_contents(git.run("cat-file", "--batch", given="\n".join(blobs).encode() + b"\n").output))


def _contents(output: bytes) -> Iterator[tuple[str, bytes]]:
    position = 0
    while position < len(output):
        end = output.index(b"\n", position)
        fields = output[position:end].decode().split(" ")
        position = end + 1
        if len(fields) == 3:
            size = int(fields[2])
            if fields[1] == "blob":
                yield fields[0], output[position : position + size]
            position += size + 1


def store_blob(git: Git, content: bytes) -> str:
    """Store a content, and return its id."""
    return git.run("hash-object", "-w", "--stdin", given=content).text
