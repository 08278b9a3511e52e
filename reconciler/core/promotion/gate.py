"""What an environment asks of the definitions that are promoted to it: the `promotion` of its manifest."""

from collections.abc import Mapping
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


_FROM, _VERIFIED, _SOAK = "promotion.from", "promotion.verified", "promotion.soak"
_EMULATOR = "promotion.allowEmulator"
OWN = "promotion.own"
"""The parts that may differ, of one address; all other gates are the same for every address."""
_SEPARATOR = ", "
_UNITS = {"h": 3600, "m": 60, "s": 1}


def gate_values(gate: PromotionGate | None, address: "Address") -> dict[str, str]:
    """Return what the gates ask of an address, as manifests write it. Keys without an effect are left out."""
    if gate is None:
        return {}
    own = gate.own_parts(address)
    values = {
        _FROM: gate.source,
        _VERIFIED: _flag(on=gate.verified),
        _SOAK: _written(gate.soak),
        _EMULATOR: _flag(on=gate.allow_emulator),
        OWN: _SEPARATOR.join(part for part in PortablePart if part in own),
    }
    return {key: value for key, value in values.items() if value}


def weakened(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys of gates that ask for less than before. Both are results of `gate_values`."""
    if _FROM not in before:
        return ()
    if _FROM not in after:
        return (_FROM,)
    weaker = {
        _FROM: before[_FROM] != after[_FROM],
        _VERIFIED: before[_VERIFIED] == _flag(on=True) != after[_VERIFIED],
        _SOAK: _seconds(after.get(_SOAK, "")) < _seconds(before.get(_SOAK, "")),
        _EMULATOR: before[_EMULATOR] != _flag(on=True) == after[_EMULATOR],
        OWN: not _parts(after) <= _parts(before),
    }
    return tuple(key for key, found in weaker.items() if found)


def _parts(values: Mapping[str, str]) -> set[str]:
    return {*values[OWN].split(_SEPARATOR)} if OWN in values else set()


def _flag(*, on: bool) -> str:
    return "true" if on else "false"


def _written(time: timedelta) -> str:
    """Return "24h", in the largest unit without a rest; "" for no time."""
    seconds = round(time.total_seconds())
    unit, size = next(one for one in _UNITS.items() if seconds % one[1] == 0)
    return f"{seconds // size}{unit}" if seconds else ""


def _seconds(written: str) -> int:
    return int(written[:-1]) * _UNITS[written[-1]] if written else 0
