"""Addresses that look renamed, and moves that cannot be carried out."""

from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.definition import Parts, parts_of
from reconciler.core.errors import Finding
from reconciler.core.lifecycle import MovedAudience
from reconciler.core.model import Address
from reconciler.core.plan.changes import Change, Create, Forget
from reconciler.core.plan.observed import ObservedState
from reconciler.core.plan.reasons import Removed

_IDENTIFYING = (
    "account",
    "retailer",
    "identifier type",
    "hashing",
    "source.files",
    "source.delta",
    "source.iceberg",
    "source.where",
    "source.query.sql",
    "source.table",
)
_COLUMNS = "columns."


def resembling(changes: Iterable[Change], observed: ObservedState) -> Mapping[Address, Address]:
    """Return forgotten addresses with the source, columns and key of a new one, by the new address."""
    changes = tuple(changes)
    left = {
        one.address: _identity(observed.resources[one.address].parts)
        for one in changes
        if isinstance(one, Forget) and isinstance(one.reason, Removed)
    }
    found = dict[Address, Address]()
    for change in changes if left else ():
        if isinstance(change, Create) and change.spec.address not in observed.resources:
            identity = _identity(parts_of(change.spec))
            old = next((at for at, one in left.items() if one and one == identity), None)
            if old is not None:
                found[change.spec.address] = old
                del left[old]
    return found


def _identity(parts: Parts) -> Parts:
    return tuple((path, value) for path, value in parts if path in _IDENTIFYING or path.startswith(_COLUMNS))


def move_document(origin: Address, to: Address) -> str:
    """Return the document that moves an address."""
    return f"{{kind: Moved, from: {origin}, to: {to}}}"


def both_have_segments(to: Address, origin: Address, documents: Sequence[MovedAudience]) -> Finding:
    """Return why a move is not carried out: the state has segments of both addresses."""
    place = next(one.place for one in documents if one.origin_of(to))
    return Finding(
        str(to),
        f"{origin} can't move here ({place}): this address has a segment of its own",
        f"remove the document to keep this segment: {origin} is then forgotten",
    )
