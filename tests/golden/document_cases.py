"""Documents as values: every plan, and drift, errors and apply reports."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

from golden import plan_cases as cases
from golden.plan_cases import GOLD, HIGH, LAPSED, NOW

from reconciler.core.errors import ConfigurationError, Finding, NotApprovedError, RemoteError
from reconciler.core.events import (
    BatchAcknowledged,
    ChangeEnded,
    ChangeOutcome,
    Event,
    addresses_blocked,
    plan_made,
)
from reconciler.core.members import Delta
from reconciler.core.plan.changes import AttributeChange, Change, SegmentChange
from reconciler.core.plan.drift import Drift, NotComparable
from reconciler.core.plan.left_behind import LeftBehind
from reconciler.core.plan.losses import MemberCounts
from reconciler.core.plan.model import Plan
from reconciler.core.plan.reasons import ApplyResumed
from reconciler.core.state.model import StateHead
from reconciler.render.document.apply_report import RunTotals, apply_report
from reconciler.render.document.drift import DriftScope, drift_document
from reconciler.render.document.model import Document, DocumentType, error_document, with_error
from reconciler.render.document.plan import heading, plan_document, without_state
from reconciler.render.numbers import NumberFormat

Case = Callable[[NumberFormat], Document]

UNREACHABLE = RemoteError(
    "https://api.criteo.com can't be reached: the connection was refused 5 times in 2 min",
    remedy="run `reconciler doctor production`, which tests the connection check by check",
)
WRONG = ConfigurationError(
    "3 things are wrong in the manifests of production",
    remedy="run `reconciler validate production` after each correction",
    findings=[
        Finding(
            "environments/production/audiences/lapsed-90d.yaml:7:3",
            "'filterr' is no field of an audience; did you mean 'filter'?",
        ),
        Finding(
            "environments/production/audiences/high-value.yaml:12:5",
            "the guard needs a share of people",
            "write it with a percent sign:\nguards:\n  maxShrink: 30%",
        ),
        Finding("environments/production/rest.yaml:3:1", "the retailer 3239117063738827231 is not in quotes"),
    ],
)


NOT_APPROVED = NotApprovedError(
    "the plan differs from the approved plan",
    remedy="make a new plan and have it approved",
    findings=[
        Finding("offsite-email/lapsed-90d", "people leave: 2,910, and at most 300 were approved"),
        Finding("offsite-email/high-value", "it is to change, and was not part of the plan"),
    ],
)


def _drift(figures: NumberFormat) -> Document:
    header = heading(DocumentType.DRIFT, cases.ENVIRONMENT, StateHead("7f3a2b1c9d", 118, "production"), NOW)
    renamed = AttributeChange("name", HIGH.name, "High value (do not touch)")
    drifts = (
        Drift(HIGH.address, HIGH.name, (renamed,), touched_at=NOW - timedelta(hours=3)),
        Drift(GOLD.address, GOLD.name, missing_segment_id="88121"),
        Drift(LAPSED.address, LAPSED.name, member_counts=MemberCounts(427_335, 12)),
    )
    return drift_document(
        header, drifts, DriftScope(8, ((NotComparable.RECENT, 1),), NOW.replace(hour=12, minute=0)), figures
    )


def _lost(figures: NumberFormat) -> Document:
    header = heading(DocumentType.DRIFT, cases.ENVIRONMENT, StateHead("7f3a2b1c9d", 118, "production"), NOW)
    gone = (
        Drift(GOLD.address, GOLD.name, missing_segment_id="88122"),
        Drift(LAPSED.address, LAPSED.name, missing_segment_id="88121"),
    )
    return drift_document(header, gone, DriftScope(at=4), figures)


def _left_behind(figures: NumberFormat) -> Document:
    header = heading(DocumentType.DRIFT, cases.ENVIRONMENT, StateHead("7f3a2b1c9d", 118, "production"), NOW)
    left = (
        LeftBehind("88121", LAPSED.address, 990),
        LeftBehind("88122", GOLD.address, 8),
        *(LeftBehind(str(number)) for number in range(99_001, 99_008)),
    )
    return drift_document(header, (), DriftScope(at=4, left_behind=left), figures)


def _planned(plan: Plan, figures: NumberFormat, subject: DocumentType = DocumentType.PLAN) -> Document:
    return plan_document(plan, cases.ENVIRONMENT, figures, subject)


def _run(plan: Plan, events: tuple[Event, ...], figures: NumberFormat) -> Document:
    tally = RunTotals()
    tally.emit(plan_made(plan))
    for event in events:
        tally.emit(event)
    report = apply_report("production", tally, timedelta(seconds=174), NOW, figures)
    return replace(_planned(plan, figures, DocumentType.APPLY), outcome=report)


def _taken(change: SegmentChange, count: int, rejected: int = 0) -> BatchAcknowledged:
    return BatchAcknowledged(change.spec.address, "add", count, rejected, count, count)


def _beside_blocked() -> tuple[Plan, tuple[Event, ...]]:
    done = cases.update(LAPSED, cases.CHANGED)
    plan = cases.plan(done, unchanged=280, blocked=cases.EVERY_CAUSE)
    ended = ChangeEnded(LAPSED.address, ChangeOutcome.APPLIED)
    return plan, (*addresses_blocked(plan), _taken(done, 18_240), ended)


def _in_part() -> tuple[Plan, tuple[Event, ...]]:
    done, failed = cases.update(LAPSED, cases.CHANGED), cases.create(GOLD, 120_000)
    left = cases.update(HIGH, cases.STILL, cases.RENAMED)
    events = (
        _taken(done, 18_240),
        ChangeEnded(done.spec.address, ChangeOutcome.APPLIED),
        _taken(failed, 50_000),
        ChangeEnded(
            failed.spec.address,
            ChangeOutcome.FAILED,
            "Criteo refused the batch: the segment is locked (segment-locked)",
            "wait until it is computed, then run the same command again",
        ),
        ChangeEnded(left.spec.address, ChangeOutcome.SKIPPED),
    )
    return cases.plan(failed, done, left, unchanged=4), events


def _went_on() -> tuple[Plan, tuple[Event, ...]]:
    change = cases.update(
        LAPSED, cases.members(0, 1_000_000, Delta(0, 400_000, 0), done=600_000), reason=ApplyResumed()
    )
    batches = (_taken(change, 50_000),) * 8
    return cases.plan(change, unchanged=2), (
        *batches,
        ChangeEnded(change.spec.address, ChangeOutcome.APPLIED),
    )


def _rejected() -> tuple[Plan, tuple[Event, ...]]:
    change = cases.create(LAPSED, 812)
    return cases.plan(change), (
        _taken(change, 812, rejected=7),
        ChangeEnded(change.spec.address, ChangeOutcome.APPLIED),
    )


def _refused(figures: NumberFormat) -> Document:
    changes = cases.update(LAPSED, cases.CHANGED), cases.update(HIGH, cases.STILL, cases.RENAMED)
    return with_error(_planned(cases.plan(*changes, unchanged=5), figures, DocumentType.APPLY), NOT_APPROVED)


def _first_in_ci(figures: NumberFormat) -> Document:
    plan, environment = cases.CASES["first-create"]
    in_a_bucket = replace(environment, state_url="s3://acme-audiences/state/production")
    return without_state(plan_document(plan, in_a_bucket, figures), in_a_bucket)


def _five_hundred() -> Plan:
    return cases.plan(*_many(500), unchanged=1_204)


def _many(number: int) -> Iterator[Change]:
    for at in range(number):
        key = cases.EMAIL if at % 3 else cases.CUSTOMER
        one = cases.spec(f"audience-{at:03}", f"Audience {at}", key)
        if at % 100 == 99:
            yield cases.replacement(one, 90_000 + at)
        elif at % 8 == 0:
            yield cases.create(one, 1_000 * (at + 1))
        else:
            before, adds, removes = 20_000 + 613 * at, 37 * at, 11 * at if at % 2 else 0
            yield cases.update(one, cases.members(before, before + adds - removes, Delta(0, adds, removes)))


def _many_destinations() -> Plan:
    """Thirty audiences at three destinations: most are ordinary, some need review."""
    changes: list[Change] = []
    for at in range(30):
        for where in ("offsite-email", "onsite-email", "partner-email"):
            one = cases.spec(f"audience-{at:02}", f"Audience {at}", destination=where)
            moved = cases.members(20_000, 20_000 + 90 * at, Delta(0, 100 * at, 10 * at))
            renamed = AttributeChange("name", f"Audience {at} of old", one.name)
            if at % 15 == 14:
                changes.append(cases.replacement(one, 20_000))
            elif at % 10 == 9 and where == "partner-email":
                changes.append(cases.create(one, 20_000))
            else:
                changes.append(cases.update(one, moved, *((renamed,) if at % 6 == 5 else ())))
    return cases.plan(*changes, unchanged=12)


def _case(plan_of: Callable[[], Plan]) -> Case:
    return lambda figures: _planned(plan_of(), figures)


def _run_case(of: Callable[[], tuple[Plan, tuple[Event, ...]]]) -> Case:
    return lambda figures: _run(*of(), figures)


def _approved(case: Case) -> Case:
    return lambda figures: replace(case(figures), approvals=("sha256:" + "0f" * 32,))


DOCUMENTS: dict[str, Case] = {
    **{name: partial(plan_document, *case) for name, case in cases.CASES.items()},
    "first-in-ci": _first_in_ci,
    "teardown": lambda figures: _planned(cases.torn_down(), figures, DocumentType.TEARDOWN),
    "teardown-of-nothing": lambda figures: _planned(cases.plan(), figures, DocumentType.TEARDOWN),
    "five-hundred": _case(_five_hundred),
    "many-destinations": _case(_many_destinations),
    "drift": _drift,
    "drift-of-lost-access": _lost,
    "drift-of-test-members": _left_behind,
    "unreachable": lambda _: error_document(DocumentType.PLAN, "production", UNREACHABLE, NOW),
    "wrong-manifests": lambda _: error_document(DocumentType.PLAN, "production", WRONG, NOW),
    "not-approved": _refused,
    "partial-failure": _run_case(_in_part),
    "applied-beside-blocked": _run_case(_beside_blocked),
    "resumed-run": _approved(_run_case(_went_on)),
    "rejected-identifiers": _run_case(_rejected),
}
