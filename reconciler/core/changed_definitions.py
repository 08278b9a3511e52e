"""Which addresses a change of the manifests touches: those whose definition differs."""

from collections.abc import Iterable, Mapping

from reconciler.core.model import Address, SegmentSpec


def definitions(specs: Iterable[SegmentSpec]) -> dict[Address, str]:
    """Return the digest of each definition."""
    return {spec.address: spec.definition for spec in specs}


def touched(
    addresses: Iterable[Address], before: Mapping[Address, str], now: Mapping[Address, str]
) -> frozenset[Address]:
    """Return the addresses that were added, changed or removed."""
    return frozenset(one for one in addresses if before.get(one) != now.get(one))
