"""Compare Criteo with the last applied state. Reads Criteo only, and no sources."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.desired_state import DesiredState
from reconciler.core.model import Address
from reconciler.core.plan.drift import Drift, NotComparable, detect_drift, uncounted, untracked_segments
from reconciler.core.plan.left_behind import LeftBehind, left_behind
from reconciler.core.plan.losses import is_computed
from reconciler.core.plan.rejections import Rejection, rejections
from reconciler.core.ports import Clock, SegmentReader
from reconciler.core.remote import Statistics
from reconciler.core.schedule import seen_at
from reconciler.core.state.model import StateHead
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.operations.observe import LoadedState, counts, listed, reachable


@dataclass(frozen=True, slots=True)
class DriftResult:
    """`looked_at` counts the compared addresses.

    `uncounted`: how many addresses' members were not compared, by reason. `countable_at`: when Criteo will
    have computed the latest members. `unseen` addresses are in accounts that can't be listed.
    `rejected`: addresses with too many rejected identifiers. `left_behind`: segments of a test environment.
    """

    head: StateHead | None
    drifts: tuple[Drift, ...]
    looked_at: int
    uncounted: tuple[tuple[NotComparable, int], ...]
    countable_at: datetime | None
    unseen: int
    made_at: datetime
    rejected: tuple[tuple[Address, Rejection], ...]
    left_behind: tuple[LeftBehind, ...] = ()

    def knowing(self, resources: Iterable[ResourceState]) -> "DriftResult":
        """Return the same result for a state that has more resource states by now."""
        resources = tuple(resources)
        known = {resource.address for resource in resources}
        ids = {one.segment_id for resource in resources for one in resource.segments}
        drifts = tuple(one for one in self.drifts if not (one.untracked_segment_id and one.address in known))
        left = tuple(one for one in self.left_behind if one.address or one.segment_id not in ids)
        return replace(self, drifts=drifts, left_behind=left)


def detect(
    desired: DesiredState,
    only: Container[Address],
    readers: Mapping[str, SegmentReader],
    state: LoadedState,
    clock: Clock,
    progress: Callable[[str], None],
) -> DriftResult:
    """Detect drift with one listing per account, and one request per comparable segment."""
    now = clock.now()
    resources = {one.address: one for one in state.resources if _is_managed(one) and one.address in only}
    tested = state.resources if desired.environment.sample_rows is not None else resources.values()
    accounts = reachable(desired, tested, readers)
    progress("reading segments")
    there = listed(accounts, resources.values(), {spec.key.account_id for spec in desired.segments})
    segments = {one.id: one for many in there.values() for one in many}
    seen = {at: one for at, one in resources.items() if one.current.key.account_id in there}
    comparable = [one.current for one in seen.values() if is_computed(one.current, now)]
    present = [one for one in comparable if one.segment_id in segments]
    statistics = counts(present, accounts, progress)
    held = {one.address for one in state.resources}
    lost = untracked_segments(desired, held, segments.values())
    lineage = state.head.lineage if state.head else ""
    found = (
        *detect_drift(desired, lineage, seen, segments, statistics),
        *(one for one in lost if one.address in only),
    )
    holdings = [one.current for one in seen.values() if one.current.segment_id in segments]
    why = Counter(reason for one in holdings if (reason := _why(one, statistics, now)))
    recent = (one.completed_at for one in holdings if uncounted(one, now) is NotComparable.RECENT)
    countable_at = max((seen_at(one) for one in recent if one), default=None)
    not_comparable = tuple((one, why[one]) for one in NotComparable if one in why)
    looked_at = len({*seen, *(one.address for one in found)})
    wanted = (spec for spec in desired.segments if spec.address in only)
    rejected = tuple((spec.address, one) for spec, one in rejections(wanted, resources))
    unseen = len(resources) - len(seen)
    left = tuple(left_behind(desired, lineage, state.resources, segments, only))
    return DriftResult(
        state.head, found, looked_at, not_comparable, countable_at, unseen, now, rejected, left
    )


def _why(holding: SegmentState, statistics: Mapping[str, Statistics], now: datetime) -> NotComparable | None:
    counted = statistics.get(holding.segment_id)
    return uncounted(holding, now) or (
        None if counted and counted.identifiers is not None else NotComparable.NO_COUNT
    )


def _is_managed(resource: ResourceState) -> bool:
    return not resource.forgotten_at and bool(resource.current.segment_id)
