"""Invisible characters in text that is sent to Criteo or decides which members are sent."""

import unicodedata
from collections.abc import Iterator

from reconciler.core.model import SourceLocation
from reconciler.manifests.syntax.errors import position
from reconciler.manifests.syntax.nodes import Issue, IssueRank, ManifestDocument, Node

_LINES = frozenset({"title", "namePrefix", "nameSuffix"})
_TEXTS = frozenset({"description", "where", "sql", "freshness"})
_NAMES = _LINES | _TEXTS
_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Controls, marks of direction and width, halves of characters, private characters, separators."""
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    map(chr, (*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0)))
)
"""Letters and marks without a shape. U+FE0E and U+FE0F stay allowed: emoji need them."""
_BROKEN_LINES = frozenset(map(chr, (*range(0x20), 0x7F, 0x85, 0x2028, 0x2029)))
"""The schema refuses these in what is one line."""
_LAYOUT = frozenset("\t\n")
REMOVE_IT = "remove it: reviewers can't see it"


def invisible_characters(document: ManifestDocument, name: str, node: Node) -> Iterator[Issue]:
    """Yield each different invisible character in the text under a key, where it first stands."""
    if name not in _NAMES or (node.value.isascii() and node.value.isprintable()):
        return
    allowed = _BROKEN_LINES if name in _LINES else _LAYOUT
    for character in dict.fromkeys(node.value):
        if character not in allowed and is_invisible(character):
            yield _issue(document, name, node, character)


def is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _CATEGORIES or character in _BLANK


def described(character: str) -> str:
    """Return the name and the code of an invisible character."""
    code = f"U+{ord(character):04X}"
    called = unicodedata.name(character, "")
    return f"{called} ({code})" if called else f"{code}, which has no name"


def _issue(document: ManifestDocument, name: str, node: Node, character: str) -> Issue:
    problem = f"an invisible character in `{name}`: {described(character)}"
    return Issue(_place(document, node, character), IssueRank.TRAP, problem, REMOVE_IT)


def _place(document: ManifestDocument, node: Node, character: str) -> SourceLocation:
    """Return the location of the character, or of the value if an escape stands for it."""
    index = document.text.find(character, node.start, node.end)
    if index < 0:
        return document.at(node)
    line, column = position(document.text[node.start : index], index - node.start)
    before = 1 if line else node.column
    return SourceLocation(document.file, node.line + line, before + column)
