"""Suppression and exclusion lists as a document shows them: their sizes before and after, each list once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.lists import ListChange
from reconciler.core.model import Address, ListKind
from reconciler.core.pii import redacted_path
from reconciler.core.rounding import RoundedCount, format_count
from reconciler.render.numbers import NumberFormat, counted
from reconciler.render.text import name


@dataclass(frozen=True, slots=True)
class ListRow:
    """One column of a list at so many addresses. `name` is that of a suppression list, "" of others.

    `before` is None where it was not applied before, `after` where the list was removed. `missing` counts
    members that no list of this type names any more, `unusable` the values that can't be used, of `values`.
    Of its members the sources of these addresses have from `found_least` to `found_most`. All four are None
    where the list was removed.
    """

    kind: ListKind
    name: str
    files: str
    type: str
    before: RoundedCount | None
    after: RoundedCount | None
    missing: RoundedCount
    unusable: RoundedCount | None
    values: RoundedCount | None
    addresses: int
    found_least: RoundedCount | None
    found_most: RoundedCount | None

    @property
    def text(self) -> str:
        where = f" ({counted(self.addresses, 'address', 'addresses')})" if self.addresses > 1 else ""
        return f"{self.name or self.files} ({self.type}): {self._sizes}{self._unusable}{self._found}{where}"

    @property
    def _unusable(self) -> str:
        if not self.unusable or self.values is None:
            return ""
        return f", {format_count(self.unusable)} of {format_count(self.values)} values can't be used"

    @property
    def _found(self) -> str:
        if self.found_least is None or self.found_most is None:
            return ""
        if self.found_least == self.found_most:
            return f", {format_count(self.found_most)} in the source"
        return f", {format_count(self.found_least)} to {format_count(self.found_most)} in each source"

    @property
    def _sizes(self) -> str:
        if self.after is None:
            return f"list removed; up to {format_count(self.missing)} members may be added"
        if self.before is None:
            return f"{format_count(self.after)} members, not applied before"
        sizes = format_count(self.after)
        if self.before != self.after:
            sizes = f"{format_count(self.before)} → {sizes}"
        if not self.missing:
            return f"{sizes} members"
        gone = f"{sizes} members, {format_count(self.missing)} missing"
        return f"{gone}, who may be sent again" if self.kind is ListKind.SUPPRESSION else gone


def changed_lists(
    lists: Mapping[Address, Iterable[ListChange]], figures: NumberFormat
) -> tuple[ListRow, ...]:
    """Return all suppression lists, and the exclusion lists that are not as they were last applied."""
    changed = (
        one
        for changes in lists.values()
        for one in changes
        if one.differs or one.list.kind is ListKind.SUPPRESSION
    )
    return tuple(_rows(changed, figures))


def all_lists(changes: Iterable[ListChange], figures: NumberFormat) -> tuple[ListRow, ...]:
    return tuple(_rows(changes, figures))


def _rows(changes: Iterable[ListChange], figures: NumberFormat) -> Iterator[ListRow]:
    """Yield one row for lists that differ only in the matches of their sources."""
    rows: dict[_Row, list[int | None]] = defaultdict(list)
    for one in changes:
        rows[_row(one, figures)].append(one.now.matches.found.count if one.now else None)
    for row, found in sorted(rows.items(), key=lambda item: _key(item[0])):
        counts = [one for one in found if one is not None]
        bounds = (figures.number(min(counts)), figures.number(max(counts))) if counts else (None, None)
        yield ListRow(*row, len(found), *bounds)


_Row = tuple[
    ListKind,
    str,
    str,
    str,
    RoundedCount | None,
    RoundedCount | None,
    RoundedCount,
    RoundedCount | None,
    RoundedCount | None,
]


def _row(one: ListChange, figures: NumberFormat) -> _Row:
    return (
        one.list.kind,
        name(one.list.name) if one.list.name else "",
        ", ".join(name(redacted_path(file)) for file in one.list.files),
        one.list.identifier_type.value,
        figures.number(one.before.members.count) if one.before else None,
        figures.number(one.now.members.count) if one.now else None,
        figures.number(one.missing),
        figures.number(one.now.invalid) if one.now else None,
        figures.number(one.now.present) if one.now else None,
    )


def _key(row: _Row) -> tuple[bool, str, str, str, str]:
    kind, list_name, files, identifier_type, *sizes = row
    exclusion = kind is ListKind.EXCLUSION
    return exclusion, list_name, files, identifier_type, str([str(one) for one in sizes])


TITLES = {ListKind.SUPPRESSION: "Suppression list", ListKind.EXCLUSION: "Exclusion list"}


def by_kind(rows: Iterable[ListRow]) -> tuple[tuple[str, tuple[ListRow, ...]], ...]:
    """Return the rows under the title of their kind; a kind without rows is left out."""
    rows = tuple(rows)
    found = ((title, tuple(one for one in rows if one.kind is kind)) for kind, title in TITLES.items())
    return tuple((title, some) for title, some in found if some)
