"""What differs in meaning between two sets of definitions. What belongs to one environment does not count."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.definition import portable_values
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.portable_definition import portable_parts
from reconciler.core.promotion.gate import PortablePart, PromotionGate
from reconciler.core.promotion.lock import PromotionLock


class DifferenceKind(StrEnum):
    """How an address differs."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    ONLY_THERE = "only_there"
    """It was never promoted: it belongs to the environment that is promoted to."""


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A value that differs; "" where it is not set. `own`: it differs on purpose (`promotion.own`)."""

    part: PortablePart
    path: str
    before: str
    after: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One address that differs."""

    address: Address
    kind: DifferenceKind
    values: tuple[ValueDifference, ...] = ()

    @property
    def on_purpose(self) -> bool:
        """Return whether nothing of this difference would be promoted."""
        own = bool(self.values) and all(one.own for one in self.values)
        return self.kind is DifferenceKind.ONLY_THERE or own


def changes(before: Iterable[SegmentSpec], after: Iterable[SegmentSpec]) -> tuple[Difference, ...]:
    """Return how the definitions `after` differ from those `before`, in the order of their addresses."""
    old, new = {one.address: one for one in before}, {one.address: one for one in after}
    found = []
    for address in sorted({*old, *new}):
        if address not in old:
            found.append(Difference(address, DifferenceKind.ADDED))
        elif address not in new:
            found.append(Difference(address, DifferenceKind.REMOVED))
        elif values := _values(old[address], new[address]):
            found.append(Difference(address, DifferenceKind.CHANGED, values))
    return tuple(found)


def compare(
    source: Iterable[SegmentSpec],
    target: Iterable[SegmentSpec],
    lock: PromotionLock | None,
    gate: PromotionGate | None,
) -> tuple[Difference, ...]:
    """Return how an environment differs from the one that is promoted to it, `target`.

    `lock` and `gate` are those of `target`: they tell what is only there, and what differs on purpose.
    """
    promoted = {one.address for one in lock.definitions} if lock else set()
    return tuple(_there(one, promoted, gate) for one in changes(target, source))


def _there(one: Difference, promoted: set[Address], gate: PromotionGate | None) -> Difference:
    if one.kind is DifferenceKind.REMOVED and one.address not in promoted:
        return Difference(one.address, DifferenceKind.ONLY_THERE)
    own = gate.own_parts(one.address) if gate else frozenset()
    values = tuple(
        ValueDifference(value.part, value.path, value.before, value.after, value.part in own)
        for value in one.values
    )
    return Difference(one.address, one.kind, values)


def _values(old: SegmentSpec, new: SegmentSpec) -> tuple[ValueDifference, ...]:
    """Return the values that differ. A part whose shown values are equal is named without them."""
    before, after = portable_parts(old), portable_parts(new)
    differing = [part for part in PortablePart if before[part] != after[part]]
    shown = _shown(portable_values(old), portable_values(new))
    return tuple(
        value
        for part in differing
        for value in (shown.get(part) or (ValueDifference(part, part.value, "", ""),))
    )


def _shown(
    old: Mapping[tuple[PortablePart, str], str], new: Mapping[tuple[PortablePart, str], str]
) -> dict[PortablePart, tuple[ValueDifference, ...]]:
    found: dict[PortablePart, tuple[ValueDifference, ...]] = {}
    for part, path in dict.fromkeys((*old, *new)):
        before, after = old.get((part, path), ""), new.get((part, path), "")
        if before != after:
            found[part] = (*found.get(part, ()), ValueDifference(part, path, before, after))
    return found
