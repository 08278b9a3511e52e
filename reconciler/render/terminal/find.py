"""Where identifiers were found, as text: by the number of their input line."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from reconciler.core.find import FindResult, Occurrence, StoredRole
from reconciler.core.pii import redacted_path
from reconciler.render.numbers import counted
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import name

ROLES = {
    StoredRole.CONFIRMED: "member of segment",
    StoredRole.UNCERTAIN: "possible member of segment",
    StoredRole.PENDING: "pending change of segment",
    StoredRole.LISTED: "on the list",
    StoredRole.EXCLUDED: "excluded by the list",
}


def print_found(environment: str, result: FindResult, out: Console) -> None:
    show(_lines(environment, result, out), out)


def _lines(environment: str, result: FindResult, out: Console) -> Iterator[Text]:
    searched = counted(result.versions, "saved version")
    yield Text.assemble("Searched the state of ", (name(environment), "bold"), f" and {searched}")
    for line, places in result.found.items():
        yield Text(f"line {line}", "bold")
        yield from _places(places, out)
    if result.unreadable:
        yield Text("not readable", "bold")
        yield from _places(result.unreadable, out)
    unusable = ", ".join(map(str, result.unusable))
    if unusable:
        yield from wrapped(f"Lines without a usable identifier: {unusable}", "", 0, out, hang=2)
    yield Text(f"{counted(result.lines, 'line')} read, {len(result.found):,} found.", "bold")


def _places(places: Iterable[Occurrence], out: Console) -> Iterator[Text]:
    for one in places:
        yield from wrapped(f"  {name(str(one.place.address))}  {_said(one)}", "", 0, out, hang=4)


def _said(one: Occurrence) -> str:
    where = ", ".join(name(redacted_path(file)) for file in one.place.files) or one.place.segment_id
    times = ["now"] if one.current else []
    if one.serials:
        times.append(f"in {counted(len(one.serials), 'saved version')} ({_ranges(one.serials)})")
    return f"{ROLES[one.place.role]} {where or 'without ID yet'}: {', '.join(times)}"


def _ranges(serials: tuple[int, ...]) -> str:
    """Serials as ranges: `3–5, 9`."""
    ranges: list[list[int]] = []
    for serial in serials:
        if ranges and serial == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], serial]
        else:
            ranges.append([serial])
    return ", ".join("–".join(map(str, one)) for one in ranges)
