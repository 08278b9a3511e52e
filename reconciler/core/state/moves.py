"""The resource states of addresses that `Moved` documents give a new address. No I/O.

A move writes the resource state under the new address, then drops the old one. A run that was killed between
the two leaves both; the new one names the old address in `moved_from`, so the old one is ignored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core.lifecycle import MovedAudience, origins
from reconciler.core.model import Address
from reconciler.core.state.resource import ResourceState


@dataclass(frozen=True, slots=True)
class MovedResources:
    """The resource states by address, as they are after all moves.

    `origins` are the old addresses, by new address, of those that the state has under the old one.
    `conflicts` are the old addresses, by new address, that can't move: the new address has a state of its
    own.
    """

    resources: Mapping[Address, ResourceState]
    origins: Mapping[Address, Address]
    conflicts: Mapping[Address, Address]


def moved(resource: ResourceState, to: Address) -> ResourceState:
    """Return the resource state under its new address."""
    return replace(resource, address=to, moved_from=(*resource.moved_from, resource.address))


def with_moves(
    resources: Iterable[ResourceState], declared: Iterable[Address], documents: Sequence[MovedAudience]
) -> MovedResources:
    """Return the resource states under the addresses that the documents give them.

    Of several old addresses in a chain of moves, the newest one that the state has is moved.
    """
    known = {one.address: one for one in resources}
    found, conflicts = dict[Address, Address](), dict[Address, Address]()
    for to in declared if documents else ():
        origin = next((one for one in origins(documents, to) if one in known), None)
        if origin is None:
            continue
        if to in known:
            conflicts[to] = origin
        else:
            found[to] = origin
            known[to] = moved(known.pop(origin), to)
    return MovedResources(known, found, conflicts)


def without_superseded(
    resources: Iterable[ResourceState],
) -> tuple[tuple[ResourceState, ...], Mapping[Address, Address]]:
    """Return the resource states without those that an interrupted run has moved, and their new addresses."""
    known = {one.address: one for one in resources}
    superseded = {
        old.address: new.address
        for new in known.values()
        for at in new.moved_from
        if (old := known.get(at)) and _is_copied(old, new)
    }
    return tuple(one for at, one in known.items() if at not in superseded), superseded


def _is_copied(old: ResourceState, new: ResourceState) -> bool:
    """Return whether `new` was moved from `old` and has all of it.

    A later audience under the old name has other segments.
    """
    history = (*old.moved_from, old.address)
    if new.moved_from[: len(history)] != history:
        return False
    ids = {one.segment_id for one in old.segments if one.segment_id}
    if ids:
        return ids <= {one.segment_id for one in new.segments}
    return old.current.intent == new.current.intent
