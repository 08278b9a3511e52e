"""The planner: computes the plan from the desired and the observed state. It does no I/O."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping

from reconciler.core.definition import redefined
from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.list_refusals import list_refusals, refusals_of_lists
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.ownership import lost_state
from reconciler.core.plan.address_context import AddressContext, assigned_name
from reconciler.core.plan.address_planner import plan_address
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import (
    Create,
    PartChange,
    Refill,
    Replace,
    SegmentChange,
    Unchanged,
    Undecided,
    address_of,
)
from reconciler.core.plan.cost import cost
from reconciler.core.plan.endings import endings
from reconciler.core.plan.forgotten import forgotten_specs
from reconciler.core.plan.guards import (
    GuardInput,
    protected_from_replace,
    relaxed_guards,
    stale_sources,
    violations,
)
from reconciler.core.plan.lost_access import lost_access
from reconciler.core.plan.model import Blocked, Plan, PlanInputs, removals_beside
from reconciler.core.plan.names import NameRegistry, resolve_names
from reconciler.core.plan.notes import kept_by_others, notes
from reconciler.core.plan.observed import ObservedState
from reconciler.core.plan.promotion_gates import unproved
from reconciler.core.plan.rejections import holds_nobody, standstill
from reconciler.core.plan.renames import both_have_segments, resembling
from reconciler.core.plan.suppressed_removals import (
    SuppressedMembers,
    not_removable,
    removals,
    too_many,
    within_guards,
)
from reconciler.core.plan.unconfirmed_creates import match_unconfirmed, reserved_names
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag, former_tags, tag
from reconciler.core.state.resource import SegmentState, Slot


def create_plan(desired: DesiredState, observed: ObservedState, only: Container[Address]) -> Plan:
    """Return the plan for the addresses in `only`. The plan contains no other address.

    A blocked address blocks the addresses that depend on it, and no others. Of a paused address, only the
    removal of suppressed members is planned: what prevents it blocks the address, and nothing else does.
    """
    today = observed.now.date()
    segments = {one.id: one for listed in observed.segments.values() for one in listed}
    specs = {spec.address: spec for spec in desired.segments if spec.address in only}
    waiting = reserved_names(observed.resources.values(), observed.now, desired.environment.api.grace_period)
    lost = _lost_state(desired, observed, segments)
    listed = {} if lost else segments  # a lost state is reported once, not once for each address
    read = [spec for spec in specs.values() if spec.address in observed.targets]
    decided = _decide(desired, observed, listed, read, frozenset(waiting))
    wanted = [one for one in decided.values() if one and not isinstance(one, Finding)]
    ended = tuple(endings(desired, observed, segments, only))
    ending = tuple(one for one in ended if not isinstance(one, Blocked))
    paused = _paused(specs)
    forgotten = forgotten_specs(desired, observed.resources.values(), only)
    leaving = tuple(_with_suppressed_members((*specs.values(), *forgotten.values()), desired, observed))
    removed = removals(leaving, segments, observed.now, desired.environment.api.grace_period)
    alone = (
        *(one for one in ended if isinstance(one, Blocked)),
        *_unmoved(specs, desired, observed),
        *_unsafe_lists(specs.values(), observed),
        *_unless(paused, _blocked_alone(decided, wanted, read, observed)),
        *_unless(paused, unproved(wanted, desired, observed)),
        *too_many(removals_beside((*wanted, *ending), removed), today),
    )
    registry = NameRegistry.of(
        desired.environment.name, _lineage(observed), listed.values(), observed.managed.values(), waiting
    )
    settled = resolve_names((*wanted, *ending), registry, paused.union(one.address for one in alone))
    named = tuple(_unless(paused, settled.blocked))
    stopped = paused.union(one.address for one in (*alone, *named))
    excessive = too_many((one for at, one in removed.items() if at in stopped), today)
    blocked = sorted({*alone, *named, *excessive}, key=lambda one: (one.address, one.finding.problem))
    suppressed = within_guards(removed, today)
    going = tuple(sorted(settled.changes, key=address_of))
    sent = (*going, *removals_beside(going, suppressed))
    unchanged = tuple(
        Unchanged(spec, observed.targets[at]) for at, spec in sorted(specs.items()) if _is_met(at, decided)
    )
    outcomes = (*wanted, *ending, *unchanged, *_undecided(specs, decided))
    return Plan(
        basis=_basis(desired, observed),
        changes=going,
        unchanged=tuple(one for one in unchanged if address_of(one) not in stopped),
        blocked=tuple(blocked),
        cost=cost(sent, desired.environment.api, observed.rates, observed.now),
        notes=(
            *desired.notes,
            *notes(going, specs.values(), desired, observed),
            *kept_by_others(not_removable(leaving, segments)),
        ),
        problems=(*lost, *lost_access(desired, observed, segments)),
        blocked_outcomes=tuple(
            sorted((one for one in outcomes if address_of(one) in stopped), key=address_of)
        ),
        relaxed_guards=_relaxed(wanted, desired, observed),
        redefined=_redefined(wanted, observed),
        lists={address: found for address in specs if (found := observed.lists.get(address))},
        givers=settled.givers,
        suppressed=suppressed,
        reused=observed.reused,
        origins=observed.origins,
        superseded=observed.superseded,
        resembling=resembling((*wanted, *ending), observed),
        paused=tuple(sorted(paused.difference(one.address for one in blocked))),
    )


def _paused(specs: Mapping[Address, SegmentSpec]) -> frozenset[Address]:
    return frozenset(at for at, spec in specs.items() if spec.audience.paused)


def _unless(paused: Container[Address], blocked: Iterable[Blocked]) -> Iterator[Blocked]:
    return (one for one in blocked if one.address not in paused)


def _blocked_alone(
    decided: Mapping[Address, SegmentChange | Finding | None],
    wanted: Collection[SegmentChange],
    read: Collection[SegmentSpec],
    observed: ObservedState,
) -> Iterator[Blocked]:
    """Yield what blocks single addresses, whatever happens to the others."""
    yield from _unread(observed)
    yield from (Blocked(at, one, Cause.SEGMENT) for at, one in decided.items() if isinstance(one, Finding))
    yield from _guarded(wanted, observed)
    yield from _protected(wanted)
    yield from _rejected_so_far(wanted, observed)
    yield from _stopped_feeds((spec for spec in read if decided[spec.address] is None), observed)


def _is_met(address: Address, decided: Mapping[Address, SegmentChange | Finding | None]) -> bool:
    """Return whether the address was decided and needs no change."""
    return address in decided and decided[address] is None


def _undecided(
    specs: Mapping[Address, SegmentSpec], decided: Mapping[Address, SegmentChange | Finding | None]
) -> Iterator[Undecided]:
    for address, spec in specs.items():
        if address not in decided or isinstance(decided[address], Finding):
            yield Undecided(spec)


def _with_suppressed_members(
    specs: Iterable[SegmentSpec], desired: DesiredState, observed: ObservedState
) -> Iterator[SuppressedMembers]:
    for spec in specs:
        if departures := observed.departures.get(spec.address):
            ours = tag(desired.environment.name, spec.address, _lineage(observed))
            former = _former(desired, observed, spec.address)
            yield SuppressedMembers(spec, observed.resources[spec.address], departures, ours, former)


def _unread(observed: ObservedState) -> Iterator[Blocked]:
    for address, findings in observed.unread.items():
        yield from (Blocked(address, finding, Cause.SOURCE) for finding in findings)


def _decide(
    desired: DesiredState,
    observed: ObservedState,
    segments: Mapping[str, Segment],
    specs: Iterable[SegmentSpec],
    pending: frozenset[tuple[str, str]],
) -> dict[Address, SegmentChange | Finding | None]:
    found, managed = match_unconfirmed(observed.managed.values(), segments), observed.managed
    adoptions = {one.address: one for one in desired.adoptions if one.address in observed.adopted}
    lineage = _lineage(observed)
    slots: tuple[Slot, Slot] = ("current", "replacement")
    owned = frozenset(one.segment_id for known in observed.resources.values() for one in known.segments)
    decided: dict[Address, SegmentChange | Finding | None] = {}
    claimed: list[str] = []
    for spec in specs:
        if not_adoptable := observed.not_adoptable.get(spec.address):
            decided[spec.address] = not_adoptable
            continue
        context = AddressContext(
            spec=spec,
            environment=desired.environment.name,
            tag=tag(desired.environment.name, spec.address, lineage),
            resource=managed.get(spec.address),
            target=observed.targets[spec.address],
            comparison=observed.comparisons.get(spec.address),
            segments=segments,
            unconfirmed_matches={
                slot: found[spec.address, slot] for slot in slots if (spec.address, slot) in found
            },
            statistics=observed.statistics,
            claimed_names=tuple(claimed),
            reserved_names=pending,
            readable=frozenset(observed.segments),
            now=observed.now,
            quiet=desired.environment.api.grace_period,
            origin=observed.origins.get(spec.address),
            former=_former(desired, observed, spec.address),
            owned=owned,
            adoption=adoptions.get(spec.address),
            repair=desired.environment.repair,
        )
        change = decided[spec.address] = plan_address(context)
        if change is not None and not isinstance(change, Finding):
            steps = (*change.steps.setup, *change.steps.finalize)
            claimed += [name for step in steps if (name := assigned_name(step))]
    return decided


def _former(desired: DesiredState, observed: ObservedState, address: Address) -> tuple[Tag, ...]:
    """Return the tags of the addresses that this one was moved from: by the state, or if it lacks it."""
    resource = observed.resources.get(address)
    old = resource.moved_from if resource else desired.former(address)
    return former_tags(desired.environment.name, old, _lineage(observed))


def _unmoved(specs: Container[Address], desired: DesiredState, observed: ObservedState) -> Iterator[Blocked]:
    """Yield the moves to an address with a segment of its own."""
    for to, origin in observed.conflicts.items():
        if to in specs:
            yield Blocked(to, both_have_segments(to, origin, desired.moved), Cause.SEGMENT)


def _lineage(observed: ObservedState) -> str:
    """Return the lineage of the state, or "" before the first apply."""
    return observed.head.lineage if observed.head else ""


def _basis(desired: DesiredState, observed: ObservedState) -> PlanInputs:
    head = observed.head
    return PlanInputs(
        environment=desired.environment.name,
        today=observed.now.date(),
        made_at=observed.now,
        lineage=_lineage(observed),
        serial=head.serial if head else 0,
    )


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


def _redefined(
    changes: Iterable[SegmentChange], observed: ObservedState
) -> Mapping[Address, tuple[PartChange, ...]]:
    """Return the changed parts of each definition, without those that an attribute change states already."""
    found = {}
    for change in changes:
        attributes = () if isinstance(change, Create) else change.attributes
        attribute_names = {one.name for one in attributes if not one.drifted}
        parts = redefined(change.spec, observed.resources.get(change.spec.address))
        found[change.spec.address] = tuple(one for one in parts if one.path not in attribute_names)
    return {address: parts for address, parts in found.items() if parts}


def _relaxed(
    changes: Iterable[SegmentChange], desired: DesiredState, observed: ObservedState
) -> Mapping[Address, tuple[str, ...]]:
    """Return the relaxed guards of each change: one commit can relax a guard and make a change."""
    general = desired.environment.guards
    relaxed = (
        (change.spec.address, relaxed_guards(_question(change, observed), general)) for change in changes
    )
    return {address: said for address, said in relaxed if said}


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


def _lost_state(
    desired: DesiredState, observed: ObservedState, segments: Mapping[str, Segment]
) -> tuple[Finding, ...]:
    """Return a finding if the state is missing or empty, although segments have this environment's tag."""
    addresses = [(spec.address, *desired.former(spec.address)) for spec in desired.segments]
    found = lost_state(desired.environment.name, addresses, observed.resources, segments.values())
    return (found,) if found else ()
