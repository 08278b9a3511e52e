"""`status` draws the size of each address over its last runs, on a wide terminal only."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from reconciler.core.model import Address
from reconciler.render.numbers import EXACT, ROUNDED
from reconciler.render.terminal.sparkline import has_room, sparkline, with_trends
from reconciler.render.terminal.status import Status, StatusRow, print_status

pytestmark = pytest.mark.promise("read-right")

LAPSED, LOYAL = Address("email", "lapsed"), Address("email", "loyal")


@pytest.mark.parametrize(
    ("sizes", "drawn"),
    [
        ((), ""),
        ((7,), ""),
        ((7, 7, 7), "▄▄▄"),
        ((0, 1), "▁█"),
        (tuple(range(8)), "▁▂▃▄▅▆▇█"),
        ((100, 200, 150, 0), "▄█▆▁"),
    ],
)
def test_the_lowest_and_the_highest_size_fill_the_line(sizes: Sequence[int], drawn: str) -> None:
    assert sparkline(sizes) == drawn


def row(address: Address) -> StatusRow:
    return StatusRow(str(address), "1,200", "", "acknowledged by Criteo", "", "", "")


def test_the_newest_thirty_sizes_stand_beside_the_members() -> None:
    found = with_trends(
        Status("production", (row(LAPSED), row(LOYAL))), {LAPSED: (9_000, *range(1, 31))}, EXACT
    )
    out = Console(file=io.StringIO(), width=120)
    print_status(found, out)
    assert isinstance(out.file, io.StringIO)
    first, second = out.file.getvalue().splitlines()[2:4]
    blocks = first.split()[2]
    assert len(blocks) == 30
    assert (blocks[0], blocks[-1]) == ("▁", "█")
    assert first.index("acknowledged") == second.index("acknowledged")


def test_rounded_counts_draw_no_single_member() -> None:
    found = with_trends(Status("production", (row(LAPSED),)), {LAPSED: (1_000, 1_001)}, ROUNDED)
    assert found.rows[0].trend == "▄▄"


@pytest.mark.parametrize(
    ("terminal", "width", "room"), [(True, 100, True), (True, 99, False), (False, 200, False)]
)
def test_a_log_and_a_narrow_terminal_have_no_drawing(terminal: bool, width: int, room: bool) -> None:
    assert has_room(Console(file=io.StringIO(), force_terminal=terminal, width=width)) is room
