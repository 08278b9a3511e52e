"""Many ordinary changes in short: one entry for each audience."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.rounding import LessThan, RoundedCount
from reconciler.render.document.model import Document
from reconciler.render.document.row import Row, RowKind
from reconciler.render.document.row_text import changes

FOLDED = 20
"""A longer list of addresses is folded."""


class Detail(StrEnum):
    """How much a document shows of many changes that need no review."""

    BY_AUDIENCE = "by audience"
    """Over FOLDED addresses, one line for each audience."""

    BY_ADDRESS = "by address"


@dataclass(frozen=True, slots=True)
class AudienceChanges:
    """The changes of one audience: addresses by kind, its destinations, and the members to send.

    `edited`: the attributes and parts of the definition that change.
    """

    audience: str
    kinds: tuple[tuple[RowKind, int], ...]
    edited: tuple[str, ...]
    destinations: tuple[str, ...]
    adds: RoundedCount
    removes: RoundedCount


def ordinary_rows(document: Document) -> tuple[Row, ...]:
    """Return the rows that need no review and have a text of their own."""
    return tuple(row for section in document.others if not section.state_only for row in section.rows)


def by_audience(document: Document, detail: Detail) -> tuple[AudienceChanges, ...]:
    """Return the entries that replace the ordinary rows; none if every address is shown."""
    rows = ordinary_rows(document)
    if detail is Detail.BY_ADDRESS or len(rows) <= FOLDED:
        return ()
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.audience].append(row)
    return tuple(_changes(audience, groups[audience]) for audience in sorted(groups))


def _changes(audience: str, rows: Sequence[Row]) -> AudienceChanges:
    kinds = Counter(row.kind for row in rows)
    members = [row.members for row in rows if row.members]
    return AudienceChanges(
        audience=audience,
        kinds=tuple((kind, kinds[kind]) for kind in RowKind if kinds[kind]),
        edited=tuple(dict.fromkeys(one.name for row in rows for one in changes(row))),
        destinations=tuple(sorted({row.destination for row in rows})),
        adds=total(one.adds for one in members),
        removes=total(one.removes for one in members),
    )


def total(counts: Iterable[RoundedCount]) -> RoundedCount:
    """Return the sum of counts as they are shown. Small counts matter only if there are no others."""
    shown = tuple(counts)
    known = sum(one for one in shown if isinstance(one, int))
    small = sum(one.less_than for one in shown if isinstance(one, LessThan))
    return known if known or not small else LessThan(small)
