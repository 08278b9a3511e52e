"""One apply, from the first write to the report: setup steps in order, then segments in parallel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

from reconciler.apply.job_groups import Job, RunJobs, by_credential
from reconciler.apply.recorder import FAILURES, ApplyContext, StateRecorder
from reconciler.apply.setup import run_setup
from reconciler.apply.teardown import delete_segments, empty_segments
from reconciler.apply.transfer import Route, remove_suppressed, send_members
from reconciler.apply.updates import update_segments
from reconciler.core.definition import parts_of
from reconciler.core.errors import CancelledError, ReconcilerError, RefusedError, StorageError
from reconciler.core.events import ChangeOutcome
from reconciler.core.members import AppliedList
from reconciler.core.model import Address
from reconciler.core.plan.changes import (
    Delete,
    Empty,
    Forget,
    Removal,
    Replace,
    SegmentChange,
    Teardown,
    address_of,
)
from reconciler.core.plan.model import Plan
from reconciler.core.plan.rejections import failure
from reconciler.core.plan.steps import PromoteReplacement, UpdateSegment
from reconciler.core.plan.tagging import tagged
from reconciler.core.plan.worker_count import workers_per_group
from reconciler.core.series import SeriesPoint
from reconciler.core.state.resource import ResourceState, RetiredSegment, SegmentState
from reconciler.core.telemetry import Attribute, ErrorName, SpanName


@dataclass(frozen=True, slots=True)
class Report:
    """How an apply ended. `acknowledged` counts batches, `rejected` identifiers that Criteo refused.

    `wrote`: something was changed at Criteo, or may have been. `points` are for the series of the state.
    `stopped` is what ended the whole run.
    """

    outcomes: Mapping[Address, ChangeOutcome]
    errors: Mapping[Address, ReconcilerError]
    unchanged: int
    acknowledged: int
    rejected: int
    wrote: bool
    points: tuple[SeriesPoint, ...] = ()
    stopped: ReconcilerError | None = None

    def count(self, outcome: ChangeOutcome) -> int:
        return sum(one == outcome for one in self.outcomes.values())


def apply(
    plan: Plan, resources: Mapping[Address, ResourceState], tools: ApplyContext, run_jobs: RunJobs
) -> Report:
    """Execute a plan. A plan without changes writes nothing.

    A failure at Criteo ends its own address only. A request to stop or a failing state ends the run, after
    all acknowledged results are saved. At blocked and paused addresses, only suppressed members are removed.
    Raises RefusedError before the first write if the whole plan is refused.
    """
    if plan.problems:
        raise RefusedError("the plan can't be applied; nothing was sent", findings=plan.problems)
    ledger, stopped = StateRecorder(tools, plan.basis.environment, resources, plan.origins), None
    if plan.changes or plan.removals:
        try:
            tools.clock.check()
            lineage = tools.state.begin_run().lineage
            _carry_out(tagged(plan, lineage), tools, ledger, run_jobs)
            tools.state.prune()
        except (CancelledError, StorageError) as error:
            stopped = error
        for change in plan.changes:
            ledger.end(address_of(change), ChangeOutcome.SKIPPED)
    return Report(
        outcomes=ledger.ended,
        errors=ledger.errors,
        unchanged=len(plan.unchanged),
        acknowledged=ledger.acknowledged,
        rejected=ledger.rejected,
        wrote=ledger.wrote,
        points=ledger.points(),
        stopped=stopped,
    )


def _carry_out(plan: Plan, tools: ApplyContext, ledger: StateRecorder, run_jobs: RunJobs) -> None:
    sending: list[SegmentChange] = []
    emptying: list[Teardown] = []
    forgetting: list[Forget] = []
    leaving = {one.spec.address: one for one in plan.removals}
    for origin, address in plan.superseded.items():
        ledger.drop_superseded(origin, address)
    for change in plan.changes:
        match change:
            case Forget() if change.address in leaving:
                forgetting.append(change)
            case Forget():
                _forget(tools, ledger, change)
            case Empty() | Delete():
                emptying.append(change)
            case _:
                sending.append(change)
    run_setup(tools, ledger, sending, run_jobs)
    standing = [change for change in sending if change.spec.address not in ledger.ended]
    leaving |= {at: one for at in ledger.ended if (one := _despite_setup(plan.suppressed.get(at)))}
    # Suppressed members first, then the shortest transfers, or the best order before a deadline.
    ordered = plan.deadline.order if plan.deadline else ()
    places = {address: place for place, address in enumerate(ordered)}
    standing.sort(key=partial(_urgency, places))
    largest = [max(_departing(removal), default=0) for removal in leaving.values()]
    largest += [change.members.delta.total for change in standing]
    largest += [change.emptying.removes for change in emptying]
    ending = [(one, leaving.pop(one.address)) for one in forgetting]
    beside = {one.spec.address: leaving.pop(one.spec.address, None) for one in standing}
    jobs = [(one.spec.credential, _forgetting(tools, ledger, change, one)) for change, one in ending]
    jobs += [(one.spec.credential, _leaving(tools, ledger, one)) for one in leaving.values()]
    jobs += [(one.spec.credential, _job(tools, ledger, one, beside[one.spec.address])) for one in standing]
    jobs += [(one.emptying.credential, _emptying(tools, ledger, one)) for one in emptying]
    groups = by_credential(jobs)
    sizes = [min(size, tools.api.batch_size) for size in largest]
    run_jobs(groups, workers_per_group(sizes, max(1, len(groups))))
    delete_segments(tools, ledger, [one for one in emptying if isinstance(one, Delete)])


def _despite_setup(removal: Removal | None) -> Removal | None:
    """Return the removals of an address whose setup failed. Its replacement may be another segment now."""
    if removal is None:
        return None
    standing = tuple(one for one in removal.departures if one.slot != "replacement")
    return replace(removal, departures=standing) if standing else None


def _departing(removal: Removal) -> Iterator[int]:
    return (departure.urgent.count for departure in removal.departures)


def _leaving(tools: ApplyContext, ledger: StateRecorder, removal: Removal) -> Job:
    """Remove suppressed members. Nothing else is sent: only a failed removal is an outcome."""
    return _with_outcome(tools, ledger, removal.spec.address, partial(_remove, tools, ledger, removal))


def _forgetting(tools: ApplyContext, ledger: StateRecorder, change: Forget, removal: Removal) -> Job:
    """Suppressed members leave first: if that fails, the next run does both."""

    def work() -> None:
        _remove(tools, ledger, removal)
        _forget(tools, ledger, change)

    return _with_outcome(tools, ledger, change.address, work)


def _remove(tools: ApplyContext, ledger: StateRecorder, removal: Removal) -> None:
    for departure in removal.departures:
        remove_suppressed(tools, ledger, Route.to(removal.spec), departure)


def _emptying(tools: ApplyContext, ledger: StateRecorder, change: Teardown) -> Job:
    return _with_outcome(tools, ledger, change.address, partial(empty_segments, tools, ledger, change))


def _with_outcome(tools: ApplyContext, ledger: StateRecorder, address: Address, work: Job) -> Job:
    """Return a job that records a failure or an interruption. `work` records that it is complete."""

    def job() -> None:
        tools.clock.check()
        with tools.telemetry.span(SpanName.CHANGE, {Attribute.ADDRESS: address}):
            try:
                work()
            except FAILURES as error:
                ledger.end(address, ChangeOutcome.FAILED, error)
                tools.telemetry.note(Attribute.ERROR, ErrorName.of(error))
            except (CancelledError, StorageError):
                ledger.end(address, ChangeOutcome.INTERRUPTED)
                raise
            finally:
                if outcome := ledger.ended.get(address):
                    tools.telemetry.note(Attribute.OUTCOME, outcome)

    return job


def _urgency(places: Mapping[Address, int], change: SegmentChange) -> tuple[bool, int, int, Address]:
    delta, address = change.members.delta, change.spec.address
    return delta.priority_removes == 0, places.get(address, 0), delta.total, address


def _forget(tools: ApplyContext, ledger: StateRecorder, change: Forget) -> None:
    resource = ledger.resource(change.address)
    if change.drop_state:
        ledger.drop(resource)
    else:
        ledger.write(replace(resource, forgotten_at=tools.clock.now()))
    ledger.end(change.address, ChangeOutcome.APPLIED)


def _job(tools: ApplyContext, ledger: StateRecorder, change: SegmentChange, removal: Removal | None) -> Job:
    """One job for each address: suppressed members leave its other segments first."""

    def work() -> None:
        if removal:
            _remove(tools, ledger, removal)
        _complete(tools, ledger, change)

    return _with_outcome(tools, ledger, change.spec.address, work)


def _complete(tools: ApplyContext, ledger: StateRecorder, change: SegmentChange) -> None:
    address, lists = change.spec.address, change.members.target.applied_lists(tools.clock.now())
    _keep_lists(tools, ledger, address, lists)
    if change.steps.transfer is not None:
        send_members(tools, ledger, Route.to(change.spec), change.steps.transfer)
    if isinstance(change, Replace):
        _check_accepted(ledger.holding(address, "replacement"), change)
    for step in change.steps.finalize:
        match step:
            case UpdateSegment():
                update_segments(tools, ledger, [(change, step)])
                if address in ledger.errors:
                    raise ledger.errors[address]
            case PromoteReplacement():
                _promote(tools, ledger, address, step)
            case _:
                assert_never(step)
    resource = ledger.resource(address)
    spec = change.spec
    kept = resource.admin_approved and resource.definition == spec.definition
    by_admin = kept or address in tools.admin_approved
    applied = replace(resource, definition=spec.definition, parts=parts_of(spec), admin_approved=by_admin)
    ledger.write(replace(applied, forgotten_at=None, lists=lists, protected=spec.audience.protected))
    _check_accepted(resource.current, change)
    ledger.end(address, ChangeOutcome.APPLIED)


def _check_accepted(holding: SegmentState, change: SegmentChange) -> None:
    """Raise if Criteo rejected too many identifiers. A replacement is checked before it takes over."""
    if error := failure(holding, change.spec):
        raise error


def _keep_lists(
    tools: ApplyContext, ledger: StateRecorder, address: Address, lists: tuple[AppliedList, ...]
) -> None:
    """Record the exclusion lists with the first batch sent under them, so that a crash loses neither."""
    kept = {ref for one in ledger.resource(address).lists for ref in one.references}
    for ref in dict.fromkeys(ref for one in lists for ref in one.references):
        if ref not in kept:
            tools.state.store_snapshot(ref, tools.engine.file(ref))
    ledger.send_under(address, lists)


def _promote(tools: ApplyContext, ledger: StateRecorder, address: Address, step: PromoteReplacement) -> None:
    resource = ledger.resource(address)
    if resource.replacement is None:
        raise AssertionError(f"{address} has no successor")
    left = (RetiredSegment(resource.current, tools.clock.now()),) if step.old_segment_remains else ()
    promoted = replace(
        resource,
        current=resource.replacement,
        replacement=None,
        retired=(*resource.retired, *left),
        replace_requested=False,
    )
    ledger.write(promoted)
