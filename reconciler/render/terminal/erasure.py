"""An erasure as text: places and counts, by address; no identifier."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from reconciler.core.erasure import ErasedPlace
from reconciler.render.numbers import NumberFormat, counted
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import name


def print_erasure(
    environment: str,
    lines: int,
    places: Sequence[ErasedPlace],
    unusable: Sequence[int],
    unread: Sequence[str],
    figures: NumberFormat,
    out: Console,
) -> None:
    show(_lines(environment, lines, places, unusable, unread, figures, out), out)


def _lines(
    environment: str,
    lines: int,
    places: Sequence[ErasedPlace],
    unusable: Sequence[int],
    unread: Sequence[str],
    figures: NumberFormat,
    out: Console,
) -> Iterator[Text]:
    yield Text.assemble("Erasure in ", (name(environment), "bold"), f" of {counted(lines, 'line')}")
    for one in places:
        yield from wrapped(f"  {name(str(one.address))}  {_said(one, figures)}", "", 0, out, hang=4)
    if not places:
        yield Text("  Neither the state nor a saved version holds one of them.")
    if unusable:
        numbers = ", ".join(map(str, unusable))
        yield from wrapped(f"Lines without a usable identifier: {numbers}", "", 0, out, hang=2)
    if unread:
        audiences = ", ".join(map(name, unread))
        text = (
            f"Sources that can't be read, so that other identifiers in their rows stay unknown: {audiences}"
        )
        yield from wrapped(text, "", 0, out, hang=2)


def _said(one: ErasedPlace, figures: NumberFormat) -> str:
    where = f"segment {one.segment_id}" if one.segment_id else "lists"
    saved = f", in {counted(len(one.versions), 'saved version')}" if one.versions else ""
    return f"{where}: {figures.count(one.members)} to erase{saved}"
