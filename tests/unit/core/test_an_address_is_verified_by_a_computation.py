"""An address is verified once a computation counts all that was sent, and only for what was applied."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.endpoints import EndpointKind
from reconciler.core.members import Delta, SnapshotRef
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
from reconciler.core.promotion.gate import PortablePart
from reconciler.core.remote import RateLimit, Statistics
from reconciler.core.state.resource import CreateIntent, ResourceState, SegmentState, Transfer
from reconciler.core.verification import (
    MIN_MATCH_RATE,
    KeptVerification,
    Verification,
    VerificationOutcome,
    VerificationResult,
    Verifications,
    before_counts,
    kept,
    kept_verifications,
    next_check,
    renewed,
    verify,
)

SENT_AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIVE = NOON + timedelta(hours=5)
LATER = NOON + timedelta(days=3)
KEY = SegmentKey("1", "2", IdentifierType.EMAIL, Hashing.SHA256)
SPEC = SegmentSpec(
    address=Address("email", "lapsed"),
    name="Lapsed (email)",
    description="",
    key=KEY,
    credential="criteo",
    audience=Audience(
        "lapsed", "Lapsed", "", Source(("a.csv",), sample_rows=500), ((IdentifierType.EMAIL, "email"),)
    ),
    title="Lapsed (email)",
)
HELD = SegmentState(
    KEY,
    segment_id="11",
    confirmed=SnapshotRef("ab", 100),
    rejected=3,
    completed_size=100,
    completed_at=SENT_AT,
)
STATE = ResourceState(SPEC.address, HELD, definition=SPEC.definition)
ARRIVED = Statistics(97, 60, 60 / 97)


def outcome(
    resource: ResourceState | None = STATE, counts: Statistics | None = ARRIVED, now: datetime = LATER
) -> VerificationOutcome:
    statistics = {"11": counts} if counts else {}
    return verify(SPEC, resource, {"11"}, statistics, now).outcome


def current(**changed: object) -> ResourceState:
    return replace(STATE, current=replace(HELD, **changed))  # type: ignore[arg-type]


def test_all_members_less_the_rejected_ones_must_arrive() -> None:
    result = verify(SPEC, STATE, {"11"}, {"11": ARRIVED}, LATER)
    assert result == VerificationResult(
        SPEC.address, VerificationOutcome.VERIFIED, "11", 100, 3, ARRIVED, NOON
    )
    assert result.expected == 97
    assert outcome(counts=replace(ARRIVED, identifiers=98)) is VerificationOutcome.VERIFIED
    assert outcome(counts=replace(ARRIVED, identifiers=96)) is VerificationOutcome.TOO_FEW


def test_the_minimum_match_rate_is_enough_and_less_is_not() -> None:
    at_minimum = replace(ARRIVED, match_rate=MIN_MATCH_RATE)
    assert outcome(counts=at_minimum) is VerificationOutcome.VERIFIED
    below = replace(ARRIVED, match_rate=MIN_MATCH_RATE - 1e-6)
    assert outcome(counts=below) is VerificationOutcome.BELOW_MINIMUM
    assert outcome(current(confirmed=SnapshotRef("", 0), rejected=0), Statistics(0, 0, 0.0)) is (
        VerificationOutcome.BELOW_MINIMUM
    )


MOVING = Transfer(SnapshotRef("cd", 3), SnapshotRef("", 0), Delta(0, 3, 0))


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (None, VerificationOutcome.NOT_APPLIED),
        (replace(STATE, forgotten_at=SENT_AT), VerificationOutcome.NOT_APPLIED),
        (current(completed_at=None), VerificationOutcome.NOT_APPLIED),
        (current(intent=CreateIntent("Lapsed", SENT_AT)), VerificationOutcome.INCOMPLETE),
        (current(transfer=MOVING), VerificationOutcome.INCOMPLETE),
        (current(uncertain=SnapshotRef("cd", 1)), VerificationOutcome.INCOMPLETE),
        (current(members_unknown_before=SENT_AT), VerificationOutcome.INCOMPLETE),
        (replace(STATE, replacement=SegmentState(KEY)), VerificationOutcome.INCOMPLETE),
        (replace(STATE, definition="ab"), VerificationOutcome.DEFINITION_CHANGED),
        (current(segment_id="12"), VerificationOutcome.MISSING),
        (current(completed_at=LATER), VerificationOutcome.NOT_COMPUTED),
        (STATE, None),
    ],
)
def test_counts_decide_only_about_a_computed_segment_of_this_definition(
    resource: ResourceState | None, expected: VerificationOutcome | None
) -> None:
    assert before_counts(SPEC, resource, {"11"}, LATER) is expected
    if expected:
        assert outcome(resource) is expected


@pytest.mark.parametrize(
    ("sent_at", "computed_at"),
    [
        (NOON - timedelta(hours=3), NOON),
        (NOON - timedelta(minutes=61), NOON),
        (NOON - timedelta(minutes=60), NOON + timedelta(hours=12)),
        (NOON, NOON + timedelta(hours=12)),
    ],
)
def test_a_computation_counts_only_with_a_margin_after_the_last_acknowledgement(
    sent_at: datetime, computed_at: datetime
) -> None:
    resource, just_before = current(completed_at=sent_at), computed_at - timedelta(seconds=1)
    early = verify(SPEC, resource, {"11"}, {"11": ARRIVED}, just_before)
    assert (early.outcome, early.due_at) == (VerificationOutcome.NOT_COMPUTED, computed_at)
    assert outcome(resource, now=computed_at) is VerificationOutcome.VERIFIED


@pytest.mark.parametrize(
    "counts", [Statistics(0, None, None), Statistics(97, 0, 0.0), Statistics(None, None, None), None]
)
def test_a_count_that_is_too_low_is_final_only_when_the_computation_is_live(
    counts: Statistics | None,
) -> None:
    held = {"11": counts} if counts else {}
    result = verify(SPEC, STATE, {"11"}, held, LIVE - timedelta(seconds=1))
    assert (result.outcome, result.due_at) == (VerificationOutcome.NOT_COMPUTED, LIVE)
    final = verify(SPEC, STATE, {"11"}, held, LIVE)
    if counts and counts.identifiers is not None:
        assert final.outcome in {VerificationOutcome.TOO_FEW, VerificationOutcome.BELOW_MINIMUM}
        assert final.due_at is None
    else:
        assert final.outcome is VerificationOutcome.NOT_COMPUTED
        assert final.due_at == datetime(2026, 3, 2, tzinfo=UTC)


def test_a_match_rate_that_is_not_there_yet_is_awaited() -> None:
    assert outcome(counts=Statistics(97, None, None)) is VerificationOutcome.NOT_COMPUTED


def waiting(computed_at: datetime, due_at: datetime | None) -> VerificationResult:
    return VerificationResult(
        SPEC.address, VerificationOutcome.NOT_COMPUTED, computed_at=computed_at, due_at=due_at
    )


def test_the_next_check_is_when_criteo_computes_and_then_within_the_rate_budget() -> None:
    minute, half_a_day = timedelta(minutes=1), timedelta(hours=12)
    assert next_check([], NOON, None) is None
    assert next_check([replace(waiting(NOON, None))], SENT_AT, None) is None
    before = [waiting(NOON, NOON), waiting(NOON + half_a_day, NOON + half_a_day)]
    assert next_check(before, SENT_AT, None) == NOON
    computing = [waiting(NOON, LIVE)]
    assert next_check(computing, NOON, None) == NOON + 10 * minute
    assert next_check(computing * 100, NOON, None) == NOON + 20 * minute
    assert next_check(computing * 2500, NOON, RateLimit(250, 100)) == NOON + 20 * minute
    assert next_check(computing, LIVE - minute, None) == LIVE
    given_up = [waiting(NOON, NOON + half_a_day)]
    assert next_check(given_up, LIVE, None) is None


def proof(of: VerificationOutcome = VerificationOutcome.VERIFIED, at: datetime = LATER) -> Verification:
    result = replace(verify(SPEC, STATE, {"11"}, {"11": ARRIVED}, LATER), outcome=of)
    found = kept(result, SPEC, EndpointKind.CRITEO, at)
    assert found
    return found


def test_a_final_result_is_kept_with_all_that_it_depends_on() -> None:
    found = proof(at=LATER + timedelta(hours=1))
    assert found.computed_at == LATER
    assert (found.seat, found.sample_rows, found.segment_id) == (Seat("1", "2"), 500, "11")
    assert (found.sent, found.rejected, found.arrived, found.matched) == (100, 3, 97, 60)
    assert found.changed_parts(SPEC) == ()
    other = replace(SPEC, address=Address("email", "loyal"))
    assert kept_verifications(Verifications((found,)), [replace(SPEC, title="Other"), other]) == {
        SPEC.address: KeptVerification(found, (PortablePart.TITLE,))
    }
    assert found.changed_parts(replace(SPEC, title="Other")) == (PortablePart.TITLE,)


def test_only_final_results_are_kept() -> None:
    final = {one for one in VerificationOutcome if one.is_kept}
    assert final == {
        VerificationOutcome.VERIFIED,
        VerificationOutcome.TOO_FEW,
        VerificationOutcome.BELOW_MINIMUM,
        VerificationOutcome.MISSING,
    }
    result = verify(SPEC, STATE, {"11"}, {}, SENT_AT)
    assert kept(result, SPEC, EndpointKind.CRITEO, SENT_AT) is None


def test_the_newest_verification_of_each_known_address_is_kept() -> None:
    other = replace(proof(), address=Address("email", "loyal"))
    gone = replace(proof(), address=Address("email", "gone"))
    newer = proof(VerificationOutcome.TOO_FEW)
    result = renewed(Verifications((gone, proof(), other)), [newer], {SPEC.address, other.address})
    assert result == Verifications((newer, other))
    assert result.by_address() == {SPEC.address: newer, other.address: other}
