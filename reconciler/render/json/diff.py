"""`diff --json`: what differs in meaning between two environments."""

from collections.abc import Iterable, Mapping

from reconciler.core.model import Address
from reconciler.core.promotion.differences import Difference, ValueDifference
from reconciler.core.promotion.proofs import ProofOf
from reconciler.render.json.values import Json, code, time
from reconciler.render.text import LONGEST_NAME, name, where_they_differ


def diff_values(
    source: str, target: str, differences: Iterable[Difference], proofs: Mapping[Address, ProofOf]
) -> Json:
    return {
        "source": name(source),
        "target": name(target),
        "differences": difference_values(differences, proofs),
    }


def difference_values(differences: Iterable[Difference], proofs: Mapping[Address, ProofOf]) -> list[Json]:
    return [
        {
            "address": name(str(one.address)),
            "kind": code(one.kind),
            "on_purpose": one.on_purpose,
            "values": [*map(_value, one.values)],
            "verification": _verification(proofs.get(one.address)),
        }
        for one in differences
    ]


def _value(one: ValueDifference) -> Json:
    before, after = where_they_differ(one.before, one.after, LONGEST_NAME)
    return {
        "part": one.part.value,
        "path": name(one.path),
        "before": before or None,
        "after": after or None,
        "on_purpose": one.own,
    }


def _verification(found: ProofOf | None) -> Json | None:
    if found is None:
        return None
    proof = found.proof
    return {
        "state": code(found.state),
        "verified_at": time(proof.verified_at) if proof else None,
        "endpoint": proof.endpoint.value if proof else None,
        "sample_rows": proof.sample_rows if proof else None,
    }
