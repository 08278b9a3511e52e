"""Bulk creates of segments. Their intents are saved first, and a lost response is looked up by name."""

from collections import Counter
from collections.abc import Sequence

from reconciler.apply.bulk_items import end_interrupted, item_error
from reconciler.apply.recorder import REMOTE_FAILURES, ApplyContext, StateRecorder
from reconciler.core.errors import (
    CancelledError,
    Finding,
    OutcomeUnknownError,
    ReconcilerError,
    RejectedError,
)
from reconciler.core.events import ChangeOutcome, SegmentCreated
from reconciler.core.model import Address
from reconciler.core.ownership import (
    HowToAdopt,
    by_document,
    by_rebuild,
    taken_beside,
    taken_name,
    taken_unseen,
)
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.plan.steps import CreateSegment
from reconciler.core.remote import BulkResult, ItemFailure, NewSegment, Segment, name_key
from reconciler.core.state import unconfirmed_requests as requests
from reconciler.core.state.ownership_tag import tag_of
from reconciler.core.state.resource import ResourceState, SegmentState, is_late
from reconciler.core.state.unconfirmed_requests import why_not_ours

NAME_TAKEN = "name-must-be-unique"
Creation = tuple[SegmentChange, CreateSegment]


def create_segments(tools: ApplyContext, ledger: StateRecorder, group: Sequence[Creation]) -> None:
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
        end_interrupted(ledger, group, stop)
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
            why = _explained(ledger, change, step, item, segment, earlier)
            _not_created(tools, ledger, change, step, why, earlier)


def _answered(ledger: StateRecorder, answer: BulkResult) -> list[Segment | ReconcilerError]:
    """Return the item results. A segment that another address or item has is an unknown outcome."""
    made = Counter(one.id for one in answer.items if isinstance(one, Segment))
    return [
        item_error(item, again=answer.earlier_unconfirmed)
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
    earlier: ResourceState | None,
) -> ReconcilerError:
    """Return the error of a name in use, with the segment that has it and the fix."""
    if not _is_taken(error):
        return error
    how = by_rebuild if earlier else by_document
    found = _why_taken(ledger, change.spec.address, step, segment, how)
    return RejectedError(found.problem, remedy=found.remedy, code=NAME_TAKEN)


def _why_taken(
    ledger: StateRecorder,
    address: Address,
    step: CreateSegment,
    segment: Segment | None,
    how: HowToAdopt,
) -> Finding:
    sent = tag_of(step.description)
    if segment is None or sent is None:
        return taken_unseen(ledger.environment, address, step.name)
    if any(one.segment_id for one in ledger.resource(address).segments):
        return taken_beside(address, step.name, segment, sent)
    return taken_name(ledger.environment, address, step.name, segment, sent, how)
