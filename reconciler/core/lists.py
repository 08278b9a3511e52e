"""Exclusion lists: each compared with the list last applied, and what blocks an address because of them.

Excluded members would be sent again, without another sign, if a list is emptied, cut short or unusable, or
if the source column that it is matched with is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.errors import Finding
from reconciler.core.members import EMPTY_SNAPSHOT, AppliedList, ReadList, SnapshotRef
from reconciler.core.model import Address, SegmentSpec, SourceLocation
from reconciler.core.pii import redacted_path
from reconciler.core.rounding import enough, format_limit, format_share, is_past, share_beyond
from reconciler.core.state.resource import ResourceState

Missing = Callable[[SnapshotRef, Sequence[SnapshotRef]], int]
"""The signature of `MemberEngine.missing`: the number of members of the first that no other contains."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The newest record of a list at another address, and how many of its members are missing now."""

    address: Address
    list: AppliedList
    missing: int


@dataclass(frozen=True, slots=True)
class ListChange:
    """One column of an exclusion list, as it was last applied and as it is.

    `before` is None where it was not applied before, `now` where it was removed from the definition.
    `missing` counts members of it that no list of this type at the address names any more. `released`
    counts members that it excluded and that would be sent now, although the list still names them.
    `elsewhere` is None unless another address has a newer record of the same list.
    """

    before: AppliedList | None
    now: ReadList | None
    missing: int
    released: int = 0
    elsewhere: Elsewhere | None = None

    @property
    def differs(self) -> bool:
        """Return whether the list changed since it was last applied."""
        return self.now is None or self.before is None or self.before.members != self.now.members

    @property
    def list(self) -> AppliedList | ReadList:
        """Return the current list, or the last applied one if it was removed."""
        found = self.now or self.before
        if found is None:
            raise AssertionError("a list that was not and is not")
        return found


def compared(
    address: Address,
    now: Sequence[ReadList],
    resources: Iterable[ResourceState],
    missing: Missing,
    target: SnapshotRef = EMPTY_SNAPSHOT,
) -> tuple[ListChange, ...]:
    """Pairs lists by files and type, then what is left by type, in order; removed lists come last.

    `resources` are the resource states of all addresses. `target` are the members to be sent, of `now`'s type
    and hashing.
    """
    known = {one.address: one.lists for one in resources}
    pairs, removed = _paired(known.get(address, ()), now)
    return (
        *(_changed(address, old, one, now, known, missing, target) for old, one in pairs),
        *(ListChange(old, None, _missing(old, now, missing)) for old in removed),
    )


def _changed(
    address: Address,
    old: AppliedList | None,
    one: ReadList,
    now: Sequence[ReadList],
    known: Mapping[Address, Sequence[AppliedList]],
    missing: Missing,
    target: SnapshotRef,
) -> ListChange:
    since = (old.applied_at,) if old else ()
    newer = (
        (each.applied_at, each.members.count, at, each)
        for at, lists in known.items()
        for each in lists
        if at != address and _is_same(each, one) and (each.applied_at,) > since
    )
    newest = max(newer, key=lambda record: record[:3], default=None)
    return ListChange(
        old,
        one,
        _missing(old, now, missing),
        _released(old, one, now, missing, target),
        Elsewhere(newest[2], newest[3], _missing(newest[3], now, missing)) if newest else None,
    )


def _released(
    old: AppliedList | None, one: ReadList, now: Sequence[ReadList], missing: Missing, target: SnapshotRef
) -> int:
    """Each member that left the list may have released one."""
    if old is None or not target or not old.matches.is_comparable(one.matches):
        return 0
    excluded = old.matches.excluded
    if not excluded or excluded == one.matches.excluded:
        return 0
    sent = excluded.count - missing(excluded, [target])
    return max(0, sent - _lost(old.matches.found, old, now, missing)) if sent else 0


def _paired(
    before: Sequence[AppliedList], now: Sequence[ReadList]
) -> tuple[list[tuple[AppliedList | None, ReadList]], list[AppliedList]]:
    """Each list of today with the one it is compared with, and the lists that are none of today's."""
    left, found = list(before), dict[int, AppliedList]()
    for fits in (_is_same, _is_of_same_type):
        for number, one in enumerate(now):
            old = next((old for old in left if fits(old, one)), None) if number not in found else None
            if old is not None:
                found[number] = old
                left.remove(old)
    return [(found.get(number), one) for number, one in enumerate(now)], left


def _is_same(old: AppliedList, one: ReadList) -> bool:
    return old.files == one.files and old.identifier_type == one.identifier_type


def _is_of_same_type(old: AppliedList, one: ReadList) -> bool:
    return old.identifier_type == one.identifier_type


def _missing(old: AppliedList | None, now: Sequence[ReadList], missing: Missing) -> int:
    return _lost(old.members, old, now, missing) if old else 0


def _lost(members: SnapshotRef, old: AppliedList, now: Sequence[ReadList], missing: Missing) -> int:
    """Return how many of these members no list of the same type contains now."""
    others = [one.members for one in now if one.identifier_type == old.identifier_type and one.members]
    return missing(members, others) if members and old.members not in others else 0


def untrusted(spec: SegmentSpec, changes: Sequence[ListChange]) -> frozenset[SourceLocation]:
    """Return the locations of lists that are empty, not usable, or shrank too much."""
    return frozenset(
        change.now.place
        for change in changes
        if change.now and (not change.now.members or next(_of_list(spec, change, change.now), None))
    )


