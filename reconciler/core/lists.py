"""Suppression and exclusion lists: each compared with the list last applied."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.members import EMPTY_SNAPSHOT, AppliedList, ReadList, SnapshotRef
from reconciler.core.model import Address, IdentifierType
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
    """One column of a list, as it was last applied and as it is.

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


_Key = tuple[IdentifierType, bool, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class AppliedLists:
    """The lists of all addresses as they were last applied, also by name and by files, the newest first."""

    by_address: Mapping[Address, tuple[AppliedList, ...]]
    by_key: Mapping[_Key, tuple[tuple[Address, AppliedList], ...]]

    @classmethod
    def of(cls, resources: Iterable[ResourceState]) -> "AppliedLists":
        by_address = {one.address: one.lists for one in resources if one.lists}
        by_key: dict[_Key, list[tuple[Address, AppliedList]]] = defaultdict(list)
        for address, lists in by_address.items():
            for one in lists:
                for key in _keys(one):
                    by_key[key].append((address, one))
        newest_first = {key: tuple(sorted(found, key=_age, reverse=True)) for key, found in by_key.items()}
        return cls(by_address, newest_first)

    def at(self, address: Address) -> tuple[AppliedList, ...]:
        return self.by_address.get(address, ())

    def newest_elsewhere(self, one: ReadList, address: Address) -> tuple[Address, AppliedList] | None:
        """Return the newest record of the same list at another address."""
        known = [self.by_key.get(key, ()) for key in _keys(one)]
        others = [next((record for record in records if record[0] != address), None) for records in known]
        return max(filter(None, others), key=_age, default=None)


def _keys(one: AppliedList | ReadList) -> tuple[_Key, ...]:
    """Return what identifies a list: its files and, of a suppression list, its name too."""
    by_files: _Key = (one.identifier_type, False, one.files)
    return (by_files, (one.identifier_type, True, (one.name,))) if one.name else (by_files,)


def _age(record: tuple[Address, AppliedList]) -> tuple[object, ...]:
    address, one = record
    return one.applied_at, one.members.count, address


def compared(
    address: Address,
    now: Sequence[ReadList],
    own: Sequence[AppliedList],
    known: AppliedLists,
    missing: Missing,
    target: SnapshotRef = EMPTY_SNAPSHOT,
) -> tuple[ListChange, ...]:
    """Pairs lists by name or files and type, then by kind and type, in order; removed lists come last.

    `own` are the lists last applied at this address. `target` are the members to be sent, of `now`'s type
    and hashing.
    """
    pairs, removed = _paired(own, now)
    return (
        *(_changed(address, old, one, now, known, missing, target) for old, one in pairs),
        *(ListChange(old, None, _missing(old, now, missing)) for old in removed),
    )


def _changed(
    address: Address,
    old: AppliedList | None,
    one: ReadList,
    now: Sequence[ReadList],
    known: AppliedLists,
    missing: Missing,
    target: SnapshotRef,
) -> ListChange:
    newest = known.newest_elsewhere(one, address)
    if newest and old and newest[1].applied_at <= old.applied_at:
        newest = None
    return ListChange(
        old,
        one,
        _missing(old, now, missing),
        _released(old, one, now, missing, target),
        Elsewhere(*newest, _missing(newest[1], now, missing)) if newest else None,
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
    for fits in (_is_same, _is_alike):
        for number, one in enumerate(now):
            old = next((old for old in left if fits(old, one)), None) if number not in found else None
            if old is not None:
                found[number] = old
                left.remove(old)
    return [(found.get(number), one) for number, one in enumerate(now)], left


def _is_same(old: AppliedList, one: ReadList) -> bool:
    return not set(_keys(old)).isdisjoint(_keys(one))


def _is_alike(old: AppliedList, one: ReadList) -> bool:
    return (old.kind, old.identifier_type) == (one.kind, one.identifier_type)


def _missing(old: AppliedList | None, now: Sequence[ReadList], missing: Missing) -> int:
    return _lost(old.members, old, now, missing) if old else 0


def _lost(members: SnapshotRef, old: AppliedList, now: Sequence[ReadList], missing: Missing) -> int:
    """Return how many of these members no list of the same type contains now."""
    others = [one.members for one in now if one.identifier_type == old.identifier_type and one.members]
    return missing(members, others) if members and old.members not in others else 0
