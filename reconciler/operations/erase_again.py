"""Erased members on a list: requests their erasure again where a plan removes them from a segment."""

from collections.abc import Iterator
from datetime import datetime

from reconciler.core.erasure import ErasedPlace, ErasureRequest, requested
from reconciler.core.plan.changes import Ending
from reconciler.core.plan.model import Plan
from reconciler.core.plan.observed import ObservedState
from reconciler.core.ports import MemberEngine, StateWriter


def request_again(
    planned: Plan, observed: ObservedState, state: StateWriter, engine: MemberEngine, now: datetime
) -> None:
    """Store the request before the plan is applied.

    Before the first transfer to an adopted or rebuilt segment, all members of its lists are removed from it,
    also erased ones. Until then the state holds them, and saved versions may. The next run rewrites both.
    """
    erasures = state.erasures()
    if not erasures or erasures.is_pending:
        return
    if places := tuple(_places(planned, observed, engine)):
        state.write_erasures(requested(erasures, ErasureRequest(now, (), places)))


def _places(planned: Plan, observed: ObservedState, engine: MemberEngine) -> Iterator[ErasedPlace]:
    known = {**observed.resources, **observed.adopted}
    for change in planned.changes:
        if isinstance(change, Ending):
            continue
        transfer, address = change.steps.transfer, change.spec.address
        if transfer and transfer.comparison.abandoned:
            segment = dict(known[address].slots)[transfer.slot]
            kind = (segment.key.identifier_type, segment.key.hashing)
            if erased := engine.erased(transfer.comparison.uncertain, kind):
                yield ErasedPlace(address, segment.segment_id, erased.count, ())
