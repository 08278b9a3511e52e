"""A plan or drift on a terminal or in a log: aligned columns, colour only if requested."""

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from reconciler.render.document import document_text, row_text
from reconciler.render.document.blocked import BlockedGroup
from reconciler.render.document.by_audience import Detail, by_audience, ordinary_rows
from reconciler.render.document.exclusion_lists import TITLES
from reconciler.render.document.model import Document, Section
from reconciler.render.document.row import LineKind, Row, RowKind
from reconciler.render.document.row_text import ChangeText
from reconciler.render.document.shared_text import (
    Introduction,
    RowGroup,
    TextPart,
    grouped_rows,
    text_parts,
)
from reconciler.render.document.statement_text import note_text, statement_text
from reconciler.render.terminal.by_audience import audience_lines
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.terminal.styles import ADDED, REMOVED, STYLES
from reconciler.render.text import GAP, left, right

INDENT = 13
_FEW_BLOCKED = 3
"""Up to this many blocked addresses are shown with all details."""

_FEW = 10
"""Fewer state-only addresses are named."""

_TONES = {
    LineKind.REASON: "",
    LineKind.WARNING: "yellow",
    LineKind.PROBLEM: "red",
    LineKind.REMEDY: "",
    LineKind.DETAIL: "dim",
}


def print_plan(document: Document, out: Console, detail: Detail = Detail.BY_AUDIENCE) -> None:
    show(plan_lines(document, out, detail), out)


def plan_lines(document: Document, out: Console, detail: Detail) -> Iterator[Text]:
    """Yield the lines of the document: notice and failure first."""
    if notice := document_text.notice(document):
        yield from wrapped(f"! {' '.join(notice)}", "yellow", 0, out, hang=2)
    if document.failed:
        yield from wrapped(document_text.failure_headline(document), "bold red", 0, out)
    yield from _header(document, out)
    yield from _problems(document, out)
    yield from _rows(document, out, detail)
    if document.totals.unchanged and not document.empty:
        yield Text()
        yield Text(f"  = {document.totals.unchanged:,} unchanged", "dim")
    if document.lists:
        yield Text()
        for one in document.lists:
            yield from wrapped(f"{TITLES[one.kind]}: {one.text}", "", 0, out, hang=2)
    if document.notes:
        yield Text()
        for note in document.notes:
            yield from wrapped(f"Note: {note_text(note)}", "yellow", 0, out, hang=6)
    yield Text()
    yield from wrapped(document_text.summary(document), "" if document.failed else "bold", 0, out)
    for line in document_text.estimate(document):
        yield from wrapped(line, "", 0, out)
    if precision := document_text.precision(document):
        yield from wrapped(precision, "dim", 0, out)


def _problems(document: Document, out: Console) -> Iterator[Text]:
    for problem in document.problems:
        yield Text()
        yield from wrapped(f"! {problem.problem}", "red", 0, out, hang=2)
        for line in problem.remedy.splitlines():
            yield from wrapped(f"→ {line}", "", 2, out, hang=2)


def _rows(document: Document, out: Console, detail: Detail) -> Iterator[Text]:
    """Yield rows with risks, then the others by kind. Many blocked addresses are grouped by cause.

    Many others are grouped by audience.
    """
    audiences, risks = by_audience(document, detail), document.risks
    if document.totals.count(RowKind.BLOCKED) > _FEW_BLOCKED:
        yield Text()
        yield from blocked_lines(document.blocked, out)
        risks = tuple(row for row in risks if row.kind != RowKind.BLOCKED)
    rows = risks if audiences else (*risks, *ordinary_rows(document))
    layout = Layout(rows, document.step, len(document.header.seats) > 1, out)
    if risks:
        yield Text()
        yield Text(document_text.warning(), "bold")
        for group in grouped_rows(risks):
            yield from layout.group(group)
    if audiences:
        yield Text()
        yield from audience_lines(audiences, out)
    for section in document.others:
        if section.state_only:
            yield Text()
            yield from _recorded(section, out)
        elif not audiences:
            yield Text()
            for row in section.rows:
                yield from layout.lines(row)


def _recorded(section: Section, out: Console) -> Iterator[Text]:
    yield from wrapped(
        f"= {len(section.rows):,} to record: {document_text.state_only(section)}", "dim", 2, out, hang=2
    )
    for part in section.shared:
        yield from wrapped(str(row_text.part_change(part)), "", INDENT, out, hang=2)
    for row in section.rows if len(section.rows) < _FEW or not section.shared else ():
        if row.definition or len(section.rows) < _FEW:
            yield Text(f"{' ' * INDENT}{row.address}", "dim")
        for part in row.definition if not section.shared else ():
            yield from wrapped(str(row_text.part_change(part)), "", INDENT + 2, out, hang=2)


