"""Differences between environments as Markdown: the text of a pull request that promotes, and `diff`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.core.promotion.differences import DifferenceKind
from reconciler.render.document.differences import DifferenceRow
from reconciler.render.markdown.escape import code, label, words
from reconciler.render.markdown.truncate import fitted

LONGEST = 60_000
"""Characters. GitHub refuses a text of more than 65,536."""

HEADINGS = {
    DifferenceKind.ADDED: "Added",
    DifferenceKind.CHANGED: "Changed",
    DifferenceKind.REMOVED: "Removed",
    DifferenceKind.ONLY_THERE: "Only in the target",
}


@dataclass(frozen=True, slots=True)
class PromotionText:
    """The content of the text. `files` and `credentials` are what the target must have for it.

    `commit` is that of the promoted source; "" for a comparison. `conflicts` are paths.
    """

    source: str
    target: str
    commit: str
    rows: Sequence[DifferenceRow]
    files: Sequence[str] = ()
    credentials: Sequence[str] = ()
    conflicts: Sequence[str] = ()


def promotion_markdown(text: PromotionText) -> str:
    """Return the text, at most LONGEST characters long."""
    lines = fitted([*_lines(text)], str, LONGEST, lambda lacking: f"… {lacking:,} more lines")
    return "\n".join((f"<!-- reconciler: promotion {label(text.target)} -->", *lines)) + "\n"


def _lines(text: PromotionText) -> Iterator[str]:
    of = f" at {code(text.commit[:12])}" if text.commit else ""
    yield f"### {code(text.source)} → {code(text.target)}"
    yield ""
    if text.rows or text.conflicts:
        yield f"The definitions come from {code(text.source)}{of}."
    else:
        yield "No definition changes." if text.commit else "Nothing differs."
    if text.conflicts:
        yield from (
            "",
            "#### Conflicts",
            "",
            "Resolve these files. Then `reconciler diff` shows what differs.",
            "",
        )
        yield from (f"- {code(one)}" for one in text.conflicts)
    for kind in DifferenceKind:
        if rows := [row for row in text.rows if row.kind is kind]:
            yield from ("", f"#### {HEADINGS[kind]}", "")
            for row in rows:
                yield from _row(row)
    if text.files or text.credentials:
        yield from ("", f"#### What {code(text.target)} must have", "")
        yield from _needed("these files in its data root", text.files)
        yield from _needed("a consent for these credentials", text.credentials)


def _row(row: DifferenceRow) -> Iterator[str]:
    proved = f": {words(row.verification)}" if row.verification else ""
    yield f"- {code(row.address)}{proved}"
    for value in row.values:
        yield f"  - {words(value)}"


def _needed(what: str, names: Iterable[str]) -> Iterator[str]:
    if listed := ", ".join(code(one) for one in names):
        yield f"- {what}: {listed}"
