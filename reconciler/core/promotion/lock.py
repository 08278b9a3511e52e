"""The content of `promotion.lock`: what was promoted from where, and what proves it.

    files          the base of the next merge: each file as it was last promoted
    definitions    the parts of each address as they were promoted, and their verification

The file is committed beside the manifests of the environment that is promoted to. It contains no counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.core.canonical_json import canonical_digest
from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import Address, Seat
from reconciler.core.portable_definition import PartDigest, PortableParts

LOCK_FILE = "promotion.lock"


@dataclass(frozen=True, slots=True)
class PromotedFile:
    """A file as it was last promoted: a commit of the target branch, and the id of its content there.

    `path` is relative to the folder of the environment.
    """

    path: str
    commit: str
    blob: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a verification proves: these parts arrived at this seat.

    `sample_rows` is None if all members were sent.
    """

    digest: str
    verified_at: datetime
    endpoint: EndpointKind
    seat: Seat
    sample_rows: int | None


def proof_digest(address: Address, proof: Proof) -> str:
    """Return the digest of all that a proof states of an address."""
    return canonical_digest(
        {
            "address": str(address),
            "digest": proof.digest,
            "verifiedAt": proof.verified_at.astimezone(UTC).isoformat(),
            "endpoint": proof.endpoint.value,
            "seat": [proof.seat.account_id, proof.seat.retailer_id],
            "sampleRows": proof.sample_rows,
        }
    )


@dataclass(frozen=True, slots=True)
class PromotedDefinition:
    """One address as it was promoted. `seat` is where the manifests that it came from send it."""

    address: Address
    parts: tuple[PartDigest, ...]
    seat: Seat
    proof: Proof | None

    @property
    def digests(self) -> PortableParts:
        return {one.part: one.digest for one in self.parts}


@dataclass(frozen=True, slots=True)
class PromotionLock:
    """Everything that was promoted from the environment `source`. `tree` is its folder at `commit`."""

    source: str
    commit: str
    tree: str
    files: tuple[PromotedFile, ...]
    definitions: tuple[PromotedDefinition, ...]

    def definition(self, address: Address) -> PromotedDefinition | None:
        return next((one for one in self.definitions if one.address == address), None)


def carried_files(
    earlier: Iterable[PromotedFile], promoted: Mapping[str, str], left: Iterable[str], commit: str
) -> tuple[PromotedFile, ...]:
    """Return the files of the new lock. `promoted` has the content of each promoted file, by path.

    The paths in `left` keep their entry. A file whose content did not change keeps its commit.
    """
    known = {one.path: one for one in earlier}
    files = {path: known[path] for path in left if path in known}
    for path, blob in promoted.items():
        same = path in known and known[path].blob == blob
        files[path] = known[path] if same else PromotedFile(path, commit, blob)
    return tuple(files[path] for path in sorted(files))
