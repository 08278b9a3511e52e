"""What Criteo has of an environment whose state is lost, and the next commands."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from reconciler.core.remote import Segment
from reconciler.core.state.rebuild import RebuildScan, SegmentMatch
from reconciler.render.numbers import counted
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.terminal.errors import finding_lines
from reconciler.render.text import name, quoted

WAYS = (
    ("--reuse", "reuse these segments: all wanted members are sent; other members remain"),
    (
        "--assume-members FILE --only ADDRESS",
        "the same; members in FILE are removed unless wanted. Pass the source applied last",
    ),
    ("--replace", "fill new segments and swap them in; the old segments stay at Criteo under another name"),
)


def print_look(environment: str, seen: RebuildScan, out: Console) -> None:
    show(_lines(environment, seen, out), out)


def print_ways(environment: str, out: Console) -> None:
    show(_ways(environment, out), out)


def _lines(environment: str, seen: RebuildScan, out: Console) -> Iterator[Text]:
    yield Text.assemble("Segments at Criteo that belong to ", (name(environment), "bold"))
    for one in seen.matches:
        yield from wrapped(f"{name(str(one.spec.address))}: {'; '.join(_said(one))}", "", 2, out, hang=2)
        for doubt in one.conflicts:
            yield from (Text.assemble("  ", line) for line in finding_lines(doubt, out))
    for known in seen.known:
        yield from wrapped(f"{name(str(known.address))}: already in the state", "", 2, out, hang=2)
    if seen.orphans:
        ids = ", ".join(one.id for one in seen.orphans)
        segments = counted(len(seen.orphans), "segment")
        text = f"{segments} with the ownership tag of an address that is not in the manifests: {ids}"
        yield from wrapped(text, "", 2, out, hang=2)


def _said(one: SegmentMatch) -> Iterator[str]:
    if one.segment and not one.conflicts:
        how = "by its ownership tag" if one.has_tag else "by `--adopt`"
        yield f"{_called(one.segment)}, {how}"
        if one.replaced:
            yield "it has another account, retailer or identifier type: the next apply replaces it"
    elif one.name_match:
        take = f"`--adopt {one.spec.address}={one.name_match.id}`"
        yield f"{_called(one.name_match)}, by its name only; to adopt it: {take}"
    elif not one.conflicts:
        yield "not found; the next apply creates it"
    if one.replacement:
        yield f"{_called(one.replacement)} is an unfinished replacement"
    if one.retired:
        yield f"{counted(len(one.retired), 'segment')} replaced earlier"
    for left in one.ignored:
        yield f"{_called(left)} is ignored"


def _called(segment: Segment) -> str:
    return f"segment {segment.id} {quoted(segment.name)}"


def _ways(environment: str, out: Console) -> Iterator[Text]:
    yield Text()
    message = f"Criteo does not list their members. Options of `reconciler state rebuild {environment}`:"
    yield from wrapped(message, "", 0, out)
    for way, means in WAYS:
        yield from wrapped(f"{way}  {means}", "", 2, out, hang=4)
