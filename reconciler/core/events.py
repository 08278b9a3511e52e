"""The events of a run, as values. Progress, the report and the event stream are derived from them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from reconciler.core.errors import CancelledError, Finding, NotApprovedError, PartialApplyError, RefusedError
from reconciler.core.members import Operation
from reconciler.core.model import Address, Api
from reconciler.core.plan.change_kinds import Cause, ChangeKind
from reconciler.core.plan.changes import Change, Delete, Empty, Ending, Forget, address_of, kind_of
from reconciler.core.plan.cost import credential_of, own_calls
from reconciler.core.plan.model import Plan


class ChangeOutcome(StrEnum):
    """The outcome of one change. `INTERRUPTED`: the run ended during the change; the next run resumes it."""

    APPLIED = "applied"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"


class RunOutcome(StrEnum):
    """The outcome of a run."""

    DONE = "done"
    NO_CHANGES = "no_changes"
    REFUSED = "refused"
    PARTIALLY_APPLIED = "partially_applied"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run has valid manifests and starts. `who` is the name in the state lock."""

    environment: str
    version: str
    who: str
    emulated: bool


@dataclass(frozen=True, slots=True)
class ActivityStarted:
    """The current activity in a few words; "" when it ends."""

    activity: str


@dataclass(frozen=True, slots=True)
class PlanCreated:
    """Addresses by what happens to them, members that move, and the state it was made from.

    `lineage` is "" before the first apply. `approvals`: the digests of those by which it is carried out.
    """

    create: int
    adopt: int
    update: int
    move: int
    replace: int
    refill: int
    forget: int
    empty: int
    delete: int
    unchanged: int
    blocked: int
    paused: int
    adds: int
    removes: int
    lineage: str
    serial: int
    approvals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddressWork:
    """The calls for one address alone, and the credential that makes them."""

    address: Address
    credential: str
    calls: int


@dataclass(frozen=True, slots=True)
class ApplyStarted:
    """The confirmed plan is applied from now on. `limits`: calls per minute, by credential.

    They are a `share` of the calls that Criteo allows. `estimate`: seconds, as the plan states them.
    `waits`: seconds until no request is unconfirmed. `removals` are at blocked and paused addresses.
    """

    changes: tuple[AddressWork, ...]
    removals: tuple[AddressWork, ...]
    limits: Mapping[str, int]
    waits: float
    share: float = 1.0
    estimate: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """The calling thread waits. Repeated while it does."""

    reason: str
    seconds_left: float


@dataclass(frozen=True, slots=True)
class WaitEnded:
    """The calling thread no longer waits."""


@dataclass(frozen=True, slots=True)
class SegmentCreated:
    address: Address
    segment_id: str


@dataclass(frozen=True, slots=True)
class SegmentUpdated:
    address: Address


@dataclass(frozen=True, slots=True)
class SegmentDeleted:
    address: Address
    segment_id: str


@dataclass(frozen=True, slots=True)
class TransferStarted:
    """`total` identifiers are to move, `done` of them by an earlier run."""

    address: Address
    total: int
    done: int


@dataclass(frozen=True, slots=True)
class BatchAcknowledged:
    """Criteo took a batch: `count` identifiers, `rejected` of them invalid; `done` of `total` so far."""

    address: Address
    operation: Operation
    count: int
    rejected: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class BatchSizeLowered:
    """Criteo refused larger batches and accepted batches of this size. The run keeps it."""

    size: int


@dataclass(frozen=True, slots=True)
class ChangeEnded:
    """`resumable`: of a failure, whether the same command may do better when it is run again."""

    address: Address
    outcome: ChangeOutcome
    problem: str = ""
    remedy: str = ""
    resumable: bool = True
    ended_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AddressBlocked:
    """An address that is left as it is, and why; once for each reason."""

    address: Address
    cause: Cause
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Counts:
    """The outcomes of an apply, in addresses. `unchanged` addresses needed no change."""

    applied: int
    unchanged: int
    failed: int
    interrupted: int
    skipped: int
    blocked: int = 0


