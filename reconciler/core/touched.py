"""Which addresses a change of the manifests touches: their definition is another one than before it."""

from collections.abc import Iterable, Mapping

from reconciler.core.model import Address, SegmentSpec


def definitions(specs: Iterable[SegmentSpec]) -> dict[Address, str]:
    """The digest of each definition."""
    return {spec.address: spec.definition for spec in specs}


def touched(
    addresses: Iterable[Address], before: Mapping[Address, str], now: Mapping[Address, str]
) -> frozenset[Address]:
    """Those of the addresses that were added, changed or removed."""
    return frozenset(one for one in addresses if before.get(one) != now.get(one))
