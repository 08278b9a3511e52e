"""Parts of a fix that are copied: commands in backticks, and YAML."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CODE = re.compile(
    r"(?<!\S)(?:`(?P<command>[^`]+)`(?=[.,;:]?(?:\s|$))|(?P<yaml>\w+: \{[^{}]*\})(?=[.,;]?(?:\s|$)))"
)
_WORDS = 3
"""Words on a line of YAML, at most. A sentence has more."""


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    code: bool


def pieces(line: str) -> Iterator[Piece]:
    """Split a line into code and prose."""
    start = 0
    for found in _CODE.finditer(line):
        if found.start() > start:
            yield Piece(line[start : found.start()], code=False)
        yield Piece(found["command"] or found["yaml"], code=True)
        start = found.end()
    if start < len(line):
        yield Piece(line[start:], code=False)


def divided(advice: str) -> tuple[str, list[str]]:
    """Return the text of a fix and the lines of the snippet below it."""
    first, *lines = advice.splitlines() or [""]
    if lines and len(first.split()) <= _WORDS:
        return "", [first, *lines]
    return first, lines
