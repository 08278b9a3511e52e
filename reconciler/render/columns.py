"""Text in aligned columns, by the cells it takes on a screen."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

GAP = "  "


def widths(rows: Iterable[Sequence[str]]) -> tuple[int, ...]:
    """The widest cell of each column."""
    return tuple(max(map(cell_len, column)) for column in zip(*rows, strict=True))


def left(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def right(text: str, width: int) -> str:
    return " " * (width - cell_len(text)) + text
