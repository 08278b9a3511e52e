"""Erasure at Criteo: remove erased members from each segment that holds them, or may hold them."""

from collections.abc import Mapping, Sequence

from reconciler.apply.recorder import FAILURES, ApplyContext, StateRecorder
from reconciler.apply.transfer import Route, remove_suppressed
from reconciler.core.errors import ReconcilerError
from reconciler.core.model import Address
from reconciler.core.plan.observed import ErasedAtAddress
from reconciler.core.state.resource import ResourceState


def remove_erased(
    tools: ApplyContext,
    environment: str,
    resources: Mapping[Address, ResourceState],
    erased: Sequence[ErasedAtAddress],
) -> Mapping[Address, ReconcilerError]:
    """Remove the members, one segment after the other. Return the failures at Criteo, by address.

    No guard counts: the persons asked for it. A request to stop or a failing state ends the run; the state
    then names what may have happened, and the next run resumes.
    """
    ledger, failed = StateRecorder(tools, environment, resources), {}
    for one in erased:
        route = Route(one.address, one.credential, None)
        try:
            for departure in one.departures:
                tools.clock.check()
                remove_suppressed(tools, ledger, route, departure)
        except FAILURES as error:
            failed[one.address] = error
    return failed
