"""The text of a file of SQL, or the first thing in it that no query of a manifest may have."""

from collections.abc import Iterator

from reconciler.core.model import SourceLocation
from reconciler.core.pii import pii_kind
from reconciler.manifests.syntax import errors as syntax
from reconciler.manifests.syntax.invisible import REMOVE_IT, described, is_invisible
from reconciler.manifests.syntax.nodes import Issue, IssueRank

LONGEST = 100_000
"""Characters, as for `sql` in a manifest."""
LARGEST = 4 * LONGEST
"""Bytes: a character of UTF-8 has four of them at most."""
_LAYOUT = frozenset("\t\n")


def decode_sql(data: bytes, file: str) -> str | Issue:
    """Return the text, with the line breaks that YAML would have: a checkout may change them."""
    if len(data) > LARGEST:
        return _too_long(file)
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        return syntax.undecodable(file, data, error)
    if len(text) > LONGEST:
        return _too_long(file)
    return next(_wrong(text, file), text)


def _wrong(text: str, file: str) -> Iterator[Issue]:
    if not text.strip():
        yield _issue(file, (1, 1), "the file is empty", "write one SELECT statement")
    if found := syntax.conflict(file, text) or syntax.unprintable(file, text):
        yield found
    for line, content in enumerate(text.split("\n"), 1):
        if data := pii_kind(content):
            problem = f"this looks like {data}: personal data does not belong in queries"
            yield _issue(file, (line, 1), problem, "keep it in a table, and select it from there")
    for index, character in enumerate("" if text.isascii() else text):
        if character not in _LAYOUT and is_invisible(character):
            before = text[:index]
            place = (before.count("\n") + 1, index - before.rfind("\n"))
            yield _issue(file, place, f"an invisible character: {described(character)}", REMOVE_IT)


def _too_long(file: str) -> Issue:
    problem = f"the file has more than {LONGEST:,} characters"
    return _issue(file, (1, 1), problem, "make the query shorter, or a view of the database")


def _issue(file: str, place: tuple[int, int], problem: str, remedy: str) -> Issue:
    return Issue(SourceLocation(file, *place), IssueRank.STRUCTURE, problem, remedy)
