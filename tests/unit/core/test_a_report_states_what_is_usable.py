"""A report states whether an audience can be used, as far as the state knows it, and what was sent."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from support import reports

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.endpoints import EndpointKind
from reconciler.core.report import (
    RUNS,
    AudienceReport,
    EnvironmentReport,
    ReportedState,
    RunReport,
    Usability,
    environment_report,
    usability,
)
from reconciler.core.series import PointKind, SeriesDay, SeriesPoint, SeriesRun
from reconciler.core.state.model import StateHead
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import KeptVerification, Verification, VerificationOutcome

pytestmark = pytest.mark.promise("read-right")

SENT_AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
LIVE = datetime(2026, 3, 1, 17, tzinfo=UTC)
SPEC = reports.spec(1)
HELD = replace(reports.resource(1).current, completed_at=SENT_AT, rejected=2)
STATE = ResourceState(SPEC.address, HELD, definition=SPEC.definition)
CHECKED = replace(reports.verification(1), at=LIVE)


def state(**changed: object) -> ResourceState:
    return replace(STATE, current=replace(HELD, **changed))  # type: ignore[arg-type]


def checked(outcome: VerificationOutcome, at: datetime = LIVE, segment_id: str = "1001") -> Verification:
    return replace(CHECKED, outcome=outcome, at=at, segment_id=segment_id)


@pytest.mark.parametrize(
    ("resource", "found", "now", "expected"),
    [
        (None, None, LIVE, Usability.NOT_APPLIED),
        (state(completed_at=None), None, LIVE, Usability.NOT_APPLIED),
        (replace(STATE, forgotten_at=LIVE), CHECKED, LIVE, Usability.FORGOTTEN),
        (STATE, None, LIVE - timedelta(seconds=1), Usability.COMPUTING),
        (STATE, None, LIVE, Usability.NOT_VERIFIED),
        (STATE, CHECKED, LIVE, Usability.USABLE),
        (STATE, checked(VerificationOutcome.VERIFIED, SENT_AT - timedelta(days=1)), LIVE, Usability.USABLE),
        (STATE, checked(VerificationOutcome.VERIFIED, segment_id="9"), LIVE, Usability.NOT_VERIFIED),
        (STATE, checked(VerificationOutcome.BELOW_MINIMUM), LIVE, Usability.BELOW_MINIMUM),
        (STATE, checked(VerificationOutcome.TOO_FEW), LIVE, Usability.TOO_FEW),
        (STATE, checked(VerificationOutcome.MISSING), LIVE, Usability.MISSING),
        (STATE, checked(VerificationOutcome.TOO_FEW, SENT_AT - timedelta(1)), SENT_AT, Usability.COMPUTING),
        (STATE, checked(VerificationOutcome.INCOMPLETE), LIVE, Usability.NOT_VERIFIED),
    ],
)
def test_usability(
    resource: ResourceState | None, found: Verification | None, now: datetime, expected: Usability
) -> None:
    assert usability(resource, found, now) is expected


def report(
    resources: tuple[ResourceState, ...], runs: tuple[SeriesRun, ...] = (), now: datetime = LIVE
) -> EnvironmentReport:
    verified = {SPEC.address: KeptVerification(CHECKED, ())}
    used = (ApprovalRecord("sha256:a", SENT_AT, LIVE), ApprovalRecord("sha256:b", SENT_AT))
    found = ReportedState(StateHead("a", 4, "sandbox", used), resources, verified, runs)
    return environment_report("sandbox", EndpointKind.CRITEO, [SPEC], found, now)


def test_each_address_of_manifests_and_state_is_there_once() -> None:
    gone = replace(STATE, address=reports.spec(2).address, definition="another")
    assert report((STATE, gone)).audiences == (
        AudienceReport(
            SPEC.address,
            "Audience 1",
            Usability.USABLE,
            HELD.completed_size,
            2,
            None,
            KeptVerification(CHECKED, ()),
            definition_changed=False,
            days=(),
        ),
        AudienceReport(
            gone.address,
            "",
            Usability.NOT_VERIFIED,
            HELD.completed_size,
            2,
            None,
            None,
            definition_changed=False,
            days=(),
        ),
    )


@pytest.mark.parametrize(
    ("resources", "size"),
    [
        ((), 0),
        ((STATE,), HELD.completed_size),
        ((state(completed_size=None, completed_at=None),), 0),
        ((state(completed_size=None, members_unknown_before=SENT_AT),), None),
    ],
)
def test_the_size_is_that_of_the_last_transfer(
    resources: tuple[ResourceState, ...], size: int | None
) -> None:
    assert report(resources).audiences[0].size == size


def test_it_states_until_when_the_newest_members_are_computed() -> None:
    assert report((STATE,), now=LIVE - timedelta(minutes=1)).audiences[0].computing_until == LIVE


def test_changed_definitions_drift_and_approvals_are_listed() -> None:
    changed = replace(STATE, definition="another")
    found = report((changed,))
    assert [one.address for one in found.changed] == [SPEC.address]
    assert found.drifted == ()
    assert [one.digest for one in found.approvals] == ["sha256:b"]
    lost = replace(found.audiences[0], usability=Usability.TOO_FEW)
    assert replace(found, audiences=(lost,)).drifted == (lost,)


def test_without_a_state_nothing_is_applied() -> None:
    found = environment_report(
        "sandbox", EndpointKind.EMULATOR, [SPEC], ReportedState(None, (), {}, ()), LIVE
    )
    assert (found.serial, found.approvals, found.runs) == (None, (), ())
    assert [one.usability for one in found.audiences] == [Usability.NOT_APPLIED]


def test_days_and_runs_are_those_of_the_series() -> None:
    points = (SeriesPoint(SPEC.address, 5, 3, 1, 0), SeriesPoint(reports.spec(2).address, 7, 4, 0, 0))
    runs = tuple(
        SeriesRun(str(day), PointKind.APPLY, LIVE - timedelta(days=day), points)
        for day in (120, *range(11, -1, -1))
    )
    found = report((STATE,), runs)
    assert len(found.audiences[0].days) == 12
    assert found.audiences[0].days[-1] == SeriesDay(date(2026, 3, 1), 5, 3, 1)
    assert found.runs == tuple(
        RunReport(LIVE - timedelta(days=day), PointKind.APPLY, 2, 7, 1) for day in range(RUNS)
    )
    assert found.since == date(2025, 12, 2)
