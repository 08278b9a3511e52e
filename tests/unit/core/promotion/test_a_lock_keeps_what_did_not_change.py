"""A second promotion of the same files changes no lock, and does not begin the soak time again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import Address, Seat
from reconciler.core.portable_definition import part_digests, portable_digest
from reconciler.core.promotion.gate import PortablePart
from reconciler.core.promotion.lock import (
    PromotedDefinition,
    PromotedFile,
    PromotionLock,
    Proof,
    carried_files,
    proof_digest,
)
from reconciler.core.promotion.proofs import KnownProofs, carried_definition, trusted

THEN = datetime(2026, 11, 29, 12, tzinfo=UTC)
SEAT = Seat("1", "2")
DIGESTS = dict.fromkeys(PortablePart, "b" * 64)
PROOF = Proof(portable_digest(DIGESTS), THEN, EndpointKind.CRITEO, SEAT, None)
DEFINITION = PromotedDefinition(Address("email", "lapsed"), part_digests(DIGESTS), SEAT, PROOF)
LATER = replace(DEFINITION, proof=replace(PROOF, verified_at=THEN + timedelta(days=1)))
EMULATED = replace(DEFINITION, proof=replace(PROOF, endpoint=EndpointKind.EMULATOR))
OUTDATED = replace(DEFINITION, proof=replace(PROOF, digest="a" * 64))
ELSEWHERE = replace(DEFINITION, proof=replace(PROOF, seat=Seat("3", "4")))
UNPROVED = replace(DEFINITION, proof=None)


def test_a_file_keeps_its_commit_until_its_content_changes() -> None:
    earlier = (
        PromotedFile("a.yaml", "1", "x"),
        PromotedFile("b.yaml", "1", "y"),
        PromotedFile("c.yaml", "1", "z"),
    )
    found = carried_files(earlier, {"a.yaml": "x", "b.yaml": "changed", "d.yaml": "w"}, ["c.yaml"], "2")
    assert found == (
        PromotedFile("a.yaml", "1", "x"),
        PromotedFile("b.yaml", "2", "changed"),
        PromotedFile("c.yaml", "1", "z"),
        PromotedFile("d.yaml", "2", "w"),
    )


def test_a_file_that_was_not_promoted_before_is_not_kept() -> None:
    assert carried_files((), {}, ["c.yaml"], "2") == ()


@pytest.mark.parametrize(
    ("earlier", "new", "kept"),
    [
        (None, LATER, LATER),
        (DEFINITION, LATER, DEFINITION),
        (DEFINITION, UNPROVED, DEFINITION),
        (DEFINITION, EMULATED, DEFINITION),
        (UNPROVED, LATER, LATER),
        (UNPROVED, EMULATED, EMULATED),
        (EMULATED, LATER, LATER),
        (EMULATED, UNPROVED, EMULATED),
        (OUTDATED, LATER, LATER),
        (OUTDATED, EMULATED, EMULATED),
        (OUTDATED, UNPROVED, OUTDATED),
        (ELSEWHERE, LATER, LATER),
        (EMULATED, OUTDATED, EMULATED),
        (DEFINITION, replace(LATER, seat=Seat("3", "4")), replace(LATER, seat=Seat("3", "4"))),
        (DEFINITION, replace(LATER, parts=()), replace(LATER, parts=())),
    ],
)
def test_the_earlier_proof_is_kept_unless_the_new_one_proves_more(
    earlier: PromotedDefinition | None, new: PromotedDefinition, kept: PromotedDefinition
) -> None:
    assert carried_definition(earlier, new) == kept


def test_a_proof_that_the_state_never_had_is_not_carried() -> None:
    """The next promotion replaces an edit by hand."""
    address, state = DEFINITION.address, KnownProofs({DEFINITION.address: PROOF})
    later = KnownProofs({address: LATER.proof or PROOF}, {proof_digest(address, PROOF)})
    forged = replace(DEFINITION, proof=replace(PROOF, verified_at=THEN - timedelta(days=9)))
    for known in (None, state, later):
        assert trusted(DEFINITION, known) == DEFINITION
        assert trusted(UNPROVED, known) == UNPROVED
    assert trusted(forged, None) == forged
    for known in (state, later, KnownProofs({})):
        assert trusted(forged, known) == UNPROVED
    assert carried_definition(trusted(forged, state), DEFINITION) == DEFINITION


def test_a_definition_is_found_by_its_address() -> None:
    lock = PromotionLock("sandbox", "1", "2", (), (DEFINITION,))
    assert lock.definition(DEFINITION.address) == DEFINITION
    assert lock.definition(Address("email", "loyal")) is None
    assert DEFINITION.digests == DIGESTS
