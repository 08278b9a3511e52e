"""What blocks single addresses, whatever happens to the others: sources, lists, guards. It does no I/O."""

from collections.abc import Container, Iterable, Iterator, Mapping

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.list_refusals import list_refusals, refusals_of_lists
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Create, Refill, Removal, Replace, SegmentChange
from reconciler.core.plan.decisions import Decisions
from reconciler.core.plan.guards import (
    GuardInput,
    protected_from_replace,
    relaxed_guards,
    stale_sources,
    violations,
)
from reconciler.core.plan.model import Blocked, removals_beside
from reconciler.core.plan.observed import ObservedState
from reconciler.core.plan.promotion_gates import unproved
from reconciler.core.plan.rejections import holds_nobody, standstill
from reconciler.core.plan.renames import both_have_segments
from reconciler.core.plan.suppressed_removals import too_many
from reconciler.core.state.resource import SegmentState


def blocked_alone(
    made: Decisions, removed: Mapping[Address, Removal], desired: DesiredState, observed: ObservedState
) -> Iterator[Blocked]:
    """Yield what blocks single addresses, whatever happens to the others."""
    yield from (one for one in made.ended if isinstance(one, Blocked))
    yield from _unmoved(made.specs, desired, observed)
    yield from _unsafe_lists(made.specs.values(), observed)
    yield from made.unless_paused(_blocked_unless_paused(made, desired, observed))
    yield from too_many(removals_beside((*made.wanted, *made.ending), removed), observed.now.date())


def _blocked_unless_paused(
    made: Decisions, desired: DesiredState, observed: ObservedState
) -> Iterator[Blocked]:
    yield from _unread(observed)
    for at, one in made.decided.items():
        if isinstance(one, Finding):
            yield Blocked(at, one, Cause.SEGMENT)
    yield from _guarded(made.wanted, observed)
    yield from _protected(made.wanted)
    yield from _rejected_so_far(made.wanted, observed)
    yield from _stopped_feeds((one.spec for one in made.unchanged), observed)
    yield from unproved(made.wanted, desired, observed)


def _unread(observed: ObservedState) -> Iterator[Blocked]:
    for address, findings in observed.unread.items():
        yield from (Blocked(address, finding, Cause.SOURCE) for finding in findings)


def _unmoved(specs: Container[Address], desired: DesiredState, observed: ObservedState) -> Iterator[Blocked]:
    """Yield the moves to an address with a segment of its own."""
    for to, origin in observed.conflicts.items():
        if to in specs:
            yield Blocked(to, both_have_segments(to, origin, desired.moved), Cause.SEGMENT)


def _guarded(changes: Iterable[SegmentChange], observed: ObservedState) -> Iterator[Blocked]:
    for change in changes:
        for finding in violations(_question(change, observed)):
            yield Blocked(change.spec.address, finding, Cause.GUARD)


def _protected(changes: Iterable[SegmentChange]) -> Iterator[Blocked]:
    for change in changes:
        if isinstance(change, Replace) and change.spec.audience.protected:
            yield Blocked(change.spec.address, protected_from_replace(change.spec), Cause.GUARD)


def _rejected_so_far(changes: Iterable[SegmentChange], observed: ObservedState) -> Iterator[Blocked]:
    for change in changes:
        if finding := standstill(change, observed.resources.get(change.spec.address)):
            yield Blocked(change.spec.address, finding, Cause.GUARD)


def relaxed(
    changes: Iterable[SegmentChange], desired: DesiredState, observed: ObservedState
) -> Mapping[Address, tuple[str, ...]]:
    """Return the relaxed guards of each change: one commit can relax a guard and make a change."""
    general = desired.environment.guards
    found = (
        (change.spec.address, relaxed_guards(_question(change, observed), general)) for change in changes
    )
    return {address: said for address, said in found if said}


def _stopped_feeds(unchanged: Iterable[SegmentSpec], observed: ObservedState) -> Iterator[Blocked]:
    """Yield unchanged addresses with a source older than `maxAge`. A feed that stopped causes no change."""
    for spec in unchanged:
        for finding in stale_sources(spec, observed.targets[spec.address], observed.now):
            yield Blocked(spec.address, finding, Cause.GUARD)


def _unsafe_lists(specs: Iterable[SegmentSpec], observed: ObservedState) -> Iterator[Blocked]:
    """Yield unsafe lists, of unchanged addresses too: an excluded member may be in the source tomorrow."""
    for spec in specs:
        at, today = spec.address, observed.now.date()
        if at in observed.targets:
            refusals = list_refusals(spec, observed.lists.get(at, ()), today)
        else:
            refusals = refusals_of_lists(spec, observed.lists_alone.get(at, ()), today)
        yield from (Blocked(at, one, Cause.SOURCE) for one in refusals)


def _question(change: SegmentChange, observed: ObservedState) -> GuardInput:
    resource = observed.resources.get(change.spec.address)
    fresh = isinstance(change, Create | Replace | Refill)
    settled = resource.current.completed_size if resource and not _holds_nobody(resource.current) else None
    return GuardInput(change.spec, change.members, settled, fresh, observed.now)


def _holds_nobody(holding: SegmentState) -> bool:
    """Return whether a segment counts as new: Criteo rejected all its members, or a teardown began."""
    return holds_nobody(holding) or holding.is_being_emptied
