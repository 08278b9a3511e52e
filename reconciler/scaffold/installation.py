"""What a new repository installs reconciler from: an index, a wheel, or a commit of a git repository."""

import io
import re
import zipfile
from dataclasses import dataclass, field

from reconciler import __version__

WHEELS = "wheels"
"""The folder of a new repository that keeps the wheel."""
_WHEEL = re.compile(r"criteo_reconciler-[0-9][0-9A-Za-z.!+_]*-py3-none-any\.whl")
_SCHEMES = ("https://", "ssh://", "file://")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LOGIN = re.compile(r"https://[^/]*@|ssh://[^/]*:[^/]*@")

FROM_AN_INDEX = """\
# Not on PyPI yet. From your own index, put before it:   --index-url https://INDEX/simple
# `reconciler init --from` writes this file for a wheel or a git repository.
# To pin every byte, put here what `pip-compile --generate-hashes` makes of this line.
"""
FROM_A_WHEEL = "# From the wheel that this repository keeps: jobs install it from the repository's root.\n"
FROM_GIT = "# From this commit; `pip` needs git and read access to that repository.\n"


class NoOriginError(ValueError):
    """Nothing to install from; its text is what to do, without what was typed."""


@dataclass(frozen=True, slots=True)
class Installation:
    """`requirement` is a line for pip; `hook` how pre-commit gets the command; `files` are kept for it."""

    requirement: str
    comment: str
    hook: str
    files: dict[str, bytes] = field(default_factory=dict)


def from_index() -> Installation:
    return _pinned(f"criteo-reconciler=={__version__}", FROM_AN_INDEX)


def from_wheel(name: str, content: bytes, within: str) -> Installation:
    """`within`: the folder of the project in its repository, "" or with a slash at its end.

    pre-commit installs in a folder of its own, where a path of the repository leads nowhere: its hooks run
    the command that is installed already.
    """
    if not _WHEEL.fullmatch(name):
        raise NoOriginError(
            "name a file like criteo_reconciler-0.1.0-py3-none-any.whl, as `pip wheel` writes it"
        )
    if not _is_a_wheel(content):
        raise NoOriginError(
            "the file is not a wheel of criteo-reconciler: build it with `pip wheel --no-deps .`"
        )
    kept = f"{WHEELS}/{name}"
    return Installation(f"./{within}{kept}", FROM_A_WHEEL, "language: system", {kept: content})


def from_git(address: str) -> Installation:
    """`URL@COMMIT`. A branch or a tag may move, and a login in the URL would be committed."""
    url, _, commit = address.removeprefix("git+").rpartition("@")
    if not url.startswith(_SCHEMES) or re.search(r"[\s#\"\\]", address):
        raise NoOriginError(
            "name a wheel, or a git repository as https://HOST/PATH@COMMIT or ssh://git@HOST/PATH@COMMIT"
        )
    if _LOGIN.match(url):
        raise NoOriginError(
            "leave user and password out of the URL, which is committed; git has credential helpers"
        )
    if not _COMMIT.fullmatch(commit):
        raise NoOriginError(
            "name a commit by its 40 digits, which never moves: `git ls-remote URL REF` prints it"
        )
    return _pinned(f"git+{url}@{commit}", FROM_GIT)


def _pinned(requirement: str, comment: str) -> Installation:
    return Installation(
        requirement, comment, f'language: python\n        additional_dependencies: ["{requirement}"]'
    )


def _is_a_wheel(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return any(
                re.fullmatch(r"criteo_reconciler-[^/]+\.dist-info/METADATA", one) for one in packed.namelist()
            )
    except zipfile.BadZipFile:
        return False
