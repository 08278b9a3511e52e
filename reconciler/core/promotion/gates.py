"""The gates of an environment: they block a new definition that `promotion.lock` does not prove.

They never block members of an applied definition, removals, or an audience that leaves the manifests.

    definition changed? ── no ──► free
           │ yes
    parts differ from the lock, apart from `promotion.own`? ── yes ──► blocked: promote
           │ no
    verified, where, and long enough ago? ── no ──► blocked: verify, wait
           │ yes
         free
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.endpoints import EndpointKind
from reconciler.core.errors import Finding
from reconciler.core.model import SegmentSpec
from reconciler.core.portable_definition import portable_parts
from reconciler.core.promotion.gate import PortablePart, PromotionGate
from reconciler.core.promotion.lock import LOCK_FILE, PromotedDefinition, PromotionLock
from reconciler.core.promotion.proofs import ProofState, state_of
from reconciler.core.rounding import duration


@dataclass(frozen=True, slots=True)
class PromotionRecord:
    """The lock of an environment with gates. `problem` says why the file is not usable, or is ""."""

    lock: PromotionLock | None = None
    problem: str = ""


NOTHING_PROMOTED = PromotionRecord()


def gate_findings(
    gate: PromotionGate, record: PromotionRecord, environment: str, spec: SegmentSpec, now: datetime
) -> tuple[Finding, ...]:
    """Return what a changed definition lacks; nothing if the lock proves it."""
    where = str(spec.address)
    promote = f"`reconciler promote {gate.source} {environment}`"
    file = f"environments/{environment}/{LOCK_FILE}"
    if record.problem:
        return (Finding(where, f"{file}: {record.problem}", f"restore it with git, then run {promote}"),)
    if record.lock and record.lock.source != gate.source:
        problem = f"{file} is of promotions from {record.lock.source}, and the gate asks for {gate.source}"
        return (Finding(where, problem, "correct `promotion.from` in environment.yaml"),)
    promoted = record.lock.definition(spec.address) if record.lock else None
    if promoted is None:
        if gate.own_parts(spec.address) == {*PortablePart}:
            return ()
        problem = f"it was not promoted from {gate.source}"
        only_here = f"promotion: {{own: {{{spec.address.audience}: [all]}}}}"
        remedy = f"run {promote}, and merge its change; if it exists only here, set `{only_here}`"
        return (Finding(where, problem, remedy),)
    if differing := differing_parts(gate, promoted, spec):
        named = ", ".join(differing)
        problem = f"{named} differs from what was promoted from {gate.source}"
        remedy = (
            f"change it in {gate.source} and run {promote}; if it differs on purpose, list it under "
            f"`promotion.own` in environment.yaml"
        )
        return (Finding(where, problem, remedy),)
    return tuple(_unproved(gate, promoted, where, now)) if gate.verified else ()


def differing_parts(
    gate: PromotionGate, promoted: PromotedDefinition, spec: SegmentSpec
) -> tuple[PortablePart, ...]:
    """Return the parts that differ from the promoted ones, without those that may differ here."""
    own = gate.own_parts(spec.address)
    return tuple(part for part in differences(promoted, spec) if part not in own)


def differences(promoted: PromotedDefinition, spec: SegmentSpec) -> tuple[PortablePart, ...]:
    """Return all parts that differ from the promoted ones."""
    before, now = promoted.digests, portable_parts(spec)
    return tuple(part for part in PortablePart if before.get(part) != now[part])


def own_notes(gate: PromotionGate, record: PromotionRecord, specs: Iterable[SegmentSpec]) -> Iterator[str]:
    """Yield a note for each address with parts that differ on purpose, and for each that exists only here."""
    for spec in specs:
        promoted = record.lock.definition(spec.address) if record.lock else None
        own = gate.own_parts(spec.address)
        if promoted is None and own == {*PortablePart}:
            yield f"{spec.address}: not promoted from {gate.source}, on purpose (promotion.own)"
        elif promoted and (named := ", ".join(part for part in differences(promoted, spec) if part in own)):
            yield f"{spec.address}: {named} differs from {gate.source} on purpose (promotion.own)"


def _unproved(
    gate: PromotionGate, promoted: PromotedDefinition, where: str, now: datetime
) -> Iterator[Finding]:
    """Yield what the verification of a promoted definition lacks."""
    proof, again = promoted.proof, f"run `reconciler verify {gate.source} --only {where}`, then promote again"
    state = state_of(promoted)
    if proof is None or state is not ProofState.VERIFIED:
        problem, first = _LACKING[state]
        yield Finding(where, problem.format(source=gate.source), f"{first}{again}")
        return
    if proof.endpoint is EndpointKind.EMULATOR and not gate.allow_emulator:
        problem = f"it was verified on the emulator, and {gate.source} must be verified at Criteo"
        remedy = "verify it in an environment at Criteo, or set `promotion.allowEmulator: true`"
        yield Finding(where, problem, remedy)
    over = proof.verified_at + gate.soak
    if gate.soak and now < over:
        ago = duration(now - proof.verified_at)
        problem = f"it was verified {ago} ago (limit {duration(gate.soak)}, promotion.soak)"
        yield Finding(where, problem, f"run again after {over:%Y-%m-%d %H:%M} UTC")


_LACKING = {
    ProofState.NOT_VERIFIED: ("it is not verified in {source}", ""),
    ProofState.CHANGED: ("it changed in {source} since it was verified", "apply it there, "),
    ProofState.OTHER_SEAT: ("it was verified at another seat than {source} has now", "apply it there, "),
}
"""The problem, and what comes before a new verification."""
