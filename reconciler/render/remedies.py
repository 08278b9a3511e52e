"""Where advice in words holds something to copy: commands in backticks, and YAML."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CODE = re.compile(
    r"(?<!\S)(?:`(?P<command>[^`]+)`(?=[.,;:]?(?:\s|$))|(?P<yaml>\w+: \{[^{}]*\})(?=[.,;]?(?:\s|$)))"
)
_WORDS = 3
"""So many may stand on a line of YAML; a sentence has more."""


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
    """What stands first, and the lines of the snippet below it."""
    first, *lines = advice.splitlines() or [""]
    if lines and len(first.split()) <= _WORDS:
        return "", [first, *lines]
    return first, lines
