"""Runs git in one folder. Its error text may repeat its input, so no message contains it."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.errors import ConfigurationError

_REDIRECTING = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
    }
)
"""Variables that name another repository than that of the folder (in a hook), or change what a path means."""
_SETTINGS = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
_VERSION = re.compile(rb"git version (\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Completed:
    """The result of one call of git."""

    code: int
    output: bytes

    @property
    def text(self) -> str:
        """Return the output as one line of text."""
        return self.output.decode("utf-8", "surrogateescape").strip()


@dataclass(frozen=True, slots=True)
class Git:
    """git in a repository: `folder` is its root. `environ` is added to the environment of each call.

    Calls run in the root: in a folder below, git prints some paths relative to that folder. Paths are
    literal, not patterns.
    """

    program: str
    folder: Path
    environ: Mapping[str, str]

    def ask(self, *arguments: str, given: bytes = b"") -> Completed:
        """Return the exit code and the output; a failure is a result."""
        done = subprocess.run(  # noqa: S603 - no shell; callers end options before names that users chose
            [self.program, "-C", str(self.folder), *arguments],
            input=given,
            capture_output=True,
            check=False,
            env={**_inherited(), **_SETTINGS, **self.environ},
        )
        return Completed(done.returncode, done.stdout)

    def run(self, *arguments: str, given: bytes = b"") -> Completed:
        """Return the result of a call that must succeed. ConfigurationError if it fails."""
        done = self.ask(*arguments, given=given)
        if done.code:
            command = next(one for one in arguments if not one.startswith("-") and "=" not in one)
            raise ConfigurationError(
                f"`git {command}` failed with exit code {done.code}",
                remedy="run `git status` and `git fsck` in this repository, then repeat the command",
            )
        return done

    def names(self, *arguments: str) -> tuple[str, ...]:
        """Return the parts of an output that NUL bytes separate."""
        return split(self.run(*arguments).output)

    def within(self, environ: Mapping[str, str]) -> "Git":
        """Return git with more environment variables."""
        return Git(self.program, self.folder, {**self.environ, **environ})


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _REDIRECTING}


def split(output: bytes) -> tuple[str, ...]:
    """Return the names that NUL bytes end. A name that is not UTF-8 keeps its bytes as surrogates."""
    return tuple(part.decode("utf-8", "surrogateescape") for part in output.split(b"\0")[:-1])


def find_git(folder: Path, least: Sequence[int], purpose: str) -> Git:
    """Return git for the repository of a folder. ConfigurationError without git, or if it is too old.

    `least` is the oldest version that `purpose` can use.
    """
    wanted = ".".join(map(str, least))
    program = shutil.which("git")
    if program is None:
        raise ConfigurationError(
            f"{purpose} needs git, which is not installed", remedy=f"install git {wanted}"
        )
    git = Git(program, folder, {})
    found = _VERSION.match(git.ask("version").output)
    version = tuple(map(int, found.groups())) if found else ()
    if version < tuple(least):
        has = ".".join(map(str, version)) or "unknown"
        raise ConfigurationError(
            f"{purpose} needs git {wanted}; this is git {has}", remedy="install a newer git"
        )
    root = git.ask("rev-parse", "--show-toplevel").text
    if not root and any((one / ".git").exists() for one in (folder, *folder.parents)):
        raise ConfigurationError(
            f"{purpose} needs git, which refuses to read this repository",
            remedy="run `git status` here to see why; if another user owns the folder, as in a container, "
            "add it to `safe.directory` with `git config --global --add`",
        )
    if not root:
        raise ConfigurationError(
            f"{purpose} needs a git repository, and this folder is in none",
            remedy="run `git init`, and commit the manifests",
        )
    return Git(program, Path(root), {})
