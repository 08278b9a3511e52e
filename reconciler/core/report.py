"""What a state knows of its audiences, for people: what is usable, what is computing, and what became of it.

It needs the manifests and the state. Criteo is not asked, so that "usable" is as of the last verification.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.promotion.differences import Difference
from reconciler.core.promotion.proofs import ProofOf
from reconciler.core.schedule import ACTIVATION_DELAY, next_computation
from reconciler.core.series import PointKind, SeriesDay, SeriesRun, by_day
from reconciler.core.state.model import StateHead
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.core.verification import KeptVerification, Verification, VerificationOutcome

DAYS = 90
"""Days that a report shows, with today."""
RUNS = 10
"""Runs that are listed."""


class Usability(StrEnum):
    """Whether an audience can be used in a campaign, as far as it is known."""

    BELOW_MINIMUM = "below_minimum"
    """All members arrived, and too few match."""

    TOO_FEW = "too_few"
    """Criteo counted fewer members than it acknowledged."""

    MISSING = "missing"
    """Criteo had no such segment."""

    NOT_APPLIED = "not_applied"
    """No apply filled a segment."""

    NOT_VERIFIED = "not_verified"
    """Criteo has computed it, and no verification says what came of it."""

    COMPUTING = "computing"
    """Sent, and not live yet."""

    USABLE = "usable"
    """Verified."""

    FORGOTTEN = "forgotten"
    """Removed from the manifests; the segment stays at Criteo."""


_FAILED = {
    VerificationOutcome.BELOW_MINIMUM: Usability.BELOW_MINIMUM,
    VerificationOutcome.TOO_FEW: Usability.TOO_FEW,
    VerificationOutcome.MISSING: Usability.MISSING,
}


@dataclass(frozen=True, slots=True)
class AudienceReport:
    """One address. `title` is "" if the manifests do not contain it.

    `computing_until`: when the members sent last are live; None if they are. `definition_changed`: the
    manifests differ from the definition that was applied last.
    """

    address: Address
    title: str
    usability: Usability
    size: int | None
    rejected: int
    computing_until: datetime | None
    verification: KeptVerification | None
    definition_changed: bool
    days: tuple[SeriesDay, ...]


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run: how many addresses it left points of, and the members that it sent."""

    at: datetime
    kind: PointKind
    addresses: int
    adds: int
    removes: int


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    """One environment at `made_at`. `approvals` were begun and not completed.

    `since` is the first day of the series that is shown.
    """

    environment: str
    endpoint: EndpointKind
    made_at: datetime
    since: date
    serial: int | None
    audiences: tuple[AudienceReport, ...]
    runs: tuple[RunReport, ...]
    approvals: tuple[ApprovalRecord, ...]

    @property
    def drifted(self) -> tuple[AudienceReport, ...]:
        """Return the audiences whose last verification found another segment than the state knows."""
        return tuple(one for one in self.audiences if one.usability in _DRIFT)

    @property
    def changed(self) -> tuple[AudienceReport, ...]:
        """Return the audiences whose definition is not applied yet."""
        return tuple(one for one in self.audiences if one.definition_changed)


_DRIFT = frozenset({Usability.MISSING, Usability.TOO_FEW})


@dataclass(frozen=True, slots=True)
class PromotionReport:
    """How an environment differs from the one that is promoted to it.

    `problem` says why its lock is not usable, or is "".
    """

    source: str
    target: str
    differences: tuple[Difference, ...]
    proofs: Mapping[Address, ProofOf]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All environments that were asked for, and the promotions to them."""

    environments: tuple[EnvironmentReport, ...]
    promotions: tuple[PromotionReport, ...]


@dataclass(frozen=True, slots=True)
class ReportedState:
    """What a state knows."""

    head: StateHead | None
    resources: tuple[ResourceState, ...]
    verified: Mapping[Address, KeptVerification]
    runs: Sequence[SeriesRun]


def first_day(now: datetime) -> date:
    return now.date() - timedelta(days=DAYS - 1)


def environment_report(
    environment: str,
    endpoint: EndpointKind,
    specs: Iterable[SegmentSpec],
    state: ReportedState,
    now: datetime,
) -> EnvironmentReport:
    declared = {spec.address: spec for spec in specs}
    held = {one.address: one for one in state.resources}
    days = by_day(state.runs, first_day(now))
    return EnvironmentReport(
        environment=environment,
        endpoint=endpoint,
        made_at=now,
        since=first_day(now),
        serial=state.head.serial if state.head else None,
        audiences=tuple(
            _audience(
                address,
                declared.get(address),
                held.get(address),
                state.verified.get(address),
                days.get(address, ()),
                now,
            )
            for address in sorted({*declared, *held})
        ),
        runs=tuple(_run(run) for run in reversed(state.runs[-RUNS:])),
        approvals=tuple(one for one in state.head.approvals if not one.completed_at) if state.head else (),
    )


def _audience(
    address: Address,
    spec: SegmentSpec | None,
    resource: ResourceState | None,
    verified: KeptVerification | None,
    days: tuple[SeriesDay, ...],
    now: datetime,
) -> AudienceReport:
    current = resource.current if resource else None
    live = _live_at(current.completed_at) if current and current.completed_at else now
    return AudienceReport(
        address=address,
        title=spec.title if spec else "",
        usability=usability(resource, verified.verification if verified else None, now),
        size=_size(current) if current else 0,
        rejected=current.rejected if current else 0,
        computing_until=live if now < live else None,
        verification=verified,
        definition_changed=_is_changed(spec, resource),
        days=days,
    )


def _size(current: SegmentState) -> int | None:
    """Return the size at the last completed transfer; None if the state was lost since."""
    return None if current.size is None else current.completed_size or 0


def _is_changed(spec: SegmentSpec | None, resource: ResourceState | None) -> bool:
    return spec is not None and resource is not None and spec.definition != resource.definition


def usability(resource: ResourceState | None, found: Verification | None, now: datetime) -> Usability:
    """Return whether an audience can be used.

    A failed verification counts until members are sent again; a successful one counts for its segment.
    """
    sent_at = resource.current.completed_at if resource else None
    if resource is None or sent_at is None:
        return Usability.NOT_APPLIED
    current = resource.current
    if resource.forgotten_at:
        return Usability.FORGOTTEN
    if found and found.segment_id == current.segment_id:
        if found.outcome is VerificationOutcome.VERIFIED:
            return Usability.USABLE
        failed = _FAILED.get(found.outcome)
        if failed and found.at >= sent_at:
            return failed
    return Usability.COMPUTING if now < _live_at(sent_at) else Usability.NOT_VERIFIED


def _live_at(sent_at: datetime) -> datetime:
    return next_computation(sent_at) + ACTIVATION_DELAY


def _run(run: SeriesRun) -> RunReport:
    return RunReport(
        at=run.at,
        kind=run.kind,
        addresses=len(run.points),
        adds=sum(point.adds for point in run.points),
        removes=sum(point.removes for point in run.points),
    )
