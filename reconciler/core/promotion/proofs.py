"""What a verification proves of a definition as it is now."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import Address, Seat, SegmentSpec
from reconciler.core.portable_definition import portable_digest, portable_parts
from reconciler.core.promotion.lock import PromotedDefinition, Proof, proof_digest
from reconciler.core.verification import Verification, VerificationOutcome


class ProofState(StrEnum):
    """Whether a verification proves a definition."""

    VERIFIED = "verified"
    NOT_VERIFIED = "not_verified"
    CHANGED = "changed"
    """The definition changed since it was verified."""

    OTHER_SEAT = "other_seat"
    """It was verified at another seat than it is sent to now."""


def proof_state(digest: str, seat: Seat, proof: Proof | None) -> ProofState:
    """Return what `proof` proves of a definition with this digest of portable parts, sent to this seat."""
    if proof is None:
        return ProofState.NOT_VERIFIED
    if proof.digest != digest:
        return ProofState.CHANGED
    return ProofState.VERIFIED if proof.seat == seat else ProofState.OTHER_SEAT


def state_of(one: PromotedDefinition) -> ProofState:
    """Return what its own proof proves of a promoted definition."""
    return proof_state(portable_digest(one.digests), one.seat, one.proof)


@dataclass(frozen=True, slots=True)
class KnownProofs:
    """What the state of an environment proves: the newest proofs, and the digests of earlier ones.

    Earlier ones are in its series (`core/series.py`).
    """

    newest: Mapping[Address, Proof]
    earlier: Container[str] = frozenset()

    def has(self, address: Address, proof: Proof) -> bool:
        return self.newest.get(address) == proof or proof_digest(address, proof) in self.earlier


def trusted(one: PromotedDefinition, known: KnownProofs | None) -> PromotedDefinition:
    """Return a promoted definition, without a proof that the state never had.

    `known` is None without a state.
    """
    if one.proof is None or known is None or known.has(one.address, one.proof):
        return one
    return replace(one, proof=None)


def carried_definition(earlier: PromotedDefinition | None, new: PromotedDefinition) -> PromotedDefinition:
    """Return the definition for the new lock: the earlier one if it proves as much as the new one.

    A second verification of unchanged parts changes no lock, and does not begin the soak time again.
    """
    if earlier is None or (earlier.parts, earlier.seat) != (new.parts, new.seat):
        return new
    return earlier if _strength(earlier) >= _strength(new) else new


def _strength(one: PromotedDefinition) -> int:
    """Return how much is proved: nothing, by a proof of another definition, on the emulator, or at Criteo."""
    if one.proof is None:
        return 0
    if state_of(one) is not ProofState.VERIFIED:
        return 1
    return 3 if one.proof.endpoint is EndpointKind.CRITEO else 2


@dataclass(frozen=True, slots=True)
class ProofOf:
    """What is proved of an address, as its environment defines it now."""

    state: ProofState
    proof: Proof | None


def proofs_of(verifications: Iterable[Verification]) -> dict[Address, Proof]:
    """Return the proofs of an environment: its successful verifications."""
    return {
        one.address: Proof(portable_digest(one.digests), one.at, one.endpoint, one.seat, one.sample_rows)
        for one in verifications
        if one.outcome is VerificationOutcome.VERIFIED
    }


def proved(specs: Iterable[SegmentSpec], known: Mapping[Address, Proof]) -> dict[Address, ProofOf]:
    """Return what the newest proofs of an environment prove of each address."""
    return {
        spec.address: ProofOf(
            proof_state(
                portable_digest(portable_parts(spec)),
                Seat(spec.key.account_id, spec.key.retailer_id),
                known.get(spec.address),
            ),
            known.get(spec.address),
        )
        for spec in specs
    }