@dataclass(frozen=True, slots=True)
class SentTotals:
    """The acknowledged batches and members of a run. Rejected members are counted separately."""

    batches: int
    added: int
    removed: int
    rejected: int


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event of a run, whatever ended it."""

    ending: RunOutcome
    exit_code: int
    counts: Counts
    work: SentTotals
    seconds: float


StepEvent = (
    SegmentCreated
    | SegmentUpdated
    | SegmentDeleted
    | TransferStarted
    | BatchAcknowledged
    | BatchSizeLowered
    | ChangeEnded
)
"""The events of an apply."""

Event = (
    RunStarted
    | ActivityStarted
    | PlanCreated
    | AddressBlocked
    | ApplyStarted
    | Waiting
    | WaitEnded
    | StepEvent
    | RunEnded
)


class EventSink(Protocol):
    """Receives events, from several threads."""

    def emit(self, event: Event) -> None: ...


class ProgressReporter(EventSink, Protocol):
    """Turns calls about activities and waits into events."""

    def doing(self, activity: str) -> None:
        """Report the current activity in a few words; "" ends it."""
        self.emit(ActivityStarted(activity))

    def waiting(self, reason: str, seconds_left: float) -> None:
        """Called again and again while the calling thread waits."""
        self.emit(Waiting(reason, seconds_left))

    def done_waiting(self) -> None:
        """Report that the calling thread no longer waits."""
        self.emit(WaitEnded())


class EventFanout(ProgressReporter):
    """Passes each event to all sinks, in their order."""

    def __init__(self, sinks: Iterable[EventSink]) -> None:
        self._sinks = tuple(sinks)

    def emit(self, event: Event) -> None:
        for sink in self._sinks:
            sink.emit(event)


def plan_made(plan: Plan, approvals: tuple[str, ...] = ()) -> PlanCreated:
    """Return the event of a plan: its counts, and the approvals that it is applied under."""
    kinds = Counter(kind_of(change) for change in plan.changes)
    deltas = [change.members.delta for change in plan.changes if not isinstance(change, Ending)]
    emptied = [change.emptying.removes for change in plan.changes if isinstance(change, Empty | Delete)]
    return PlanCreated(
        create=kinds[ChangeKind.CREATE],
        adopt=kinds[ChangeKind.ADOPT],
        update=kinds[ChangeKind.UPDATE],
        move=kinds[ChangeKind.MOVE],
        replace=kinds[ChangeKind.REPLACE],
        refill=kinds[ChangeKind.REFILL],
        forget=kinds[ChangeKind.FORGET],
        empty=kinds[ChangeKind.EMPTY],
        delete=kinds[ChangeKind.DELETE],
        unchanged=len(plan.unchanged),
        blocked=len({one.address for one in plan.blocked}),
        paused=len(plan.paused),
        adds=sum(delta.adds for delta in deltas),
        removes=sum(delta.out for delta in deltas) + sum(emptied),
        lineage=plan.basis.lineage,
        serial=plan.basis.serial,
        approvals=approvals,
    )


def apply_started(plan: Plan, api: Api, now: datetime) -> ApplyStarted:
    """Return the work of a plan, by address."""
    cost = plan.cost
    waits = cost.waits_until - now if cost.waits_until else timedelta()
    return ApplyStarted(
        changes=tuple(
            AddressWork(address_of(one), _credential(one), own_calls(one, api.batch_size))
            for one in plan.changes
        ),
        removals=tuple(
            AddressWork(one.spec.address, one.spec.credential, own_calls(one, api.batch_size))
            for one in plan.removals
        ),
        limits={credential: cost.calls_per_minute(credential) for credential in cost.calls},
        waits=waits.total_seconds(),
        share=api.share,
        estimate=cost.duration.total_seconds(),
    )


def _credential(change: Change) -> str:
    """Return the credential of the calls; "" if there are none."""
    return "" if isinstance(change, Forget) else credential_of(change)


def addresses_blocked(plan: Plan) -> tuple[AddressBlocked, ...]:
    """Return an event for each blocked address."""
    return tuple(
        AddressBlocked(one.address, one.cause, _placed(one.finding, one.address), one.finding.remedy)
        for one in plan.blocked
    )


def _placed(finding: Finding, address: Address) -> str:
    """The problem, with its place in a file if it has one."""
    return finding.problem if finding.where in {"", str(address)} else f"{finding.where}: {finding.problem}"


def run_ended(exit_code: int, counts: Counts, work: SentTotals, seconds: float) -> RunEnded:
    """Return the last event of a run, from its exit code."""
    return RunEnded(_ending(exit_code, counts), exit_code, counts, work, seconds)


def _ending(exit_code: int, counts: Counts) -> RunOutcome:
    if exit_code == 0:
        return RunOutcome.DONE if counts.applied else RunOutcome.NO_CHANGES
    return _ENDINGS.get(exit_code, RunOutcome.FAILED)


_ENDINGS = {
    RefusedError.exit_code: RunOutcome.REFUSED,
    NotApprovedError.exit_code: RunOutcome.REFUSED,
    PartialApplyError.exit_code: RunOutcome.PARTIALLY_APPLIED,
    CancelledError.exit_code: RunOutcome.CANCELLED,
}