def blocked_lines(groups: Iterable[BlockedGroup], out: Console) -> Iterator[Text]:
    for group in groups:
        yield from wrapped(f"! {group.heading}", "bold red", 2, out, hang=2)
        yield from wrapped(group.message, "red", 4, out)
        if group.remedy:
            yield from wrapped(f"→ {group.remedy}", "", 4, out, hang=2)


def _header(document: Document, out: Console) -> Iterator[Text]:
    header = document.header
    yield Text.assemble(
        f"{document_text.heading(header)} ",
        (header.environment, "bold"),
        f" on {document_text.endpoint(header)}",
    )
    for parts in (document_text.seats(header), document_text.origin(header)):
        if parts:
            yield from _packed(parts, out)


def _packed(parts: Sequence[str], out: Console) -> Iterator[Text]:
    """Short parts side by side, as many as fit on a line."""
    line = ""
    for part in parts:
        longer = f"{line} · {part}" if line else part
        if line and cell_len(longer) > out.width:
            yield Text(line, "dim")
            longer = part
        line = longer
    yield from wrapped(line, "dim", 0, out)


class Layout:
    """Rows in columns. If the width is too small, members go to a second line."""

    def __init__(self, rows: Sequence[Row], step: int, seated: bool, out: Console) -> None:
        self._out = out
        self._step = step
        self._seated = seated
        self._address = max((cell_len(row.address) for row in rows), default=0)
        self._type = max((cell_len(self._of(row)) for row in rows), default=0)
        self._adds = max((cell_len(row_text.adds(row)) for row in rows), default=0)
        self._removes = max((cell_len(row_text.removes(row)) for row in rows), default=0)
        size = max((cell_len(row_text.size(row, step)) for row in rows), default=0)
        columns = (self._address, self._type, self._adds, self._removes, size)
        self._wide = INDENT + sum(width + 2 for width in columns if width) - 2 <= out.width

    def group(self, group: RowGroup) -> Iterator[Text]:
        """Yield the rows, then the text that several of them share."""
        for row, parts in group.rows:
            yield from self._head(row)
            yield from self._below(parts)
        for shared in group.shared:
            yield from wrapped(f"{document_text.sharing(shared)}:", "", INDENT, self._out, hang=2)
            yield from self._below(shared.parts)

    def lines(self, row: Row) -> Iterator[Text]:
        yield from self._head(row)
        yield from self._below(text_parts(row))

    def _head(self, row: Row) -> Iterator[Text]:
        style = STYLES[row.kind]
        first = Text.assemble("  ", (f"{row.kind.symbol} {row.kind:<7}", style), "  ", (row.address, "bold"))
        first.append(left("", self._address - cell_len(row.address)))
        first.append(GAP + left(self._of(row), self._type))
        if self._wide:
            yield first + self._aligned(row)
        else:
            yield first
            yield from self._stacked(row)

    def _of(self, row: Row) -> str:
        kind = row_text.segment_type(row)
        return f"{kind} · {row.seat}" if self._seated and row.seat else kind

    def _aligned(self, row: Row) -> Text:
        line = Text()
        for text, width, style in (
            (row_text.adds(row), self._adds, ADDED),
            (row_text.removes(row), self._removes, REMOVED),
        ):
            if width:
                line.append(GAP).append(right(text, width), style)
        return line.append(GAP).append(row_text.size(row, self._step))

    def _stacked(self, row: Row) -> Iterator[Text]:
        parts = (
            (row_text.adds(row), ADDED),
            (row_text.removes(row), REMOVED),
            (row_text.size(row, self._step), ""),
        )
        if said := [Text(text, style) for text, style in parts if text]:
            yield Text(" " * INDENT) + Text(GAP).join(said)

    def _below(self, parts: Iterable[TextPart]) -> Iterator[Text]:
        for part in parts:
            match part:
                case Introduction():
                    yield from wrapped(f"named “{part.name}”", "", INDENT, self._out, hang=2)
                case ChangeText():
                    yield from wrapped(str(part), "", INDENT, self._out, hang=2)
                case _:
                    for line in part:
                        mark = "→ " if line.type == LineKind.REMEDY else ""
                        text = f"{mark}{statement_text(line.statement)}"
                        yield from wrapped(text, _TONES[line.type], INDENT, self._out, hang=2)
