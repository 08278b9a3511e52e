"""The charts of a report: size, churn and match rate of one address over time, as inline SVG.

Each chart has a title and a description, and no text: its figures are in the page, and in a table. Colours
are those of the page, by class.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import cache
from typing import Any

from reconciler.core.report import DAYS
from reconciler.core.rounding import LessThan, RoundedCount
from reconciler.core.series import SeriesDay
from reconciler.render.numbers import ROUNDED

WIDTH, HEIGHT, EDGE = 300, 72, 4
"""Of a chart, in its own units. Marks keep `EDGE` to the border."""
HIDDEN = 5
"""The value that a hidden count is drawn as."""

Dated = tuple[int, float]
"""A day, counted from the first one of the report, and a value."""


def drawn_count(count: RoundedCount) -> int:
    """Return the value that a rounded count is drawn as."""
    return HIDDEN if isinstance(count, LessThan) else count


def sizes(days: Iterable[SeriesDay], since: date) -> list[Dated]:
    """Return the rounded size of each day."""
    return _dated(days, since, lambda day: _drawn(day.size))


def rates(days: Iterable[SeriesDay], since: date) -> list[Dated]:
    """Return the match rate of each day from 0 to 1, as the rounded counts show it."""

    def rate(day: SeriesDay) -> float | None:
        matched, arrived = _drawn(day.matched), _drawn(day.arrived)
        return None if matched is None or not arrived else min(1.0, matched / arrived)

    return _dated(days, since, rate)


def moves(days: Iterable[SeriesDay], since: date) -> tuple[list[Dated], list[Dated]]:
    """Return the rounded additions and removals of each day."""
    known = [*days]
    return _dated(known, since, lambda day: _drawn(day.adds)), _dated(
        known, since, lambda day: _drawn(day.removes)
    )


def line_chart(
    title: str, description: str, look: str, values: Sequence[Dated], lowest: float, highest: float
) -> str:
    """Return a line through the values, with a dot at the newest; `look` is its class."""
    points = [f"{x_of(day):g},{y_of(value, lowest, highest):g}" for day, value in values]
    marks = [_path(f"M{' L'.join(points)}", f"line {look}"), _path(f"M{points[-1]} h0", f"dot {look}")]
    return _svg(title, description, marks)


def bar_chart(
    title: str, description: str, adds: Sequence[Dated], removes: Sequence[Dated], most: float
) -> str:
    """Return additions above and removals below a middle line. Longer bars than `most` are cut there."""
    middle = HEIGHT / 2
    marks = [_path(f"M0,{middle:g} H{WIDTH}", "axis")]
    for values, look, sign in ((adds, "comes", -1), (removes, "goes", 1)):
        bars = [
            f"M{x_of(day):g},{middle:g} V{middle + sign * bar_length(value, most):g}"
            for day, value in values
            if value
        ]
        marks += [_path(" ".join(bars), f"bar {look}")] if bars else []
    return _svg(title, description, marks)


def x_of(day: int) -> float:
    return round(EDGE + day * (WIDTH - 2 * EDGE) / (DAYS - 1), 1)


def y_of(value: float, lowest: float, highest: float) -> float:
    """Return the height of a value; in the middle if all values are equal."""
    share = (value - lowest) / (highest - lowest) if highest > lowest else 0.5
    return round(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE), 2)


def bar_length(value: float, most: float) -> float:
    return round(min(1.0, value / most) * (HEIGHT / 2 - EDGE), 2)


def most_moved(days: Iterable[SeriesDay]) -> int:
    """Return the largest daily change, without first fills: they would hide all others."""
    known = [*days]
    usual = [day for day in known if day.size is None or (day.adds or 0) < day.size]
    counts = (count for day in usual or known for count in (day.adds, day.removes))
    return max((_drawn(count) or 0 for count in counts), default=0)


def _dated(
    days: Iterable[SeriesDay], since: date, value_of: Callable[[SeriesDay], float | None]
) -> list[Dated]:
    found = (((day.day - since).days, value_of(day)) for day in days)
    return [(day, value) for day, value in found if value is not None]


def _drawn(count: int | None) -> int | None:
    return None if count is None else drawn_count(ROUNDED.number(count))


def _path(d: str, look: str) -> Any:
    return _drawsvg().Path(d, class_=look)


def _svg(title: str, description: str, marks: Iterable[Any]) -> str:
    library = _drawsvg()
    drawing = library.Drawing(WIDTH, HEIGHT, class_="chart", role="img", preserveAspectRatio="none")
    for mark in (library.Title(title), _description()(description), *marks):
        drawing.append(mark)
    whole: str = drawing.as_svg(header="")
    return whole


@cache
def _drawsvg() -> Any:
    """The library is imported only where there is a chart to draw."""
    import drawsvg

    return drawsvg


@cache
def _description() -> Any:
    class Description(_drawsvg().Title):  # type: ignore[misc] # it has no types
        TAG_NAME = "desc"

    return Description
