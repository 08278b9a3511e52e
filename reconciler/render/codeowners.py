"""CODEOWNERS: who must approve a change of which file, as GitHub and GitLab read it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BEGIN = "# reconciler codeowners"
_END = "# end of reconciler codeowners"
_OWNER = r"@[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9._/-]+)?"
_BLOCK = re.compile(
    rf"^{_BEGIN}(?P<options>(?: --(?:admins|owners) {_OWNER})*)\n.*?^{_END}$", re.MULTILINE | re.DOTALL
)
_RULE = re.compile(r"^\s*[^#\s]", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")

OWNER = re.compile(_OWNER)
NOBODY = "YOUR-ORG"
"""The organisation that a new repository names."""


@dataclass(frozen=True, slots=True)
class Owners:
    """`admins` own what is reserved, `others` the rest of the manifests."""

    admins: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def unwritten(self) -> bool:
        """Return whether a placeholder is among the owners."""
        return any(one.partition("/")[0] == f"@{NOBODY}" for one in (*self.admins, *self.others))

    def __str__(self) -> str:
        """The command that names them."""
        admins = (f"--admins {one}" for one in self.admins)
        others = (f"--owners {one}" for one in self.others)
        return " ".join(["reconciler codeowners", *admins, *others])


@dataclass(frozen=True, slots=True)
class Block:
    """Our part of a CODEOWNERS file: its owners, its line, and whether it is the last rule."""

    text: str
    owners: Owners
    last: bool
    line: int


def codeowners(manifests: str, reserved: Sequence[str], owners: Owners) -> str:
    """A block to end CODEOWNERS with. The last rule that matches a file counts: the general one is first."""
    general = [f"{_pattern(manifests)} {' '.join(owners.others)}"] if owners.others else []
    rules = dict.fromkeys(f"{_pattern(path)} {' '.join(owners.admins)}" for path in reserved)
    return "\n".join([f"# {owners}", *general, *rules, _END, ""])


def block(text: str) -> Block | None:
    found = _BLOCK.search(text)
    if not found:
        return None
    words = found["options"].split()
    named = list(zip(words[::2], words[1::2], strict=True))
    admins = tuple(owner for option, owner in named if option == "--admins")
    others = tuple(owner for option, owner in named if option == "--owners")
    line = text.count("\n", 0, found.start()) + 1
    return Block(f"{found[0]}\n", Owners(admins, others), not _RULE.search(text, found.end()), line)


def _pattern(path: str) -> str:
    """Return the pattern of a file. If its name has pattern characters, the whole folder is owned."""
    while not _PLAIN.fullmatch(path):
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return "*" if path == "/" else f"/{path}"
