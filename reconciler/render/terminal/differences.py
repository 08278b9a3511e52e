"""Differences between environments at a terminal: `diff`, and the result of `promote`."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from reconciler.core.promotion.differences import DifferenceKind
from reconciler.render.document.differences import MARKS, DifferenceRow
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import GAP, left, name

STYLES = {
    DifferenceKind.ADDED: "green",
    DifferenceKind.CHANGED: "yellow",
    DifferenceKind.REMOVED: "red",
    DifferenceKind.ONLY_THERE: "dim",
}


def print_differences(
    source: str, target: str, rows: Sequence[DifferenceRow], summary: str, out: Console
) -> None:
    show(difference_lines(source, target, rows, summary, out), out)


def difference_lines(
    source: str, target: str, rows: Sequence[DifferenceRow], summary: str, out: Console
) -> Iterator[Text]:
    """Yield a line for each address, its values, and the totals."""
    yield Text.assemble((name(source), "bold"), " → ", (name(target), "bold"))
    if rows:
        yield Text()
    width = max((cell_len(row.address) for row in rows), default=0)
    for row in rows:
        style = STYLES[row.kind]
        shown = left(row.address, width) if row.verification else row.address
        end = f"{GAP}{row.verification}" if row.verification else ""
        yield from wrapped(f"{MARKS[row.kind]} {shown}{end}", style, 0, out, hang=4)
        for value in row.values:
            yield from wrapped(value, "", 4, out, hang=2)
    yield Text()
    yield from wrapped(summary, "bold", 0, out)


def print_needs(target: str, files: Sequence[str], credentials: Sequence[str], out: Console) -> None:
    """Print what the target must have for the promoted definitions; nothing if it has all."""
    show(_need_lines(target, files, credentials, out), out)


def _need_lines(
    target: str, files: Sequence[str], credentials: Sequence[str], out: Console
) -> Iterator[Text]:
    if files or credentials:
        yield Text()
        yield Text(f"{name(target)} must have")
    for what, names in (("files in its data root", files), ("consents for credentials", credentials)):
        if names:
            yield from wrapped(f"{what}: {', '.join(map(name, names))}", "", 2, out, hang=2)