def list_refusals(spec: SegmentSpec, changes: Sequence[ListChange]) -> Iterator[Finding]:
    """Yield what blocks the address, with numbers and limits. Removing a list changes the definition."""
    where, lists = str(spec.address), [change.now for change in changes if change.now]
    usable = {one.place for one in lists if one.members}
    for place in dict.fromkeys(one.place for one in lists if one.place not in usable):
        one = next(one for one in lists if one.place == place)
        yield Finding(where, f"{called(one)} holds no usable identifier", _deliver(one))
    for change in changes:
        if change.now and change.now.place in usable:
            yield from _beyond_limits(spec, change, change.now)


def _beyond_limits(spec: SegmentSpec, change: ListChange, now: ReadList) -> Iterator[Finding]:
    yield from _of_list(spec, change, now)
    yield from _of_source(spec, change, now)


def _of_list(spec: SegmentSpec, change: ListChange, now: ReadList) -> Iterator[Finding]:
    """Yield the problems of the list itself."""
    where, limit = str(spec.address), spec.audience.guards.max_invalid
    if _is_unusable(now, limit):
        yield Finding(
            where,
            f"{share_beyond(now.invalid, now.present, limit)} of the values of {called(now)} can't be used "
            f"as {now.identifier_type} (limit {format_limit(limit)}, maxInvalid)",
            f"{_deliver(now)}; if intended, set maxInvalid under `guards` in {spec.audience.place.file}",
        )
    other = change.elsewhere
    if change.before and _shrinks(change.missing, change.before.members.count, now.max_shrink):
        yield _shrunk(where, change.missing, change.before.members.count, now, "it was last applied")
    elif other and _shrinks(other.missing, other.list.members.count, now.max_shrink):
        yield _shrunk(where, other.missing, other.list.members.count, now, f"{other.address} last applied it")


def _of_source(spec: SegmentSpec, change: ListChange, now: ReadList) -> Iterator[Finding]:
    """Yield why a usable list cannot exclude the rows that it names."""
    where, limit, found = str(spec.address), spec.audience.guards.max_invalid, now.matches
    column = f"the source's {now.identifier_type} column, which {called(now)} is matched with"
    present = found.rows - found.empty
    if now.identifier_type != spec.key.identifier_type and _is_unmatchable(now, limit):
        yield Finding(
            where,
            f"{share_beyond(found.malformed, present, limit)} of the values of {column}, can't be used "
            f"(limit {format_limit(limit)}, maxInvalid)",
            "correct the export of the source; `reconciler explain` counts the values; if intended, set "
            f"maxInvalid under `guards` in {spec.audience.place.file}",
        )
    if change.before and _releases(change, change.before, now):
        before = change.before.matches.excluded.count
        yield Finding(
            where,
            f"{share_beyond(change.released, before, now.max_shrink)} of the members that {called(now)} "
            "excluded when it was last applied would be sent, although the list still names them "
            f"(limit {format_limit(now.max_shrink)}, maxShrink)",
            f"check {column}; {_intended(change.released, before)}",
        )
    elif change.before and _empties(change.before, now):
        was = change.before.matches
        yield Finding(
            where,
            f"{column}, is empty in {format_share(found.empty, found.rows) or 'more'} of the rows, up from "
            f"{format_share(was.empty, was.rows) or 'fewer'} when it was last applied "
            f"(limit {format_limit(now.max_shrink)} of the rows, maxShrink)",
            f"correct the export of the source; {_intended(0, 0)}",
        )


def _is_unmatchable(now: ReadList, limit: float) -> bool:
    return is_past(now.matches.malformed, limit, now.matches.rows - now.matches.empty)


def _releases(change: ListChange, before: AppliedList, now: ReadList) -> bool:
    return is_past(change.released, now.max_shrink, before.matches.excluded.count)


def _empties(before: AppliedList, now: ReadList) -> bool:
    """The share of empty values has grown by more than the limit."""
    was, found = before.matches, now.matches
    if not was.rows or not found.rows or not now.members:
        return False
    return found.empty / found.rows - was.empty / was.rows > now.max_shrink + 1e-9


def _is_unusable(now: ReadList, limit: float) -> bool:
    return is_past(now.invalid, limit, now.present)


def _shrinks(missing: int, before: int, limit: float) -> bool:
    return is_past(missing, limit, before)


def _shrunk(where: str, missing: int, before: int, now: ReadList, since: str) -> Finding:
    limit = now.max_shrink
    return Finding(
        where,
        f"{share_beyond(min(missing, before), before, limit)} of the {now.identifier_type} members of "
        f"{called(now)} are missing since {since} "
        f"(limit {format_limit(limit)}, maxShrink)",
        f"{_deliver(now)}; {_intended(missing, before)}",
    )


def _intended(part: int, whole: int) -> str:
    larger = enough(part, whole, up_to=1.0) if part else ""
    setting = f"`maxShrink: {larger}`" if larger else "a larger maxShrink"
    return f"if intended, set {setting} in this entry of `exclude`"


def called(now: ReadList) -> str:
    """Return the name of a list in messages."""
    return f"the exclusion list {', '.join(map(redacted_path, now.files))}"


def _deliver(now: ReadList) -> str:
    return f"deliver the whole list, or correct its entry ({now.place})"
