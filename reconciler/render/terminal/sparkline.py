"""The size of an address over its last runs, as one line of blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Console

from reconciler.core.model import Address
from reconciler.core.rounding import rounded
from reconciler.render.numbers import NumberFormat
from reconciler.render.terminal.status import Status
from reconciler.render.text import name

MOST = 30
"""Points that are drawn."""
WIDE = 100
"""Columns that a terminal needs."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_LEVEL = "▄"


def has_room(out: Console) -> bool:
    """Return whether the console is a terminal that is wide enough."""
    return out.is_terminal and out.width >= WIDE


def with_trends(one: Status, sizes: Mapping[Address, Sequence[int]], figures: NumberFormat) -> Status:
    """Return the status with the newest sizes of each address."""
    trends = {
        name(str(address)): sparkline([rounded(size, figures.step) for size in found[-MOST:]])
        for address, found in sizes.items()
    }
    return replace(one, rows=tuple(replace(row, trend=trends.get(row.address, "")) for row in one.rows))


def sparkline(values: Sequence[int]) -> str:
    """Return a block for each value, from the lowest to the highest; "" for fewer than two values."""
    if len(values) < 2:
        return ""
    lowest, spread = min(values), max(values) - min(values)
    if not spread:
        return _LEVEL * len(values)
    return "".join(_BLOCKS[(value - lowest) * (len(_BLOCKS) - 1) // spread] for value in values)
