"""The changes of many audiences on a terminal: a table with one line for each."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from reconciler.render.document.by_audience import AudienceChanges
from reconciler.render.numbers import counted, minus, plus
from reconciler.render.terminal.console import wrapped
from reconciler.render.terminal.styles import ADDED, REMOVED, STYLES
from reconciler.render.text import GAP, left, right, widths

_HEADS = ("audience", "changes", "destinations", "added", "removed")
_ALIGNED = (left, left, left, right, right)
_INDENT = 2
_EDITS_NAMED = 3


def audience_lines(audiences: Sequence[AudienceChanges], out: Console) -> Iterator[Text]:
    """Yield a table. Where it is too wide, destinations are counted; where it still is, lines are wrapped."""
    rows = [_cells(one, ", ".join(one.destinations)) for one in audiences]
    if not _fits(rows, out):
        rows = [_cells(one, counted(len(one.destinations), "destination")) for one in audiences]
    if _fits(rows, out):
        columns = widths((_HEADS, *rows))
        yield _line(_HEADS, columns, ("dim",) * len(_HEADS))
        for one, row in zip(audiences, rows, strict=True):
            yield _line(row, columns, ("bold", STYLES[one.kinds[0][0]], "", ADDED, REMOVED))
    else:
        for row in rows:
            yield from wrapped(GAP.join(filter(None, row)), "", _INDENT, out, hang=2)
    yield from wrapped("`--verbose` shows every address.", "dim", _INDENT, out)


def _fits(rows: Sequence[Sequence[str]], out: Console) -> bool:
    columns = widths((_HEADS, *rows))
    return _INDENT + sum(columns) + len(GAP) * (len(columns) - 1) <= out.width


def _cells(one: AudienceChanges, destinations: str) -> tuple[str, ...]:
    kinds = ", ".join(f"{kind.symbol} {count:,} {kind}" for kind, count in one.kinds)
    return one.audience, f"{kinds}{_edited(one.edited)}", destinations, plus(one.adds), minus(one.removes)


def _edited(names: Sequence[str]) -> str:
    more = len(names) - _EDITS_NAMED
    listed = (*names[:_EDITS_NAMED], f"{more:,} more") if more > 0 else names
    return f" ({', '.join(listed)})" if listed else ""


def _line(cells: Sequence[str], columns: Sequence[int], styles: Sequence[str]) -> Text:
    line = Text(" " * (_INDENT - len(GAP)))
    for cell, width, style, aligned in zip(cells, columns, styles, _ALIGNED, strict=True):
        line.append(GAP).append(aligned(cell, width), style)
    return line
