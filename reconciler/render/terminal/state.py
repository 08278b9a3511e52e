"""A state and its saved versions as text, without members."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from reconciler.core.state.model import StateHead, StateVersionInfo
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.render.numbers import NumberFormat, counted, stamp
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import GAP, left, name, right, widths


def print_state(
    environment: str,
    head: StateHead | None,
    resources: Iterable[ResourceState],
    figures: NumberFormat,
    out: Console,
) -> None:
    show(_state_lines(environment, head, list(resources), figures, out), out)


def print_history(environment: str, kept: Iterable[StateVersionInfo], out: Console) -> None:
    """Print the versions, the newest first."""
    lines = [_kept(one) for one in sorted(kept, key=lambda one: -one.serial)]
    nothing = ["  none yet: each run that writes saves the version before it"]
    show(map(Text, [f"State versions of {name(environment)}", *(lines or nothing)]), out)


def _kept(one: StateVersionInfo) -> str:
    addresses = counted(one.addresses, "address", "addresses")
    return f"  serial {one.serial}  until {stamp(one.saved_at)}  {addresses}"


def _state_lines(
    environment: str,
    head: StateHead | None,
    resources: list[ResourceState],
    figures: NumberFormat,
    out: Console,
) -> Iterator[Text]:
    yield Text.assemble("State of ", (name(environment), "bold"))
    if head is None:
        yield Text("  none yet: the first apply creates it")
        return
    yield Text(f"  lineage {head.lineage}, serial {head.serial}")
    rows = [(name(str(one.address)), figures.count(settled(one.current)), one) for one in resources]
    addresses, members = widths([row[:2] for row in rows]) if rows else (0, 0)
    for address, count, resource in rows:
        first = GAP.join((f"  {left(address, addresses)}", right(count, members)))
        said = ", ".join(_said(resource, figures))
        yield from wrapped(f"{first}{GAP}{said}", "", 0, out, hang=4)
    yield Text(f"{counted(len(resources), 'address', 'addresses')}.", "bold")
    if resources and figures.precision:
        yield from wrapped(figures.precision, "dim", 0, out)


def settled(holding: SegmentState) -> int | None:
    """The size at the last completed transfer; None where the state was lost and there was none since."""
    return None if holding.size is None else holding.completed_size or 0


def _said(resource: ResourceState, figures: NumberFormat) -> Iterator[str]:
    current = resource.current
    yield f"completed {stamp(current.completed_at)}" if current.completed_at else "never completed"
    if current.transfer:
        yield "transfer in progress"
    if doubted := sum(one.uncertain.count for one in resource.segments):
        yield f"{figures.count(doubted)} uncertain"
    if current.members_unknown_before:
        yield f"members sent before {stamp(current.members_unknown_before)} are unknown"
    if resource.replacement or resource.replace_requested:
        yield "being replaced"
    if resource.retired:
        ids = ", ".join(one.segment.segment_id for one in resource.retired)
        yield f"{counted(len(resource.retired), 'segment')} retired: {ids}"
    if resource.forgotten_at:
        yield f"forgotten {stamp(resource.forgotten_at)}"
