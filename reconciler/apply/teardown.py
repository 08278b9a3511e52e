"""Teardown: remove all known members of an address, then forget it, or delete its segments in bulk."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.apply.bulk_items import item_error
from reconciler.apply.recorder import REMOTE_FAILURES, ApplyContext, StateRecorder
from reconciler.apply.transfer import Route, send_members
from reconciler.core.errors import CancelledError, OutcomeUnknownError, ReconcilerError
from reconciler.core.events import ChangeOutcome, SegmentDeleted
from reconciler.core.model import Address
from reconciler.core.plan.changes import Delete, Empty, Teardown
from reconciler.core.remote import BULK_ITEMS
from reconciler.core.state.resource import MemberSlot, SegmentState, record_no_response


def empty_segments(tools: ApplyContext, ledger: StateRecorder, change: Teardown) -> None:
    """Remove the members, then forget the address. A Delete ends once its segments are deleted."""
    route = Route(change.address, change.emptying.credential, None)
    for step in change.emptying.transfers:
        send_members(tools, ledger, route, step)
    resource = ledger.resource(change.address)
    ledger.write(replace(resource, forgotten_at=resource.forgotten_at or tools.clock.now()))
    if isinstance(change, Empty):
        ledger.end(change.address, ChangeOutcome.APPLIED)


@dataclass(frozen=True, slots=True)
class _Deletion:
    """A segment to delete, and its segment state before."""

    address: Address
    slot: MemberSlot
    before: SegmentState


def delete_segments(tools: ApplyContext, ledger: StateRecorder, changes: Iterable[Delete]) -> None:
    """Delete the segments of all changes that were emptied, in bulk. Then remove their resource states."""
    emptied = [one for one in changes if one.address not in ledger.ended]
    groups: dict[tuple[str, str], list[_Deletion]] = defaultdict(list)
    for change in emptied:
        for deletion in _deletions(ledger, change):
            groups[change.emptying.credential, deletion.before.key.account_id].append(deletion)
    for (credential, account_id), group in groups.items():
        for at in range(0, len(group), BULK_ITEMS):
            _delete(tools, ledger, credential, account_id, group[at : at + BULK_ITEMS])
    for change in emptied:
        if change.address not in ledger.ended:
            ledger.drop(ledger.resource(change.address))
            ledger.end(change.address, ChangeOutcome.APPLIED)


def _deletions(ledger: StateRecorder, change: Delete) -> Iterator[_Deletion]:
    for slot, holding in ledger.resource(change.address).slots:
        if holding.segment_id in change.segment_ids:
            yield _Deletion(change.address, slot, holding)


def _delete(
    tools: ApplyContext, ledger: StateRecorder, credential: str, account_id: str, group: Sequence[_Deletion]
) -> None:
    """Send one bulk request. Until its grace period ends, no members are sent to these segments."""
    tools.clock.check()
    _announce(tools, ledger, group)
    try:
        errors = _sent(tools, ledger, credential, account_id, group)
    except CancelledError as stop:
        for one in group:
            if not stop.in_doubt:
                ledger.put(one.address, one.slot, one.before)
            ledger.end(one.address, ChangeOutcome.INTERRUPTED)
        raise
    for one, error in zip(group, errors, strict=True):
        if error is None:
            ledger.took(SegmentDeleted(one.address, one.before.segment_id))
        else:
            if isinstance(error, OutcomeUnknownError):
                _announce(tools, ledger, [one])
            else:
                ledger.put(one.address, one.slot, one.before)
            ledger.end(one.address, ChangeOutcome.FAILED, error)


def _announce(tools: ApplyContext, ledger: StateRecorder, group: Iterable[_Deletion]) -> None:
    for one in group:
        late = record_no_response(one.before, tools.clock.now(), tools.api.grace_period)
        ledger.put(one.address, one.slot, late)


def _sent(
    tools: ApplyContext, ledger: StateRecorder, credential: str, account_id: str, group: Sequence[_Deletion]
) -> list[ReconcilerError | None]:
    """Return the error of each segment, None if it was deleted."""

    def leaving() -> None:
        _announce(tools, ledger, group)
        tools.state.check_lock()

    ids = [one.before.segment_id for one in group]
    try:
        result = tools.writers[credential].delete(account_id, ids, leaving)
    except REMOTE_FAILURES as error:
        return [error] * len(group)
    again = result.earlier_unconfirmed
    return [item_error(one, again=again) if one else None for one in result.items]
