"""What an environment asks of the definitions that are promoted to it: the `promotion` of its manifest."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.core.model import Address


class PortablePart(StrEnum):
    """A part of a definition that promotion carries from one environment to another."""

    TITLE = "title"
    DESCRIPTION = "description"
    SOURCE = "source"
    COLUMNS = "columns"
    EXCLUSIONS = "exclusions"
    TYPE = "type"
    HASHING = "hashing"
    ACCESS = "access"


@dataclass(frozen=True, slots=True)
class OwnParts:
    """Parts that differ on purpose here. `pattern` matches an address or the name of an audience."""

    pattern: str
    parts: tuple[PortablePart, ...]

    def covers(self, address: "Address") -> bool:
        return fnmatchcase(str(address), self.pattern) or fnmatchcase(address.audience, self.pattern)


@dataclass(frozen=True, slots=True)
class PromotionGate:
    """The `promotion` of an environment: what a definition needs before it is applied here."""

    source: str
    verified: bool = True
    soak: timedelta = timedelta()
    allow_emulator: bool = False
    own: tuple[OwnParts, ...] = ()

    def own_parts(self, address: "Address") -> frozenset[PortablePart]:
        """Return the parts of an address that may differ here."""
        return frozenset(part for one in self.own if one.covers(address) for part in one.parts)
