"""Members sent to one segment: each batch is saved as dispatched, then sent, then acknowledged."""

from dataclasses import dataclass
from itertools import takewhile

from reconciler.apply.recorder import REMOTE_FAILURES, ApplyContext, StateRecorder
from reconciler.core.errors import CallTooLargeError, CancelledError, OutcomeUnknownError
from reconciler.core.events import BatchAcknowledged, TransferStarted
from reconciler.core.members import Batch
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.plan.observed import Departure, MemberDiff
from reconciler.core.plan.rejections import failure, nothing_accepted
from reconciler.core.plan.steps import SendMembers
from reconciler.core.state import resource as knowledge
from reconciler.core.state.resource import SegmentState


@dataclass(frozen=True, slots=True)
class Route:
    """The address whose members are sent, and its credential. `spec`: of an address that is managed.

    Its guards limit the rejected identifiers.
    """

    address: Address
    credential: str
    spec: SegmentSpec | None

    @classmethod
    def to(cls, spec: SegmentSpec) -> "Route":
        return cls(spec.address, spec.credential, spec)


def send_members(tools: ApplyContext, ledger: StateRecorder, route: Route, step: SendMembers) -> None:
    """Bring one segment to its target, from any progress of an earlier run.

    Each batch takes one write of the resource state, which acknowledges the batch before and announces the
    next; a batch that has to wait takes one more.
    Raises what the writer raises; the resource state then names what may have happened.
    """
    address, slot = route.address, step.slot
    holding = _begun(tools, ledger.holding(address, slot), step)
    if holding.transfer is None:
        raise AssertionError("a transfer has begun")
    total = holding.transfer.size.total
    tools.emit(TransferStarted(address, total, holding.transfer.acknowledged))
    holding = _send_all(tools, ledger, route, step, holding, total)
    ledger.put(address, slot, knowledge.complete_transfer(holding, tools.clock.now()))


def remove_suppressed(tools: ApplyContext, ledger: StateRecorder, route: Route, departure: Departure) -> None:
    """Remove only suppressed members from a segment: the first phase of a transfer that skips the rest.

    If the segment may hold other members to be removed, the transfer is left as an interrupted transfer.
    """
    address, slot = route.address, departure.slot
    before = ledger.holding(address, slot)
    base, maybe, urgent = departure.base, departure.maybe, departure.urgent
    target = tools.engine.without(before.key.hashing, base, urgent)
    size = tools.engine.delta(base, maybe, target, urgent)
    diff = MemberDiff(base, maybe, urgent, size, abandoned=True)
    step = SendMembers(slot, target, diff, departure.not_before)
    holding = _begun(tools, before, step)
    tools.emit(TransferStarted(address, size.priority_removes, 0))
    holding = _send_all(tools, ledger, route, step, holding, size.priority_removes)
    others = size.total > size.priority_removes
    ledger.put(address, slot, holding if others else knowledge.complete_transfer(holding, tools.clock.now()))


def _send_all(
    tools: ApplyContext,
    ledger: StateRecorder,
    route: Route,
    step: SendMembers,
    holding: SegmentState,
    total: int,
) -> SegmentState:
    """Send the positions up to `total`, in smaller batches after each that Criteo refuses as too large."""
    size: int | None = ledger.batches.size
    while size is not None:
        holding, size = _send_in_batches(tools, ledger, route, step, holding, total, size)
    return holding


def _send_in_batches(
    tools: ApplyContext,
    ledger: StateRecorder,
    route: Route,
    step: SendMembers,
    holding: SegmentState,
    total: int,
    size: int,
) -> tuple[SegmentState, int | None]:
    """Return the segment state, and the smaller batch size for the rest; None if all were acknowledged."""
    address, batches = route.address, tools.engine.batches(holding, size)
    for batch in takewhile(lambda batch: batch.start < total, batches):
        _go_on(tools, ledger, route, step, holding)
        try:
            holding, rejected = _sent(tools, ledger, route, step, holding, batch, size)
        except CallTooLargeError as error:
            return holding, ledger.batches.below(batch, error)
        ledger.accepted(size)
        count = batch.end - batch.start
        ledger.took(BatchAcknowledged(address, batch.operation, count, rejected, batch.end, total))
        _stop_in_vain(ledger, route, step, holding)
    return holding, None


def _stop_in_vain(ledger: StateRecorder, route: Route, step: SendMembers, holding: SegmentState) -> None:
    """Stop sending if Criteo has rejected every identifier sent so far."""
    if route.spec and nothing_accepted(holding, route.spec.guards.max_invalid):
        ledger.put(route.address, step.slot, holding)
        if error := failure(holding, route.spec):
            raise error


def _begun(tools: ApplyContext, holding: SegmentState, step: SendMembers) -> SegmentState:
    """Start or resume the transfer. Snapshots are saved before a resource state names them."""
    comparison = step.comparison
    if comparison.resumes:
        return knowledge.resume_transfer(holding, tools.api.grace_period)
    if step.not_before is not None:
        seconds = (step.not_before - tools.clock.now()).total_seconds()
        if seconds > 0:
            tools.clock.wait(seconds, "an unconfirmed request may still take effect")
    named = (comparison.confirmed, comparison.uncertain) if comparison.abandoned else ()
    for snapshot in (*named, step.target, comparison.priority_removes):
        if snapshot:
            tools.state.store_snapshot(snapshot, tools.engine.file(snapshot))
    if comparison.abandoned:
        holding = knowledge.abandon_transfer(holding, comparison.confirmed, comparison.uncertain)
    return knowledge.start_transfer(holding, step.target, comparison.priority_removes, comparison.delta)


def _go_on(
    tools: ApplyContext,
    ledger: StateRecorder,
    route: Route,
    step: SendMembers,
    holding: SegmentState,
) -> None:
    """Check for a request to stop before each dispatch; if there is one, save what was acknowledged."""
    try:
        tools.clock.check()
    except CancelledError:
        ledger.put(route.address, step.slot, holding)
        raise


def _sent(
    tools: ApplyContext,
    ledger: StateRecorder,
    route: Route,
    step: SendMembers,
    before: SegmentState,
    batch: Batch,
    size: int,
) -> tuple[SegmentState, int]:
    """Send one batch; return how many identifiers Criteo rejected as invalid."""
    address, slot, quiet = route.address, step.slot, tools.api.grace_period
    noted_at = tools.clock.now()
    smaller = ledger.batches.to_record(size)
    flying = knowledge.record_dispatch(before, batch, noted_at, smaller)
    ledger.put(address, slot, flying)

    def leaving() -> None:
        now = tools.clock.now()
        if knowledge.is_late(noted_at, now):
            ledger.put(address, slot, knowledge.record_dispatch(before, batch, now, smaller))
        tools.state.check_lock()

    writer = tools.writers[route.credential]
    try:
        answer = writer.change_members(
            flying.segment_id, flying.key.identifier_type, batch.operation, batch.identifiers, leaving
        )
    except OutcomeUnknownError:
        ledger.put(address, slot, knowledge.record_no_response(flying, tools.clock.now(), quiet))
        raise
    except (*REMOTE_FAILURES, CancelledError) as error:
        if isinstance(error, CancelledError) and error.in_doubt:
            raise
        ledger.put(address, slot, before)  # no effect: the uncertain members are as before
        raise
    return knowledge.acknowledge(flying, batch, answer, tools.clock.now(), quiet), answer.invalid
