"""Bulk updates of names and descriptions. Their intents are saved before they are sent."""

from collections.abc import Callable, Sequence

from reconciler.apply.bulk_items import end_interrupted, item_error
from reconciler.apply.recorder import REMOTE_FAILURES, ApplyContext, StateRecorder
from reconciler.core.errors import CancelledError, OutcomeUnknownError
from reconciler.core.events import ChangeOutcome, SegmentUpdated
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.plan.steps import UpdateSegment
from reconciler.core.remote import ItemFailure, SegmentPatch
from reconciler.core.state import unconfirmed_requests as requests
from reconciler.core.state.resource import SegmentState, UnconfirmedUpdate, is_late

Patch = tuple[SegmentChange, UpdateSegment]


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
        end_interrupted(ledger, chunk, stop)
        raise
    except REMOTE_FAILURES as error:
        sent.resolve(in_doubt=isinstance(error, OutcomeUnknownError))
        for change, _ in chunk:
            ledger.end(change.spec.address, ChangeOutcome.FAILED, error)
        return
    sent.resolve(in_doubt=answer.earlier_unconfirmed)
    for (change, _), item in zip(chunk, answer.items, strict=True):
        if isinstance(item, ItemFailure):
            ledger.end(change.spec.address, ChangeOutcome.FAILED, item_error(item))
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
