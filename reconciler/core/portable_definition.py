"""The parts of a definition that are equal in every environment, each as a digest.

Prefix, seat, credential, endpoint, data root, sample and guards belong to one environment and are left out.
Promotion compares these digests; approvals use `SegmentSpec.definition`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.model import Exclusion, Partition, Query, SegmentSpec
from reconciler.core.promotion.gate import PortablePart

PortableParts = Mapping[PortablePart, str]
"""The digest of each part: SHA-256, as 64 hexadecimal digits. Manifests contain no personal data."""


@dataclass(frozen=True, slots=True)
class PartDigest:
    """The digest of one part of a definition."""

    part: PortablePart
    digest: str


def part_digests(parts: PortableParts) -> tuple[PartDigest, ...]:
    """Return the digests of all parts, in the order of `PortablePart`."""
    return tuple(PartDigest(part, parts[part]) for part in PortablePart)


def portable_parts(spec: SegmentSpec) -> dict[PortablePart, str]:
    """Return the digest of each part of a definition, in the order of `PortablePart`."""
    return {part: _digest(stated) for part, stated in _stated(spec).items()}


def portable_digest(parts: PortableParts) -> str:
    """Return one digest of all parts: SHA-256, as 64 hexadecimal digits."""
    return _digest({part.value: parts[part] for part in PortablePart})


def _stated(spec: SegmentSpec) -> dict[PortablePart, object]:
    audience, source = spec.audience, spec.audience.source
    return {
        PortablePart.TITLE: spec.title,
        PortablePart.DESCRIPTION: spec.description,
        PortablePart.SOURCE: {
            "files": list(source.files),
            "where": source.where,
            "maxAge": source.max_age.total_seconds() if source.max_age else None,
            "pinned": source.pinned,
            **_query(source.query),
            **_partitions(source.partitions),
            **({"delta": source.delta} if source.delta else {}),
            **({"iceberg": source.iceberg} if source.iceberg else {}),
        },
        PortablePart.COLUMNS: {"columns": sorted(audience.columns), "defaultCountry": audience.country},
        PortablePart.EXCLUSIONS: [_exclusion(one) for one in audience.exclusion_lists],
        PortablePart.TYPE: spec.key.identifier_type,
        PortablePart.HASHING: spec.key.hashing,
        PortablePart.ACCESS: {"adminOnly": spec.access.admin_only, "pii": spec.access.pii},
    }


def _query(one: Query | None) -> dict[str, object]:
    return {"query": [one.connection, one.sql, one.freshness]} if one else {}


def _partitions(declared: Sequence[Partition]) -> dict[str, object]:
    return {"partitions": [[one.column, one.type] for one in declared]} if declared else {}


def _exclusion(one: Exclusion) -> dict[str, object]:
    return {"files": list(one.files), "columns": sorted(one.columns), "defaultCountry": one.country}


def _digest(stated: object) -> str:
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
