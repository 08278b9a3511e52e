"""The few requests before any member is sent: free and assign names, create segments, all in bulk."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from reconciler.apply.recorder import REMOTE_FAILURES, ApplyContext, StateRecorder
from reconciler.core.errors import (
    CancelledError,
    Finding,
    OutcomeUnknownError,
    ReconcilerError,
    RejectedError,
)
from reconciler.core.events import ChangeOutcome, SegmentCreated, SegmentUpdated
from reconciler.core.model import Address
from reconciler.core.ownership import taken_beside, taken_name, taken_unseen
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.plan.steps import (
    ConfirmCreate,
    CreateSegment,
    DiscardReplacement,
    SetupPhase,
    UpdateSegment,
)
from reconciler.core.remote import (
    BULK_ITEMS,
    BulkResult,
    ItemFailure,
    NewSegment,
    Segment,
    SegmentPatch,
    name_key,
)
from reconciler.core.state import unconfirmed_requests as requests
from reconciler.core.state.ownership_tag import tag_of
from reconciler.core.state.resource import (
    ResourceState,
    RetiredSegment,
    SegmentState,
    UnconfirmedUpdate,
    is_late,
)
from reconciler.core.state.unconfirmed_requests import why_not_ours

SetupStepT = TypeVar("SetupStepT", ConfirmCreate, DiscardReplacement, UpdateSegment, CreateSegment)
SetupItemT = TypeVar("SetupItemT", tuple[SegmentChange, UpdateSegment], tuple[SegmentChange, CreateSegment])
NAME_TAKEN = "name-must-be-unique"
Patch = tuple[SegmentChange, UpdateSegment]
Creation = tuple[SegmentChange, CreateSegment]


def run_setup(tools: ApplyContext, ledger: StateRecorder, changes: Sequence[SegmentChange]) -> None:
    """Run the setup steps of all changes by phase. A change whose step fails skips its later steps."""
    for change, adopt in _steps(ledger, changes, ConfirmCreate):
        holding = ledger.holding(change.spec.address, adopt.slot)
        ledger.put(change.spec.address, adopt.slot, requests.record_recovered(holding, adopt.segment_id))
    for turn in SetupPhase:
        patches = [one for one in _steps(ledger, changes, UpdateSegment) if one[1].turn == turn]
        for chunk in _chunks(patches):
            update_segments(tools, ledger, chunk)
        if turn == SetupPhase.RENAME:
            for change, step in _steps(ledger, changes, DiscardReplacement):
                _abandon(tools, ledger, change, step)
        creations = [one for one in _steps(ledger, changes, CreateSegment) if one[1].turn == turn]
        for group in _chunks(creations):
            _create(tools, ledger, group)


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


def update_segments(tools: ApplyContext, ledger: StateRecorder, chunk: Sequence[Patch]) -> None:
    """Send one bulk request for names and descriptions. Its intent is saved first, as it may be late."""
    _wait_for_quiet(tools, ledger, chunk)
    sent = _Announced(tools, ledger, chunk)
    patches = [
        SegmentPatch(ledger.holding(change.spec.address, step.slot).segment_id, step.name, step.description)
        for change, step in chunk
    ]
    change, step = chunk[0]
    try:
        answer = tools.writers[change.spec.credential].update(step.account_id, patches, sent.leaving)
    except CancelledError as stop:
        sent.resolve(in_doubt=stop.in_doubt)
        _stopped(ledger, chunk, stop)
        raise
    except REMOTE_FAILURES as error:
        sent.resolve(in_doubt=isinstance(error, OutcomeUnknownError))
        for change, _ in chunk:
            ledger.end(change.spec.address, ChangeOutcome.FAILED, error)
        return
    sent.resolve(in_doubt=answer.earlier_unconfirmed)
    for (change, _), item in zip(chunk, answer.items, strict=True):
        if isinstance(item, ItemFailure):
            ledger.end(change.spec.address, ChangeOutcome.FAILED, _unmade(item))
        else:
            ledger.took(SegmentUpdated(change.spec.address))


class _Announced:
    """A bulk request for names, saved with the time at which it is sent."""

    def __init__(self, tools: ApplyContext, ledger: StateRecorder, chunk: Sequence[Patch]) -> None:
        self._tools, self._ledger, self._chunk = tools, ledger, chunk
        self._at = tools.clock.now()
        for change, step in chunk:
            holding, rename = ledger.holding(change.spec.address, step.slot), self._rename(step)
            ledger.put(
                change.spec.address,
                step.slot,
                requests.record_update_sent(holding, rename, tools.api.grace_period),
            )

    def _rename(self, step: UpdateSegment) -> UnconfirmedUpdate:
        return UnconfirmedUpdate(step.name, step.description, self._at)

    def leaving(self) -> None:
        now = self._tools.clock.now()
        if is_late(self._at, now):
            self._put(lambda holding, rename: requests.record_update_resent(holding, rename, now))
            self._at = now
        self._tools.state.check_lock()

    def resolve(self, *, in_doubt: bool) -> None:
        """Clear the request if it was answered; else keep it until its grace period ends."""
        now = self._tools.clock.now()
        if in_doubt:
            self._put(lambda holding, rename: requests.record_update_resent(holding, rename, now))
        else:
            self._put(requests.record_update_confirmed)

    def _put(self, known: Callable[[SegmentState, UnconfirmedUpdate], SegmentState]) -> None:
        for change, step in self._chunk:
            holding = self._ledger.holding(change.spec.address, step.slot)
            self._ledger.put(change.spec.address, step.slot, known(holding, self._rename(step)))


def _wait_for_quiet(tools: ApplyContext, ledger: StateRecorder, chunk: Sequence[Patch]) -> None:
    """Wait for every call before the first is recorded, so that each record has the time of sending."""
    for change, step in chunk:
        _quiet(tools, ledger.holding(change.spec.address, step.slot), step)
    tools.clock.check()


def _quiet(tools: ApplyContext, holding: SegmentState, step: UpdateSegment) -> None:
    """Wait until no unconfirmed request can revert this one."""
    now = tools.clock.now()
    until = requests.may_undo(holding, step.name, step.description, now, tools.api.grace_period)
    if until is not None:
        tools.clock.wait(
            (until - now).total_seconds(), "an unconfirmed change of the name may still take effect"
        )


def _abandon(
    tools: ApplyContext, ledger: StateRecorder, change: SegmentChange, step: DiscardReplacement
) -> None:
    resource = ledger.resource(change.spec.address)
    if resource.replacement is None:
        return
    left = (RetiredSegment(resource.replacement, tools.clock.now()),) if step.old_segment_remains else ()
    ledger.write(replace(resource, replacement=None, retired=(*resource.retired, *left)))


def _create(tools: ApplyContext, ledger: StateRecorder, group: Sequence[Creation]) -> None:
    """Send one bulk request, after its intents are saved. An item without a response is looked up."""
    tools.clock.check()
    known = [ledger.known(change.spec.address) for change, _ in group]
    for change, step in group:
        before = ledger.known_holding(change.spec.address, step.slot)
        intended = requests.record_intent(step.key, step.name, before, tools.clock.now())
        ledger.put(change.spec.address, step.slot, intended)
    wanted = [
        NewSegment(step.name, step.description, step.key.retailer_id, step.key.identifier_type)
        for _, step in group
    ]
    first, _ = group[0]
    account_id, again = group[0][1].key.account_id, False
    try:
        answer = tools.writers[first.spec.credential].create(
            account_id, wanted, lambda: _leaving(tools, ledger, group)
        )
        items: Sequence[Segment | ReconcilerError] = _answered(ledger, answer)
        again = answer.earlier_unconfirmed
    except CancelledError as stop:
        for (change, _), earlier in zip(group, known, strict=True) if not stop.in_doubt else ():
            _forget_request(ledger, change, earlier)
        _stopped(ledger, group, stop)
        raise
    except REMOTE_FAILURES as error:
        items = [error] * len(group)
    for (change, step), item in zip(group, items, strict=True):
        if isinstance(item, Segment):
            holding = ledger.holding(change.spec.address, step.slot)
            _created(ledger, change, step, requests.record_created(holding, item.id, again=again))
    doubtful = any(_doubtful(item) for item in items)
    listed = _listed(tools, account_id, first.spec.credential) if doubtful else ()
    for (change, step), item, earlier in zip(group, items, known, strict=True):
        if isinstance(item, Segment):
            continue
        segment = _named(ledger, step, listed) if _doubtful(item) else None
        if segment and _is_ours(ledger, step, segment):
            holding = ledger.holding(change.spec.address, step.slot)
            _created(ledger, change, step, requests.record_recovered(holding, segment.id, again=again))
        else:
            why = _explained(ledger, change, step, item, segment)
            _not_created(tools, ledger, change, step, why, earlier)


def _answered(ledger: StateRecorder, answer: BulkResult) -> list[Segment | ReconcilerError]:
    """Return the item results. A segment that another address or item has is an unknown outcome."""
    made = Counter(one.id for one in answer.items if isinstance(one, Segment))
    return [
        _unmade(item, again=answer.earlier_unconfirmed)
        if isinstance(item, ItemFailure)
        else OutcomeUnknownError(f"Criteo answered with segment {item.id}, which another address has")
        if made[item.id] > 1 or ledger.owns(item.id)
        else item
        for item in answer.items
    ]


def _leaving(tools: ApplyContext, ledger: StateRecorder, group: Sequence[Creation]) -> None:
    """Save the time of sending again for each create that had to wait."""
    now = tools.clock.now()
    for change, step in group:
        holding = ledger.holding(change.spec.address, step.slot)
        if holding.intent and is_late(holding.intent.sent_at, now):
            ledger.put(change.spec.address, step.slot, requests.record_intent_sent(holding, now))
    tools.state.check_lock()


def _created(ledger: StateRecorder, change: SegmentChange, step: CreateSegment, made: SegmentState) -> None:
    ledger.put(change.spec.address, step.slot, made)
    ledger.took(SegmentCreated(change.spec.address, made.segment_id))


def _not_created(
    tools: ApplyContext,
    ledger: StateRecorder,
    change: SegmentChange,
    step: CreateSegment,
    error: ReconcilerError,
    earlier: ResourceState | None,
) -> None:
    """Record a failed create. An unconfirmed create may take effect during the grace period."""
    address = change.spec.address
    if isinstance(error, OutcomeUnknownError):
        late = requests.record_intent_sent(ledger.holding(address, step.slot), tools.clock.now())
        ledger.put(address, step.slot, late)
    else:
        _forget_request(ledger, change, earlier)
    ledger.end(address, ChangeOutcome.FAILED, error)


def _forget_request(ledger: StateRecorder, change: SegmentChange, earlier: ResourceState | None) -> None:
    """Restore the state from before a request that certainly had no effect."""
    if earlier is not None:
        ledger.write(earlier)
    else:
        ledger.drop(ledger.resource(change.spec.address))


def _doubtful(item: Segment | ReconcilerError) -> bool:
    """Return whether the segment may exist: no response, or its name is in use."""
    return _is_taken(item) or isinstance(item, OutcomeUnknownError)


def _is_taken(item: Segment | ReconcilerError) -> bool:
    return isinstance(item, RejectedError) and item.code == NAME_TAKEN


def _listed(tools: ApplyContext, account_id: str, credential: str) -> Sequence[Segment]:
    """Return the listed segments; none if the search fails."""
    try:
        return tools.readers[credential].segments(account_id)
    except REMOTE_FAILURES:
        return ()


def _named(ledger: StateRecorder, step: CreateSegment, listed: Sequence[Segment]) -> Segment | None:
    """Return the segment with the requested name: preferably ours, else any."""
    found = [one for one in listed if one.name_key == name_key(step.name)]
    ours = (one for one in found if _is_ours(ledger, step, one))
    return next(ours, found[0] if found else None)


def _is_ours(ledger: StateRecorder, step: CreateSegment, segment: Segment) -> bool:
    """Return whether our request created it: it has the tag that was sent, and no address has it yet."""
    sent = tag_of(step.description)
    return sent is not None and not ledger.owns(segment.id) and not why_not_ours(step.key, sent, segment)


def _explained(
    ledger: StateRecorder,
    change: SegmentChange,
    step: CreateSegment,
    error: ReconcilerError,
    segment: Segment | None,
) -> ReconcilerError:
    """Return the error of a name in use, with the segment that has it and the fix."""
    if not _is_taken(error):
        return error
    found = _why_taken(ledger, change.spec.address, step, segment)
    return RejectedError(found.problem, remedy=found.remedy, code=NAME_TAKEN)


def _why_taken(
    ledger: StateRecorder, address: Address, step: CreateSegment, segment: Segment | None
) -> Finding:
    sent = tag_of(step.description)
    if segment is None or sent is None:
        return taken_unseen(ledger.environment, address, step.name)
    if any(one.segment_id for one in ledger.resource(address).segments):
        return taken_beside(address, step.name, segment, sent)
    return taken_name(ledger.environment, address, step.name, segment, sent)


def _stopped(
    ledger: StateRecorder, items: Sequence[Patch] | Sequence[Creation], stop: CancelledError
) -> None:
    """End the changes of an unanswered request as interrupted when the run stops."""
    for change, _ in items if stop.in_doubt else ():
        ledger.end(change.spec.address, ChangeOutcome.INTERRUPTED)


def _unmade(item: ItemFailure, *, again: bool = False) -> ReconcilerError:
    """Return a rejection; or an unknown outcome, if the item is missing from the response or was repeated."""
    return _refused(item) if item.code and not again else OutcomeUnknownError(item.problem)


def _refused(item: ItemFailure) -> RejectedError:
    return RejectedError(item.problem, code=item.code)
