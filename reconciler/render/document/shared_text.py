"""The text below addresses of one audience: what several of them share is stated once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.render.document.row import Line, LineKind, Row, RowKind
from reconciler.render.document.row_text import ChangeText, changes


@dataclass(frozen=True, slots=True)
class Introduction:
    """The name of a new segment."""

    name: str


TextPart = Introduction | ChangeText | tuple[Line, ...]
"""A part of the text below an address. A line and its remedies are one part."""


@dataclass(frozen=True, slots=True)
class SharedText:
    """The parts that these addresses share. `whole`: these are all addresses of their group."""

    destinations: tuple[str, ...]
    whole: bool
    parts: tuple[TextPart, ...]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """The rows of one audience that change alike, each with the text of its own, and what they share."""

    rows: tuple[tuple[Row, tuple[TextPart, ...]], ...]
    shared: tuple[SharedText, ...] = ()


def text_parts(row: Row) -> tuple[TextPart, ...]:
    """Return all text below an address."""
    named = (Introduction(row.introduction),) if row.introduction else ()
    return (*named, *changes(row), *_with_remedies(row.lines))


def _with_remedies(lines: Iterable[Line]) -> Iterator[tuple[Line, ...]]:
    together: list[Line] = []
    for line in lines:
        if together and line.type is not LineKind.REMEDY:
            yield tuple(together)
            together = []
        together.append(line)
    if together:
        yield tuple(together)


def grouped_rows(rows: Iterable[Row]) -> tuple[RowGroup, ...]:
    """Return the rows by kind and audience, in the order of their first. A group has no address twice."""
    groups: dict[tuple[RowKind, str, int], list[Row]] = defaultdict(list)
    earlier: Counter[tuple[RowKind, str]] = Counter()
    for row in rows:
        groups[row.kind, row.audience, earlier[row.kind, row.address]].append(row)
        earlier[row.kind, row.address] += 1
    return tuple(map(_group, groups.values()))


def _group(rows: Sequence[Row]) -> RowGroup:
    said = {row.destination: text_parts(row) for row in rows}
    users: dict[TextPart, tuple[str, ...]] = {
        part: tuple(where for where, parts in said.items() if part in parts)
        for parts in said.values()
        for part in parts
    }
    shared: dict[tuple[str, ...], list[TextPart]] = defaultdict(list)
    for part, where in users.items():
        if len(where) > 1:
            shared[where].append(part)
    return RowGroup(
        rows=tuple(
            (row, tuple(part for part in said[row.destination] if len(users[part]) == 1)) for row in rows
        ),
        shared=tuple(
            SharedText(where, len(where) == len(rows), tuple(parts)) for where, parts in shared.items()
        ),
    )
