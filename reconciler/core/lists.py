"""Exclusion lists: each compared with the one last applied, and what blocks an address because of them.

A list that is emptied, cut short or unusable lets people in who were kept out, and nothing else tells.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.core.errors import Finding
from reconciler.core.members import AppliedList, ReadList, SnapshotRef
from reconciler.core.model import SegmentSpec
from reconciler.core.pii import redacted_path
from reconciler.core.rounding import enough, format_limit, is_past, told_beyond

Missing = Callable[[SnapshotRef, Sequence[SnapshotRef]], int]
"""How many members of the first are in none of the others: `MemberEngine.missing`."""


@dataclass(frozen=True, slots=True)
class ListChange:
    """One column of an exclusion list, as it was last applied and as it is.

    `before` is None where it was not applied before, `now` where it was removed from the definition.
    `missing` counts members of it that no list of this type at the address names any more.
    """

    before: AppliedList | None
    now: ReadList | None
    missing: int

    @property
    def differs(self) -> bool:
        """It is not as it was last applied."""
        return self.now is None or self.before is None or self.before.members != self.now.members

    @property
    def list(self) -> AppliedList:
        """As it is, or as it was before it was removed."""
        if self.now:
            return self.now.applied
        if self.before is None:
            raise AssertionError("a list that was not and is not")
        return self.before


def compared(
    before: Sequence[AppliedList], now: Sequence[ReadList], missing: Missing
) -> tuple[ListChange, ...]:
    """Pairs lists by files and type, then what is left by type, in order; removed lists come last."""
    pairs, removed = _paired(before, now)
    return (
        *(ListChange(old, one, _missing(old, now, missing)) for old, one in pairs),
        *(ListChange(old, None, _missing(old, now, missing)) for old in removed),
    )


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
    if old is None or not old.members:
        return 0
    others = [one.members for one in now if one.identifier_type == old.identifier_type and one.members]
    return 0 if old.members in others else missing(old.members, others)


def list_refusals(spec: SegmentSpec, changes: Sequence[ListChange]) -> Iterator[Finding]:
    """What blocks the address, with the numbers and limits; a removed list is a change of the definition."""
    where, lists = str(spec.address), [change.now for change in changes if change.now]
    usable = {one.place for one in lists if one.members}
    for place in dict.fromkeys(one.place for one in lists if one.place not in usable):
        one = next(one for one in lists if one.place == place)
        yield Finding(where, f"{_called(one)} holds no usable identifier", _deliver(one))
    for change in changes:
        if change.now and change.now.place in usable:
            yield from _beyond_limits(spec, change, change.now)


def _beyond_limits(spec: SegmentSpec, change: ListChange, now: ReadList) -> Iterator[Finding]:
    where, limit = str(spec.address), spec.audience.guards.max_invalid
    if _is_unusable(now, limit):
        yield Finding(
            where,
            f"{told_beyond(now.invalid, now.present, limit)} of the values of {_called(now)} can't be used "
            f"as {now.identifier_type}, where {format_limit(limit)} is the limit (maxInvalid)",
            f"{_deliver(now)}; if intended, set maxInvalid under `guards` in {spec.audience.place.file}",
        )
    if change.before and _shrinks(change.missing, change.before.members.count, now.max_shrink):
        yield _shrunk(where, change.missing, change.before.members.count, now)


def _is_unusable(now: ReadList, limit: float) -> bool:
    return is_past(now.invalid, limit, now.present)


def _shrinks(missing: int, before: int, limit: float) -> bool:
    return is_past(missing, limit, before)


def _shrunk(where: str, missing: int, before: int, now: ReadList) -> Finding:
    limit = now.max_shrink
    larger = enough(missing, before, up_to=1.0)
    setting = f"`maxShrink: {larger}`" if larger else "a larger maxShrink"
    return Finding(
        where,
        f"{told_beyond(min(missing, before), before, limit)} of the {now.identifier_type} members of "
        f"{_called(now)} are missing since it was last applied, "
        f"where {format_limit(limit)} is the limit (maxShrink)",
        f"{_deliver(now)}; if intended, set {setting} in this entry of `exclude`",
    )


def _called(now: ReadList) -> str:
    return f"the exclusion list {', '.join(map(redacted_path, now.files))}"


def _deliver(now: ReadList) -> str:
    return f"deliver the whole list, or correct its entry ({now.place})"
