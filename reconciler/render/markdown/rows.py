"""The addresses of a document in Markdown: those with risks visible, the others folded."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from reconciler.render.document import document_text, row_text
from reconciler.render.document.model import Document, Section
from reconciler.render.document.row import Line, LineKind, Row
from reconciler.render.document.row_text import ChangeText
from reconciler.render.document.statement_text import statement_text
from reconciler.render.markdown.escape import cell, code, remedy, words
from reconciler.render.markdown.truncate import fitted, fitting, joined, more
from reconciler.render.numbers import counted

_FEW = 5
"""Fewer addresses are not folded."""

_SLACK = 300
"""Characters for the text about what is cut."""


def risks(document: Document, room: int) -> str:
    """Return every address, then the details of each as far as they fit."""
    rows = document.risks
    if not rows:
        return ""
    title = f"### {document_text.warning()}\n"
    spare = room - len(title) - _SLACK
    heads = fitting(rows, partial(_head, document.step), spare)
    blocks, silent = _with_bodies(heads, rows, spare - len(joined(heads)))
    blocks += [_more_addresses(len(rows) - len(heads))] if len(heads) < len(rows) else []
    blocks += [_more_said(silent)] if silent else []
    return joined([title, *blocks, ""])


def _with_bodies(heads: Sequence[str], rows: Sequence[Row], spare: int) -> tuple[list[str], int]:
    """Return the details of each address as far as they fit, and how many do not."""
    blocks = []
    for head, row in zip(heads, rows, strict=False):
        body = "".join(f"\n{line}" for line in _said(row))
        if len(body) > spare:
            break
        blocks.append(head + body)
        spare -= len(body)
    return [*blocks, *heads[len(blocks) :]], len(heads) - len(blocks)


def _head(step: int, row: Row) -> str:
    size = words(row_text.size(row, step))
    facts = (f"- {code(row.kind.symbol)} {row.kind} **{code(row.address)}**", _moved(row), size)
    return " · ".join(fact for fact in facts if fact)


def _moved(row: Row) -> str:
    return " ".join(words(fact) for fact in (row_text.adds(row), row_text.removes(row)) if fact)


def _said(row: Row) -> Iterator[str]:
    """All below an address, as the items of a list in its list."""
    if row.introduction:
        yield f"  - named {code(f'“{row.introduction}”')}"
    yield from map(_change, row_text.changes(row))
    yield from map(_line, row.lines)


def _change(one: ChangeText) -> str:
    note = f" ({words(one.note)})" if one.note else ""
    return f"  - {words(one.name)} {code(one.before)} → {code(one.after)}{note}"


def _line(line: Line) -> str:
    text = statement_text(line.statement)
    match line.type:
        case LineKind.REMEDY:
            return remedy(text, "  ")
        case LineKind.WARNING | LineKind.PROBLEM:
            return f"  - **{line.type}:** {words(text)}"
        case LineKind.REASON | LineKind.DETAIL:
            return f"  - {words(text)}"


def rest(document: Document, room: int) -> str:
    """Return the rows without risks, one fold for each kind."""
    sections = document.others
    said, few = "", sum(len(section.rows) for section in sections if not section.state_only) <= _FEW
    seated = len(document.header.seats) > 1
    for left, section in zip(range(len(sections), 0, -1), sections, strict=True):
        said += _fold(
            section,
            partial(_cells, seated, document.step),
            "<details open>" if few and not section.state_only else "<details>",
            (room - len(said)) // left,
        )
    return said


def _fold(section: Section, cells: Callable[[Row], str], opening: str, room: int) -> str:
    """Return every address in a table, then the details of each as far as they fit."""
    count = counted(len(section.rows), "address", "addresses")
    explanation = f": {document_text.state_only(section)}" if section.state_only else ""
    said = joined([opening, f"<summary><b>{section.kind}</b> · {count}{explanation}</summary>", "", *_TABLE])
    said += joined(fitted(section.rows, cells, room - len(said) - _SLACK, _more_addresses))
    shared = [_change(row_text.part_change(part)).strip() for part in section.shared if section.state_only]
    talked = [row for row in section.rows if _talks(section, row)]
    below = ["", *fitted(talked, _item, room - len(said), _more_said)] if talked else []
    below = ["", *shared, *below] if shared else below
    return said + joined([*below, "\n</details>\n"])


def _talks(section: Section, row: Row) -> bool:
    """Return whether the row has text that its section does not state for all rows."""
    return bool(row.definition and not section.shared) if section.state_only else any(_said(row))


def _item(row: Row) -> str:
    return "\n".join((f"- {code(row.address)}", *_said(row)))


_TABLE = ("| address | type | members | size |", "| :-- | :-- | --: | :-- |")


def _cells(seated: bool, step: int, row: Row) -> str:
    kind, size = row_text.segment_type(row), row_text.size(row, step)
    kind = f"{kind} · {row.seat}" if seated and row.seat else kind
    return f"| {' | '.join(map(cell, (code(row.address), words(kind), _moved(row), words(size))))} |"


def _more_addresses(lacking: int) -> str:
    return more(lacking, " addresses" if lacking > 1 else " address")


def _more_said(lacking: int) -> str:
    return more(lacking, " with something to say")
