"""Read Criteo and the state for a teardown. No source is read: what should be there is nothing."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

from reconciler.core.desired_state import DesiredState
from reconciler.core.model import Address
from reconciler.core.plan.observed import MemberDiff, ObservedState, TeardownEnd
from reconciler.core.plan.teardown import with_confirmed_creates
from reconciler.core.ports import Clock, MemberEngine, SegmentReader
from reconciler.operations.observe import (
    LoadedState,
    ProgressCallback,
    built_on,
    emptyings,
    listed,
    rates,
    reachable,
)


@dataclass(frozen=True, slots=True)
class TeardownObservation:
    """What was read, and the members to remove from each segment at Criteo, by segment ID."""

    observed: ObservedState
    diffs: Mapping[str, MemberDiff]


def observe_teardown(
    desired: DesiredState,
    only: Container[Address],
    end: TeardownEnd,
    readers: Mapping[str, SegmentReader],
    state: LoadedState,
    engine: MemberEngine,
    clock: Clock,
    progress: ProgressCallback,
    check: Callable[[], None],
) -> TeardownObservation:
    """Read each account once; `readers` are keyed by credential. Raises what the readers raise."""
    now = clock.now()
    accounts = reachable(desired, state.resources, readers)
    progress("reading segments")
    there = listed(accounts, state.resources, {spec.key.account_id for spec in desired.segments})
    check()
    segments = {one.id: one for many in there.values() for one in many}
    lineage = state.head.lineage if state.head else ""
    resources = with_confirmed_creates(state.resources, segments, desired.environment.name, lineage)
    progress("comparing members")
    asked = [one for at, one in resources.items() if at in only]
    diffs = emptyings(engine, asked, segments)
    observed = ObservedState(
        head=state.head,
        resources=resources,
        segments=there,
        targets={},
        comparisons={},
        statistics={},
        rates=rates(readers),
        now=now,
        superseded=state.superseded,
        users=built_on(asked, segments, accounts) if end is TeardownEnd.DELETE else {},
    )
    return TeardownObservation(observed, diffs)
