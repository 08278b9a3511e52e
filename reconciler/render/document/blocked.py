"""What blocks addresses, grouped by cause, short enough for one screen."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.core.events import AddressBlocked
from reconciler.core.plan.change_kinds import Cause
from reconciler.render.numbers import counted
from reconciler.render.text import name, sentence

NAMED = 3
"""A group names at most this many addresses."""

_WORDS = {
    Cause.SOURCE: "source or list can't be used",
    Cause.GUARD: "guard",
    Cause.PROMOTION: "promotion is not proved",
    Cause.SEGMENT: "segment at Criteo",
    Cause.NAME: "name is taken",
    Cause.DEPENDENCY: "depends on a blocked address",
    Cause.APPROVAL: "needs an approval",
}


@dataclass(frozen=True, slots=True)
class BlockedGroup:
    """The addresses with one cause, the first few by name. `problem` and `remedy` are those of the first.

    `others` counts the other problems, which are shown at their addresses.
    """

    cause: Cause
    addresses: tuple[str, ...]
    problem: str
    remedy: str
    others: int

    @property
    def heading(self) -> str:
        named, more = ", ".join(self.addresses[:NAMED]), len(self.addresses) - NAMED
        many = f"{named} and {more:,} more" if more > 0 else named
        return f"{counted(len(self.addresses), 'address', 'addresses')} blocked, {_WORDS[self.cause]}: {many}"

    @property
    def message(self) -> str:
        """The first problem, and how many others there are."""
        more = f" (and {counted(self.others, 'other problem', 'other problems')})" if self.others else ""
        return f"{self.problem}{more}"


def grouped(blocked: Iterable[AddressBlocked]) -> tuple[BlockedGroup, ...]:
    """Return the groups in the order of causes. An address with several problems is in the first of them."""
    ranks = {cause: rank for rank, cause in enumerate(Cause)}
    by_address: dict[str, list[AddressBlocked]] = defaultdict(list)
    for one in blocked:
        by_address[name(str(one.address))].append(one)
    firsts = {at: min(found, key=lambda one: ranks[one.cause]) for at, found in sorted(by_address.items())}
    causes = sorted({one.cause for one in firsts.values()}, key=ranks.__getitem__)
    return tuple(
        _group(cause, {at: one for at, one in firsts.items() if one.cause is cause}) for cause in causes
    )


def _group(cause: Cause, found: dict[str, AddressBlocked]) -> BlockedGroup:
    first = next(iter(found.values()))
    others = {one.problem for one in found.values()} - {first.problem}
    return BlockedGroup(cause, tuple(found), sentence(first.problem), sentence(first.remedy), len(others))
