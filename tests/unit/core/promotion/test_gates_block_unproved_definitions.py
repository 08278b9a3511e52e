"""A changed definition passes the gates only with a proof of just this definition."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import (
    Address,
    Audience,
    Hashing,
    IdentifierType,
    Seat,
    SegmentKey,
    SegmentSpec,
    Source,
)
from reconciler.core.portable_definition import part_digests, portable_digest, portable_parts
from reconciler.core.promotion.gate import OwnParts, PortablePart, PromotionGate
from reconciler.core.promotion.gates import (
    NOTHING_PROMOTED,
    PromotionRecord,
    gate_findings,
    own_notes,
)
from reconciler.core.promotion.lock import PromotedDefinition, PromotionLock, Proof

LOCK = "environments/production/promotion.lock"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
EMAIL = IdentifierType.EMAIL
SEAT = Seat("1", "2")
ADDRESS = Address("email", "lapsed")
SPEC = SegmentSpec(
    address=ADDRESS,
    name="Lapsed (email)",
    description="",
    key=SegmentKey("8", "9", EMAIL, Hashing.SHA256),
    credential="criteo",
    audience=Audience("lapsed", "Lapsed", "", Source(("a.csv",)), ((EMAIL, "email"),)),
    title="Lapsed (email)",
)
PARTS = portable_parts(SPEC)
PROOF = Proof(portable_digest(PARTS), NOW - timedelta(hours=30), EndpointKind.CRITEO, SEAT, 1000)
PROMOTED = PromotedDefinition(ADDRESS, part_digests(PARTS), SEAT, PROOF)
GATE = PromotionGate("sandbox", soak=timedelta(hours=24))


def record(*definitions: PromotedDefinition) -> PromotionRecord:
    return PromotionRecord(PromotionLock("sandbox", "c" * 40, "d" * 40, (), definitions))


def problems(
    gate: PromotionGate = GATE, found: PromotionRecord = NOTHING_PROMOTED, spec: SegmentSpec = SPEC
) -> list[str]:
    """Return the problems; each has its address and a fix."""
    findings = gate_findings(gate, found, "production", spec, NOW)
    assert all(one.where == "email/lapsed" and one.remedy for one in findings)
    return [one.problem for one in findings]


def with_proof(**changed: object) -> PromotionRecord:
    return record(replace(PROMOTED, proof=replace(PROOF, **changed)))  # type: ignore[arg-type]


def test_a_proved_definition_passes() -> None:
    assert problems(found=record(PROMOTED)) == []


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (NOTHING_PROMOTED, "it was not promoted from sandbox"),
        (record(replace(PROMOTED, address=Address("email", "loyal"))), "it was not promoted from sandbox"),
        (PromotionRecord(None, "it is damaged"), f"{LOCK}: it is damaged"),
        (
            PromotionRecord(replace(record().lock, source="staging")),  # type: ignore[type-var]
            f"{LOCK} is of promotions from staging, and the gate asks for sandbox",
        ),
        (record(replace(PROMOTED, proof=None)), "it is not verified in sandbox"),
        (with_proof(digest="0" * 64), "it changed in sandbox since it was verified"),
        (with_proof(seat=Seat("3", "4")), "it was verified at another seat than sandbox has now"),
        (
            with_proof(endpoint=EndpointKind.EMULATOR),
            "it was verified on the emulator, and sandbox must be verified at Criteo",
        ),
        (
            with_proof(verified_at=NOW - timedelta(hours=3)),
            "it was verified 3 hours ago (limit 24 hours, promotion.soak)",
        ),
    ],
)
def test_what_is_not_proved_is_blocked(found: PromotionRecord, problem: str) -> None:
    assert problems(found=found) == [problem]


def test_a_verification_is_old_enough_at_the_end_of_the_soak_time() -> None:
    assert problems(found=with_proof(verified_at=NOW - timedelta(hours=24))) == []


def test_the_emulator_counts_where_the_gate_allows_it() -> None:
    allowing = replace(GATE, allow_emulator=True)
    assert problems(allowing, with_proof(endpoint=EndpointKind.EMULATOR)) == []


def test_a_gate_without_verification_asks_for_the_promotion_only() -> None:
    assert problems(replace(GATE, verified=False), record(replace(PROMOTED, proof=None))) == []


CHANGES: dict[PortablePart, Callable[[SegmentSpec], SegmentSpec]] = {
    PortablePart.TITLE: lambda spec: replace(spec, title="Gone"),
    PortablePart.SOURCE: lambda spec: replace(
        spec, audience=replace(spec.audience, source=Source(("b.csv",)))
    ),
    PortablePart.HASHING: lambda spec: replace(spec, key=replace(spec.key, hashing=Hashing.MD5)),
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_part_that_differs_is_named(part: PortablePart) -> None:
    changed = CHANGES[part](SPEC)
    assert problems(found=record(PROMOTED), spec=changed) == [
        f"{part} differs from what was promoted from sandbox"
    ]


@pytest.mark.parametrize("pattern", ["lapsed", "email/lapsed", "*", "lap*", "email/*"])
def test_a_part_of_its_own_may_differ_and_is_noted(pattern: str) -> None:
    changed = CHANGES[PortablePart.SOURCE](SPEC)
    gate = replace(GATE, own=(OwnParts(pattern, (PortablePart.SOURCE,)),))
    assert problems(gate, record(PROMOTED), changed) == []
    assert [*own_notes(gate, record(PROMOTED), [changed])] == [
        "email/lapsed: source differs from sandbox on purpose (promotion.own)"
    ]
    assert [*own_notes(gate, record(PROMOTED), [SPEC])] == []
    assert [*own_notes(gate, NOTHING_PROMOTED, [changed])] == []


def test_an_address_that_exists_only_here_is_noted() -> None:
    gate = replace(GATE, own=(OwnParts("lapsed", (*PortablePart,)),))
    assert [*own_notes(gate, NOTHING_PROMOTED, [SPEC])] == [
        "email/lapsed: not promoted from sandbox, on purpose (promotion.own)"
    ]
    assert [*own_notes(gate, record(PROMOTED), [SPEC])] == []


@pytest.mark.parametrize("pattern", ["loyal", "sms/lapsed"])
def test_parts_of_another_address_do_not_count(pattern: str) -> None:
    gate = replace(GATE, own=(OwnParts(pattern, (PortablePart.SOURCE,)),))
    changed = CHANGES[PortablePart.SOURCE](SPEC)
    assert problems(gate, record(PROMOTED), changed) == ["source differs from what was promoted from sandbox"]


def test_another_part_is_not_covered() -> None:
    gate = replace(GATE, own=(OwnParts("*", (PortablePart.SOURCE,)),))
    changed = CHANGES[PortablePart.TITLE](CHANGES[PortablePart.SOURCE](SPEC))
    assert problems(gate, record(PROMOTED), changed) == ["title differs from what was promoted from sandbox"]


def test_an_audience_may_exist_here_only() -> None:
    gate = replace(GATE, own=(OwnParts("lapsed", tuple(PortablePart)),))
    assert problems(gate) == []
    [finding] = gate_findings(GATE, NOTHING_PROMOTED, "production", SPEC, NOW)
    assert "promotion: {own: {lapsed: [all]}}" in finding.remedy
