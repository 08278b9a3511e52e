"""A report of 200 audiences over 90 days, in every state of usability."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.endpoints import EndpointKind
from reconciler.core.members import SnapshotRef
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
from reconciler.core.portable_definition import part_digests, portable_parts
from reconciler.core.promotion.differences import compare
from reconciler.core.promotion.proofs import proofs_of, proved
from reconciler.core.report import DAYS, PromotionReport, Report, ReportedState, environment_report
from reconciler.core.series import PointKind, SeriesPoint, SeriesRun
from reconciler.core.state.model import StateHead
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.core.verification import (
    KeptVerification,
    Verification,
    VerificationOutcome,
    Verifications,
    kept_verifications,
)

NOW = datetime(2026, 11, 29, 13, 30, tzinfo=UTC)
AUDIENCES = 200
KEY = SegmentKey("1", "2", IdentifierType.EMAIL, Hashing.SHA256)
SENT_AT = NOW - timedelta(hours=30)
"""All of it is live."""
JUST_NOW = NOW - timedelta(hours=1)
OUTCOMES = {
    3: VerificationOutcome.BELOW_MINIMUM,
    5: VerificationOutcome.TOO_FEW,
    7: VerificationOutcome.MISSING,
}
"""By number of the audience; most others are verified."""
NOT_APPLIED, NOT_VERIFIED, COMPUTING, FORGOTTEN, CHANGED = 11, 13, 17, 19, 23


def spec(number: int, title: str = "") -> SegmentSpec:
    name = f"audience-{number:03}"
    columns = ((IdentifierType.EMAIL, "email"),)
    audience = Audience(name, title or f"Audience {number}", "", Source(("a.csv",)), columns)
    return SegmentSpec(
        Address("offsite-email", name), audience.title, "", KEY, "criteo", audience, title=audience.title
    )


def resource(number: int) -> ResourceState:
    one, size = spec(number), final_size(number)
    segment = SegmentState(
        KEY,
        segment_id=str(1000 + number),
        confirmed=SnapshotRef("ab", size),
        completed_size=size,
        completed_at=JUST_NOW if number == COMPUTING else SENT_AT,
    )
    return ResourceState(
        one.address,
        segment,
        definition="another" if number == CHANGED else one.definition,
        forgotten_at=NOW if number == FORGOTTEN else None,
    )


def verification(number: int) -> Verification:
    return Verification(
        address=spec(number).address,
        outcome=OUTCOMES.get(number, VerificationOutcome.VERIFIED),
        at=NOW - timedelta(hours=2),
        computed_at=NOW - timedelta(hours=2),
        parts=part_digests(portable_parts(spec(number))),
        endpoint=EndpointKind.CRITEO,
        seat=Seat("1", "2"),
        sample_rows=None,
        segment_id=str(1000 + number),
        sent=final_size(number),
        rejected=0,
        arrived=final_size(number),
        matched=final_size(number) * 6 // 10,
    )


def start(number: int) -> int:
    return 40 + number * 977


def daily(number: int) -> Iterator[tuple[int, int, int]]:
    """Yield the day, and the members that an audience gains and loses on it."""
    dice = random.Random(number)  # noqa: S311 - the same figures in each run
    yield 0, start(number), 0
    for day in range(1, DAYS):
        yield day, dice.randint(0, 30 + number * 9), dice.randint(0, 20 + number * 8)


def final_size(number: int) -> int:
    return max(0, sum(adds - removes for _, adds, removes in daily(number)))


def runs() -> tuple[SeriesRun, ...]:
    """Return an apply and a verification of each day. The last day ends before NOW."""
    first = NOW.replace(hour=6, minute=0) - timedelta(days=DAYS - 1)
    applies: dict[int, list[SeriesPoint]] = {day: [] for day in range(DAYS)}
    checks: dict[int, list[SeriesPoint]] = {day: [] for day in range(DAYS)}
    for number in range(AUDIENCES):
        size, address = 0, spec(number).address
        dice = random.Random(-number)  # noqa: S311 - as above
        for day, adds, removes in daily(number):
            size = max(0, size + adds - removes)
            applies[day].append(SeriesPoint(address, size, adds, removes, 0))
            matched = size * dice.randint(50, 70) // 100
            checks[day].append(
                SeriesPoint(address, size, 0, 0, 0, size, matched, matched / size if size else None)
            )
    return tuple(
        run
        for day in range(DAYS)
        for run in (
            SeriesRun(f"a{day}", PointKind.APPLY, first + timedelta(days=day), tuple(applies[day])),
            SeriesRun(f"b{day}", PointKind.VERIFY, first + timedelta(days=day, hours=7), tuple(checks[day])),
        )
    )


def large_report(title: str = "", environment: str = "production") -> Report:
    """Return 200 audiences in production; `title` is the one of the first audience."""
    specs = [spec(number, title if number == 0 else "") for number in range(AUDIENCES) if number != FORGOTTEN]
    unverified = {NOT_APPLIED, NOT_VERIFIED, COMPUTING}
    verified = Verifications(
        tuple(verification(number) for number in range(AUDIENCES) if number not in unverified)
    )
    kept: dict[Address, KeptVerification] = kept_verifications(verified, specs)
    state = ReportedState(
        StateHead("1a" * 16, 181, environment, (ApprovalRecord("sha256:" + "5e" * 32, SENT_AT),)),
        tuple(resource(number) for number in range(AUDIENCES) if number != NOT_APPLIED),
        kept,
        runs(),
    )
    source = [replace(one, title="Renewed") if one.address.audience.endswith("42") else one for one in specs]
    source.append(spec(300))
    promotion = PromotionReport(
        "sandbox",
        environment,
        compare(source, specs, None, None),
        proved(source, proofs_of(verified.verifications)),
    )
    return Report((environment_report(environment, EndpointKind.CRITEO, specs, state, NOW),), (promotion,))
