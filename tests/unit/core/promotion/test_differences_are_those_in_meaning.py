"""Environments differ where promotion would carry something, and nowhere else."""

from dataclasses import replace
from datetime import UTC, datetime

from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import (
    Access,
    Address,
    Audience,
    Exclusion,
    Hashing,
    IdentifierType,
    PersonalData,
    Seat,
    SegmentKey,
    SegmentSpec,
    Source,
)
from reconciler.core.portable_definition import part_digests, portable_digest, portable_parts
from reconciler.core.promotion.differences import (
    Difference,
    DifferenceKind,
    ValueDifference,
    changes,
    compare,
)
from reconciler.core.promotion.gate import OwnParts, PortablePart, PromotionGate
from reconciler.core.promotion.lock import PromotedDefinition, PromotionLock
from reconciler.core.promotion.proofs import ProofOf, ProofState, proofs_of, proved
from reconciler.core.verification import Verification, VerificationOutcome

EMAIL = IdentifierType.EMAIL
SEAT = Seat("1", "2")


def spec(name: str, title: str = "Title", where: str = "", credential: str = "criteo") -> SegmentSpec:
    return SegmentSpec(
        address=Address("email", name),
        name=f"[test] {title}",
        description="",
        key=SegmentKey("1", "2", EMAIL, Hashing.SHA256),
        credential=credential,
        audience=Audience(name, title, "", Source(("a.csv",), where), ((EMAIL, "email"),)),
        title=title,
    )


def test_each_kind_of_difference() -> None:
    before = [spec("changed"), spec("removed"), spec("same")]
    after = [spec("added"), spec("changed", title="Other", where="x > 1"), spec("same", credential="other")]
    assert changes(before, after) == (
        Difference(Address("email", "added"), DifferenceKind.ADDED),
        Difference(
            Address("email", "changed"),
            DifferenceKind.CHANGED,
            (
                ValueDifference(PortablePart.TITLE, "title", "Title", "Other"),
                ValueDifference(PortablePart.SOURCE, "source.where", "", "x > 1"),
            ),
        ),
        Difference(Address("email", "removed"), DifferenceKind.REMOVED),
    )


def test_a_part_with_hidden_values_is_named_alone() -> None:
    hidden = [spec("a", where=f"email = 'person{one}@example.com'") for one in (1, 2)]
    [found] = changes(hidden[:1], hidden[1:])
    assert found.values == (ValueDifference(PortablePart.SOURCE, "source", "", ""),)


def test_all_parts_have_values_to_show() -> None:
    old = spec("a")
    audience = replace(
        old.audience,
        columns=((EMAIL, "mail"),),
        exclusion_lists=(Exclusion(("out.csv",), ((EMAIL, "email"),)),),
        source=Source(("b.csv",), pinned=True),
    )
    new = replace(
        old,
        title="Other",
        description="Text",
        audience=replace(audience, description="Text"),
        key=SegmentKey("1", "2", IdentifierType.PHONE_NUMBER, Hashing.NONE),
        access=Access(admin_only=True, pii=PersonalData.RAW),
    )
    [found] = changes([old], [new])
    assert {one.part for one in found.values} == {*PortablePart}
    assert all(one.before or one.after for one in found.values)


def test_what_was_never_promoted_is_only_there_and_on_purpose() -> None:
    promoted = PromotedDefinition(
        Address("email", "gone"), part_digests(portable_parts(spec("gone"))), SEAT, None
    )
    lock = PromotionLock("sandbox", "1", "2", (), (promoted,))
    found = compare([], [spec("gone"), spec("own")], lock, None)
    assert [(one.address.audience, one.kind, one.on_purpose) for one in found] == [
        ("gone", DifferenceKind.REMOVED, False),
        ("own", DifferenceKind.ONLY_THERE, True),
    ]
    assert [one.kind for one in compare([], [spec("gone")], None, None)] == [DifferenceKind.ONLY_THERE]


def test_parts_of_its_own_are_marked() -> None:
    gate = PromotionGate("sandbox", own=(OwnParts("a", (PortablePart.SOURCE,)),))
    source, target = spec("a", title="New", where="x > 2"), spec("a", where="x > 1")
    [both] = compare([source], [target], None, gate)
    assert [(one.path, one.own) for one in both.values] == [("title", False), ("source.where", True)]
    assert not both.on_purpose
    [own] = compare([spec("a", where="x > 2")], [target], None, gate)
    assert own.on_purpose


def verification(
    of: SegmentSpec, outcome: VerificationOutcome = VerificationOutcome.VERIFIED
) -> Verification:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    return Verification(
        address=of.address,
        outcome=outcome,
        at=now,
        computed_at=now,
        parts=part_digests(portable_parts(of)),
        endpoint=EndpointKind.CRITEO,
        seat=SEAT,
        sample_rows=None,
        segment_id="1",
        sent=1,
        rejected=0,
        arrived=1,
        matched=1,
    )


def test_a_verification_proves_the_definition_that_it_was_of() -> None:
    now = spec("a")
    [proof] = proofs_of([verification(now)]).values()
    assert proof.digest == portable_digest(portable_parts(now))
    states = {
        ProofState.VERIFIED: [verification(now)],
        ProofState.CHANGED: [verification(spec("a", title="Earlier"))],
        ProofState.OTHER_SEAT: [replace(verification(now), seat=Seat("3", "4"))],
        ProofState.NOT_VERIFIED: [verification(now, VerificationOutcome.TOO_FEW)],
    }
    assert {state: proved([now], proofs_of(found))[now.address].state for state, found in states.items()} == {
        state: state for state in states
    }
    assert proved([now], {}) == {now.address: ProofOf(ProofState.NOT_VERIFIED, None)}
