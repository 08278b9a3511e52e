"""The resource states after a restore: what all versions since confirm stays confirmed.

A restore changes only our record, not Criteo. So a segment keeps its current slot and ID. Members that every
version since then calls confirmed stay confirmed. All other named members become uncertain. They stay known,
so that each of them can still be removed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reconciler.core.members import EMPTY_SNAPSHOT, SnapshotRef
from reconciler.core.model import Hashing
from reconciler.core.state.resource import ResourceState, SegmentState, grace_ends_at

Doubt = Callable[[Hashing, Sequence[SnapshotRef], Sequence[SnapshotRef]], tuple[SnapshotRef, SnapshotRef]]
"""The signature of `MemberEngine.mark_uncertain`."""


def restored(
    since: Sequence[Sequence[ResourceState]], now: Sequence[ResourceState], doubt: Doubt, quiet: timedelta
) -> tuple[ResourceState, ...]:
    """Return the resource states that change. `since` are the state versions from the chosen one on.

    An address that only `now` knows stays as it is. One that is not there any more comes back as it was
    known last; what happened to it since then isn't known, and so nobody in it is sure.
    """
    known = _Known(tuple(_by_segment(state) for state in since), doubt, quiet)
    present = {resource.address for resource in now}
    last = {resource.address: resource for state in since for resource in state}
    gone = [resource for address, resource in last.items() if address not in present]
    kept = ((resource, _each(resource, known.doubted)) for resource in now)
    return (
        *(after for before, after in kept if after != before),
        *(_each(one, known.unsure) for one in gone),
    )


def _by_segment(resources: Sequence[ResourceState]) -> dict[str, SegmentState]:
    return {one.segment_id: one for resource in resources for one in resource.segments if one.segment_id}


def _each(resource: ResourceState, judge: Callable[[SegmentState], SegmentState]) -> ResourceState:
    return replace(
        resource,
        current=judge(resource.current),
        replacement=judge(resource.replacement) if resource.replacement else None,
        retired=tuple(replace(one, segment=judge(one.segment)) for one in resource.retired),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """The record of each segment in each version, the restored one first."""

    states: tuple[dict[str, SegmentState], ...]
    doubt: Doubt
    quiet: timedelta

    def doubted(self, now: SegmentState) -> SegmentState:
        """A segment that the chosen state doesn't know has nothing to go back to."""
        states = self._states_of(now)
        if now.segment_id not in self.states[0] or all(_members(one) == _members(now) for one in states):
            return now
        return self._merged([*states, now], [ref for one in (*states, now) for ref in _sure(one)])

    def unsure(self, last: SegmentState) -> SegmentState:
        states = self._states_of(last)
        return self._merged(states, [EMPTY_SNAPSHOT]) if states else last

    def _states_of(self, holding: SegmentState) -> list[SegmentState]:
        found = (state.get(holding.segment_id) for state in self.states)
        return [one for one in found if one and one.key == holding.key]

    def _merged(self, states: Sequence[SegmentState], sure: Sequence[SnapshotRef]) -> SegmentState:
        """Return the newest record, with members and size from all of them.

        A call under way may take effect.
        """
        first, newest = states[0], states[-1]
        base, maybe = self.doubt(newest.key.hashing, sure, [ref for one in states for ref in _named(one)])
        return replace(
            newest,
            confirmed=base,
            uncertain=maybe,
            transfer=None,
            rejected=min(first.rejected, base.count),
            completed_size=first.completed_size,
            completed_at=first.completed_at,
            updated_at=newest.last_changed_at,
            grace_until=max((end for one in states if (end := grace_ends_at(one, self.quiet))), default=None),
        )


def _members(holding: SegmentState) -> tuple[object, ...]:
    return holding.confirmed, holding.uncertain, holding.transfer


def _sure(holding: SegmentState) -> tuple[SnapshotRef, ...]:
    """Return the snapshots whose members this version certainly holds.

    A transfer removes no member of its target.
    """
    return (holding.confirmed, holding.transfer.target) if holding.transfer else (holding.confirmed,)


def _named(holding: SegmentState) -> tuple[SnapshotRef, ...]:
    return (holding.confirmed, holding.uncertain, *([holding.transfer.target] if holding.transfer else []))
