"""The few requests before any member is sent: free and assign names, create segments, all in bulk."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from reconciler.apply.creates import create_segments
from reconciler.apply.job_groups import RunJobs, by_credential
from reconciler.apply.recorder import ApplyContext, StateRecorder
from reconciler.apply.updates import update_segments
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.plan.steps import (
    ConfirmCreate,
    CreateSegment,
    DiscardReplacement,
    MoveState,
    RecordAdoption,
    RequestReplace,
    SetupPhase,
    UpdateSegment,
)
from reconciler.core.plan.worker_count import workers_per_group
from reconciler.core.remote import BULK_ITEMS
from reconciler.core.state import unconfirmed_requests as requests
from reconciler.core.state.resource import RetiredSegment

SetupStepT = TypeVar(
    "SetupStepT",
    MoveState,
    RecordAdoption,
    RequestReplace,
    ConfirmCreate,
    DiscardReplacement,
    UpdateSegment,
    CreateSegment,
)
SetupItemT = TypeVar("SetupItemT", tuple[SegmentChange, UpdateSegment], tuple[SegmentChange, CreateSegment])


def run_setup(
    tools: ApplyContext, ledger: StateRecorder, changes: Sequence[SegmentChange], run_jobs: RunJobs
) -> None:
    """Run the setup steps of all changes by phase. A change whose step fails skips its later steps.

    The creates of one phase are independent, so they are sent at the same time.
    """
    _record_without_calls(tools, ledger, changes)
    for turn in SetupPhase:
        patches = [one for one in _steps(ledger, changes, UpdateSegment) if one[1].turn == turn]
        for chunk in _chunks(patches):
            update_segments(tools, ledger, chunk)
        if turn == SetupPhase.RENAME:
            for change, step in _steps(ledger, changes, DiscardReplacement):
                _abandon(tools, ledger, change, step)
        creations = [one for one in _steps(ledger, changes, CreateSegment) if one[1].turn == turn]
        requested = [
            (group[0][0].spec.credential, partial(create_segments, tools, ledger, group))
            for group in _chunks(creations)
        ]
        if requested:
            groups = by_credential(requested)
            run_jobs(groups, workers_per_group([BULK_ITEMS] * len(requested), len(groups)))


def _record_without_calls(
    tools: ApplyContext, ledger: StateRecorder, changes: Sequence[SegmentChange]
) -> None:
    """Write the resource states of the steps that take no call, before the first call is sent."""
    for change, _ in _steps(ledger, changes, MoveState):
        ledger.move(change.spec.address)
    for _, adopt in _steps(ledger, changes, RecordAdoption):
        for ref in adopt.resource.references:
            tools.state.store_snapshot(ref, tools.engine.file(ref))
        ledger.write(adopt.resource)
    for change, _ in _steps(ledger, changes, RequestReplace):
        _request_replace(tools, ledger, change)
    for change, confirm in _steps(ledger, changes, ConfirmCreate):
        holding = ledger.holding(change.spec.address, confirm.slot)
        ledger.put(change.spec.address, confirm.slot, requests.record_recovered(holding, confirm.segment_id))


def _steps(
    ledger: StateRecorder, changes: Sequence[SegmentChange], kind: type[SetupStepT]
) -> Iterator[tuple[SegmentChange, SetupStepT]]:
    for change in changes:
        if change.spec.address not in ledger.ended:
            yield from ((change, step) for step in change.steps.setup if isinstance(step, kind))


def _chunks(items: Sequence[SetupItemT]) -> Iterator[list[SetupItemT]]:
    """Yield bulk requests, by credential and account, with at most BULK_ITEMS each."""
    groups: dict[tuple[str, str], list[SetupItemT]] = defaultdict(list)
    for item in items:
        change, step = item
        groups[change.spec.credential, _account(step)].append(item)
    for group in groups.values():
        yield from (group[at : at + BULK_ITEMS] for at in range(0, len(group), BULK_ITEMS))


def _account(step: UpdateSegment | CreateSegment) -> str:
    return step.account_id if isinstance(step, UpdateSegment) else step.key.account_id


def _request_replace(tools: ApplyContext, ledger: StateRecorder, change: SegmentChange) -> None:
    resource = ledger.resource(change.spec.address)
    current = replace(resource.current, members_unknown_before=tools.clock.now())
    ledger.write(replace(resource, current=current, replace_requested=True))


def _abandon(
    tools: ApplyContext, ledger: StateRecorder, change: SegmentChange, step: DiscardReplacement
) -> None:
    resource = ledger.resource(change.spec.address)
    if resource.replacement is None:
        return
    left = (RetiredSegment(resource.replacement, tools.clock.now()),) if step.old_segment_remains else ()
    ledger.write(replace(resource, replacement=None, retired=(*resource.retired, *left)))
