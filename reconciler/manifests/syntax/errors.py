"""Errors of the YAML parser in our words, with a fix and without quoting the file."""

import re
from dataclasses import replace
from typing import Any, NamedTuple

import yaml

from reconciler.core.model import SourceLocation
from reconciler.manifests.syntax.nodes import Issue, IssueRank

_QUOTE = "put quotes around the value"
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_CONFLICT = re.compile(r"^(?:[<>|]{7}(?: .*)?|={7})\r?$", re.MULTILINE)
_INDENT_TAB = re.compile(r"^ *\t[ \t]*(?=[^\s])", re.MULTILINE)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class _Rule(NamedTuple):
    """`needle` is looked for in the parser's message; `start` blames where the construct began."""

    needle: str
    start: bool
    problem: str
    remedy: str


_RULES = (
    _Rule(
        "nested too deeply", False, "this is nested too deeply for a manifest", "close the brackets before it"
    ),
    _Rule("scanning an alias", True, "a plain value can't begin with `*`", f'{_QUOTE}, as in "*.csv"'),
    _Rule("scanning an anchor", True, "a plain value can't begin with `&`", _QUOTE),
    _Rule("scanning a tag", True, "a plain value can't begin with `!`", _QUOTE),
    _Rule("tag handle", False, "a plain value can't begin with `!`", _QUOTE),
    _Rule("directive", True, "a line can't begin with `%`", _QUOTE),
    _Rule("block scalar", True, "a plain value can't begin with `|` or `>`", _QUOTE),
    _Rule(
        "mapping values are not allowed",
        False,
        "a second `: ` in one plain value, or a key that doesn't line up",
        "put quotes around a value that holds a colon, or line the key up with its neighbours",
    ),
    _Rule(
        "could not find expected ':'",
        True,
        "a key without a value",
        "write `key: value`, with a space after the colon",
    ),
    _Rule(
        "unknown escape",
        False,
        "an unknown escape (`\\`) in double quotes",
        "use single quotes, or write `\\\\`",
    ),
    _Rule(
        "escape", False, "a malformed escape (`\\`) in double quotes", "use single quotes, or write `\\\\`"
    ),
    _Rule("quoted scalar", True, "the quotes opened here are not closed", "close them on the same line"),
    _Rule(
        "flow mapping",
        True,
        "the `{` opened here is not closed, or a comma is missing in it",
        "close it with `}`; put quotes around a value that begins with {",
    ),
    _Rule(
        "flow sequence",
        True,
        "the `[` opened here is not closed, or a comma is missing in it",
        "close it with `]`; put quotes around a value that begins with [",
    ),
    _Rule(
        "flow node",
        False,
        "a bracket is not closed before here, or a value is missing",
        "close `[` with `]` and `{` with `}`",
    ),
    _Rule(
        "expected key",
        False,
        "this doesn't line up with the keys above it, or follows a closing quote",
        "indent keys of one mapping alike; put quotes around the whole value",
    ),
    _Rule(
        "expected '-' indicator",
        False,
        "this doesn't line up with the list above it",
        "begin each item with `- ` in the same column",
    ),
    _Rule(
        "block sequence entries are not allowed",
        False,
        "a list can't begin here",
        "begin it on a new line, or put quotes around a value that begins with -",
    ),
    _Rule("block node", False, "a value can't begin with this character", _QUOTE),
)


def translate(error: yaml.YAMLError, file: str, text: str, line: int) -> Issue:
    """What is wrong with a text that begins at a 0-based line of its file."""
    flaw = _translated(error, file, text)
    return flaw._replace(place=replace(flaw.place, line=flaw.place.line + line))


def _translated(error: yaml.YAMLError, file: str, text: str) -> Issue:
    """Return our words for an error. libyaml has no codes; its texts are constants, one for each mistake."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return _flaw(file, 0, 0, "this is not valid YAML", "check quotes and brackets")
    stood: Any = error.problem_mark
    if "cannot start any token" in str(error.problem):
        return _bad_start(file, text, stood)
    said = f"{error.context} {error.problem}"
    for rule in _RULES:
        if rule.needle in said:
            mark: Any = error.context_mark if rule.start and error.context_mark else stood
            return _flaw(file, mark.line, mark.column, rule.problem, rule.remedy)
    remedy = "check quotes, brackets and indentation on this line and the one before"
    return _flaw(file, stood.line, stood.column, "this is not valid YAML", remedy)


def _bad_start(file: str, text: str, mark: Any) -> Issue:
    lines = _BREAK.split(text)
    char = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
    said = f"`{char}`" if char in {"@", "%", "`", "\t"} else "this character"
    shown = "a backtick" if char == "`" else said
    return _flaw(file, mark.line, mark.column, f"a plain value can't begin with {shown}", _QUOTE)


def conflict(file: str, text: str) -> Issue | None:
    """Return the first line of a merge conflict that git left in the file."""
    found = _CONFLICT.search(text)
    if not found:
        return None
    line, _ = position(text, found.start())
    remedy = "keep what is meant, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>"
    return _flaw(file, line, 0, "a merge conflict that is not resolved", remedy)


def lines(text: str) -> int:
    """Return the number of line breaks that YAML sees in a text."""
    return len(_BREAK.findall(text))


def tab(file: str, text: str) -> Issue | None:
    """The first line that is indented with a tab."""
    found = _INDENT_TAB.search(text) if "\t" in text else None
    if not found:
        return None
    line, column = position(text, found.start() + found.group().index("\t"))
    return _flaw(
        file, line, column, "a tab in the indentation", "indent with spaces: YAML forbids tabs there"
    )


def unprintable(file: str, text: str) -> Issue | None:
    """The first character that YAML doesn't allow."""
    found = _UNPRINTABLE.search(text)
    if not found:
        return None
    line, column = position(text, found.start())
    problem = f"a control character (U+{ord(found.group()):04X})"
    return _flaw(file, line, column, problem, "remove it, or write it as an escape in double quotes")


def position(text: str, index: int) -> tuple[int, int]:
    """0-based line and column of an index."""
    before = _BREAK.split(text[:index])
    return len(before) - 1, len(before[-1])


def undecodable(file: str, data: bytes, error: UnicodeDecodeError) -> Issue:
    """A file that is not UTF-8."""
    utf16 = data[:2] in {b"\xff\xfe", b"\xfe\xff"}
    line, column = position(data[: 0 if utf16 else error.start].decode("utf-8-sig", "replace"), error.start)
    problem = "the file is UTF-16, not UTF-8" if utf16 else "a byte that is not UTF-8"
    return _flaw(file, line, 0 if utf16 else column, problem, "save the file as UTF-8")


def _flaw(file: str, line: int, column: int, problem: str, remedy: str) -> Issue:
    return Issue(SourceLocation(file, line + 1, column + 1), IssueRank.STRUCTURE, problem, remedy)
