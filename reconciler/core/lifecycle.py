"""What the manifests state of addresses that leave them: `Moved` and `Removed`. Frozen values."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.model import Address, SourceLocation


class MembersEnd(StrEnum):
    """What becomes of the members of a removed address."""

    KEEP = "keep"
    REMOVE = "remove"


class SegmentEnd(StrEnum):
    """What becomes of the segments of a removed address."""

    KEEP = "keep"
    DELETE = "delete"


def selects(selector: str, address: Address) -> bool:
    """Return whether the name of an audience, or an address, selects this address."""
    return selector in {address.audience, str(address)}


@dataclass(frozen=True, slots=True)
class RemovedAudience:
    """A `Removed` document: the end of one address, or of all addresses of an audience (`selector`)."""

    selector: str
    members: MembersEnd
    segment: SegmentEnd
    place: SourceLocation

    @property
    def keeps_all(self) -> bool:
        """Return whether the address is only forgotten."""
        return self.members is MembersEnd.KEEP and self.segment is SegmentEnd.KEEP


@dataclass(frozen=True, slots=True)
class MovedAudience:
    """A `Moved` document: the new address of an address, or the new name of an audience."""

    origin: str
    to: str
    place: SourceLocation

    def origin_of(self, address: Address) -> Address | None:
        """Return the old address of this one; None if the document is about another."""
        if self.to == str(address):
            return Address.parse(self.origin)
        return Address(address.destination, self.origin) if self.to == address.audience else None


def origins(moved: Iterable[MovedAudience], address: Address) -> tuple[Address, ...]:
    """Return the old addresses of an address, the newest first. A chain of moves has several."""
    documents, found = tuple(moved), list[Address]()
    at: Address | None = address
    while at is not None:
        at = next((one for document in documents if (one := document.origin_of(at))), None)
        if at is not None:
            found.append(at)
    return tuple(found)
