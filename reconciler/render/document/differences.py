"""Differences between environments, as rows that every layout shows."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import Address
from reconciler.core.promotion.differences import Difference, DifferenceKind, ValueDifference
from reconciler.core.promotion.proofs import ProofOf, ProofState
from reconciler.render.text import LONGEST_NAME, name, quoted, where_they_differ

MARKS = {
    DifferenceKind.ADDED: "+",
    DifferenceKind.CHANGED: "~",
    DifferenceKind.REMOVED: "−",
    DifferenceKind.ONLY_THERE: "=",
}
WORDS = {
    DifferenceKind.ADDED: "added",
    DifferenceKind.CHANGED: "changed",
    DifferenceKind.REMOVED: "removed",
    DifferenceKind.ONLY_THERE: "only there",
}
_STATES = {
    ProofState.NOT_VERIFIED: "not verified",
    ProofState.CHANGED: "changed since it was verified",
    ProofState.OTHER_SEAT: "verified at another seat",
}


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One address. `verification` is "" where there is nothing to verify."""

    kind: DifferenceKind
    address: str
    values: tuple[str, ...]
    verification: str


def difference_rows(
    differences: Iterable[Difference], proofs: Mapping[Address, ProofOf]
) -> tuple[DifferenceRow, ...]:
    """Return a row for each address that differs."""
    return tuple(
        DifferenceRow(
            one.kind,
            name(str(one.address)),
            tuple(map(_value, one.values)),
            verification(proofs.get(one.address)),
        )
        for one in differences
    )


def verification(found: ProofOf | None) -> str:
    """Return what is proved of an address; "" if it is not in the environment that is promoted from."""
    if found is None:
        return ""
    if found.proof is None or found.state is not ProofState.VERIFIED:
        return _STATES[found.state]
    proof = found.proof
    where = "on the emulator" if proof.endpoint is EndpointKind.EMULATOR else "at Criteo"
    rows = f", sample of {proof.sample_rows:,} rows" if proof.sample_rows is not None else ""
    return f"verified {where} {proof.verified_at:%Y-%m-%d %H:%M} UTC{rows}"


def totals(differences: Iterable[Difference]) -> str:
    """Return text such as "1 added, 2 changed"; "" if nothing differs."""
    many = Counter(one.kind for one in differences)
    return ", ".join(f"{many[kind]:,} {WORDS[kind]}" for kind in DifferenceKind if many[kind])


def _value(one: ValueDifference) -> str:
    own = " (on purpose)" if one.own else ""
    if not (one.before or one.after):
        return f"{one.path} differs{own}"
    before, after = where_they_differ(one.before, one.after, LONGEST_NAME)
    return f"{one.path}: {_side(before)} → {_side(after)}{own}"


def _side(value: str) -> str:
    return quoted(value) if value else "not set"
