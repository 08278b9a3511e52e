"""The planner: from what is desired and what was observed to a plan. It asks nobody and writes nothing."""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

from reconciler.core.definition import redefined
from reconciler.core.departures import removal, too_many
from reconciler.core.errors import Finding
from reconciler.core.lists import called, list_refusals
from reconciler.core.model import Address, DesiredState, SegmentSpec
from reconciler.core.ownership import lost_state
from reconciler.core.plan.address_planner import AddressContext, assigned_name, plan_address
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import (
    Change,
    Create,
    Forget,
    PartChange,
    Refill,
    Removal,
    Replace,
    SegmentChange,
    Unchanged,
    Undecided,
    address_of,
)
from reconciler.core.plan.cost import cost
from reconciler.core.plan.guards import (
    GuardInput,
    exceeds_max_missing,
    relaxed_guards,
    stale_sources,
    violations,
)
from reconciler.core.plan.model import Blocked, Plan, PlanInputs
from reconciler.core.plan.names import NameRegistry, resolve_names
from reconciler.core.plan.observed import ObservedState
from reconciler.core.plan.reasons import Removed, RemovedAndMissing
from reconciler.core.plan.unconfirmed_creates import match_unconfirmed, reserved_names
from reconciler.core.rejections import holds_nobody, rejections, standstill
from reconciler.core.remote import Segment
from reconciler.core.rounding import format_limit, percent_up
from reconciler.core.state.ownership_tag import tag
from reconciler.core.state.resource import Slot

NAMED = 5
"""So many addresses are named in a note."""


def create_plan(desired: DesiredState, observed: ObservedState, only: Container[Address]) -> Plan:
    """Decides what happens to the addresses in `only`; all others are left out of the plan.

    Whatever blocks an address blocks those that depend on it, and no other.
    """
    segments = {one.id: one for listed in observed.segments.values() for one in listed}
    specs = {spec.address: spec for spec in desired.segments if spec.address in only}
    waiting = reserved_names(observed.resources.values(), observed.now, desired.environment.api.grace_period)
    lost = _lost_state(desired, observed, segments)
    listed = {} if lost else segments  # what a lost state lacks is reported once, for all addresses
    read = [spec for spec in specs.values() if spec.address in observed.targets]
    decided = _decide(desired, observed, listed, read, frozenset(waiting))
    wanted = [one for one in decided.values() if one and not isinstance(one, Finding)]
    forgets = tuple(_forgets(desired, observed, segments, only))
    alone = (
        *_unread(observed),
        *(Blocked(at, one, Cause.SEGMENT) for at, one in decided.items() if isinstance(one, Finding)),
        *_guarded(wanted, observed),
        *_rejected_so_far(wanted, observed),
        *_stopped_feeds((spec for spec in read if decided[spec.address] is None), observed),
        *_unsafe_lists(read, observed),
    )
    registry = NameRegistry.of(
        desired.environment.name, _lineage(observed), listed.values(), observed.resources.values(), waiting
    )
    settled = resolve_names((*wanted, *forgets), registry, {one.address for one in alone})
    leaving = _suppressed(specs.values(), decided, desired, observed, segments)
    excess = {at: finding for at, one in leaving.items() if (finding := too_many(one))}
    suppressed = {at: one for at, one in leaving.items() if at not in excess}
    stopped = {one.address for one in (*alone, *settled.blocked)}
    blocked = (
        *alone,
        *settled.blocked,
        *(Blocked(at, one, Cause.GUARD) for at, one in excess.items() if at in stopped),
    )
    going = tuple(sorted(settled.changes, key=address_of))
    unchanged = tuple(
        Unchanged(spec, observed.targets[address])
        for address, spec in sorted(specs.items())
        if address in decided and decided[address] is None
    )
    undecided = (
        Undecided(spec) for at, spec in specs.items() if at not in decided or isinstance(decided[at], Finding)
    )
    removals = [one for address, one in suppressed.items() if address in stopped]
    return Plan(
        basis=_basis(desired, observed),
        changes=going,
        unchanged=tuple(one for one in unchanged if address_of(one) not in stopped),
        blocked=tuple(sorted(blocked, key=lambda one: (one.address, one.finding.problem))),
        cost=cost((*going, *removals), desired.environment.api.batch_size, observed.rates, observed.now),
        notes=(
            *desired.notes,
            *_mixed(going, desired.environment.name),
            *_futile(going, observed),
            *_left(desired, observed),
            *_unknown(desired, observed),
            *_rejected(specs.values(), observed),
        ),
        problems=(*lost, *_lost_access(desired, observed, segments)),
        blocked_outcomes=tuple(
            sorted(
                (one for one in (*wanted, *forgets, *unchanged, *undecided) if address_of(one) in stopped),
                key=address_of,
            )
        ),
        relaxed_guards=_lenient(wanted, desired, observed),
        redefined=_redefined(wanted, observed),
        lists={address: found for address in specs if (found := observed.lists.get(address))},
        givers=settled.givers,
        suppressed=suppressed,
    )


def _suppressed(
    specs: Iterable[SegmentSpec],
    decided: Mapping[Address, SegmentChange | Finding | None],
    desired: DesiredState,
    observed: ObservedState,
    segments: Mapping[str, Segment],
) -> dict[Address, Removal]:
    """Who would leave each address if it were blocked. A segment that is not fit is left alone."""
    found = {}
    for spec in specs:
        departures = observed.departures.get(spec.address, ())
        if not departures or isinstance(decided.get(spec.address), Finding):
            continue
        resource, ours = (
            observed.resources[spec.address],
            tag(desired.environment.name, spec.address, _lineage(observed)),
        )
        quiet = desired.environment.api.grace_period
        if leaving := removal(spec, resource, departures, segments, ours, observed.now, quiet):
            found[spec.address] = leaving
    return found


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
    found = match_unconfirmed(observed.resources.values(), segments)
    lineage = _lineage(observed)
    slots: tuple[Slot, Slot] = ("current", "replacement")
    decided: dict[Address, SegmentChange | Finding | None] = {}
    claimed: list[str] = []
    for spec in specs:
        sight = AddressContext(
            spec=spec,
            environment=desired.environment.name,
            tag=tag(desired.environment.name, spec.address, lineage),
            resource=observed.resources.get(spec.address),
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
        )
        change = decided[spec.address] = plan_address(sight)
        if change is not None and not isinstance(change, Finding):
            steps = (*change.steps.setup, *change.steps.finalize)
            claimed += [name for step in steps if (name := assigned_name(step))]
    return decided


def _lineage(observed: ObservedState) -> str:
    """ "" before the first apply."""
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


def _rejected_so_far(changes: Iterable[SegmentChange], observed: ObservedState) -> Iterator[Blocked]:
    for change in changes:
        if finding := standstill(change, observed.resources.get(change.spec.address)):
            yield Blocked(change.spec.address, finding, Cause.GUARD)


def _redefined(
    changes: Iterable[SegmentChange], observed: ObservedState
) -> Mapping[Address, tuple[PartChange, ...]]:
    """By address. What stands among the attributes of a segment already is not repeated."""
    found = {}
    for change in changes:
        attributes = () if isinstance(change, Create) else change.attributes
        attribute_names = {one.name for one in attributes if not one.drifted}
        parts = redefined(change.spec, observed.resources.get(change.spec.address))
        found[change.spec.address] = tuple(one for one in parts if one.path not in attribute_names)
    return {address: parts for address, parts in found.items() if parts}


def _lenient(
    changes: Iterable[SegmentChange], desired: DesiredState, observed: ObservedState
) -> Mapping[Address, tuple[str, ...]]:
    """A guard may be let down in the very change that it should stand against."""
    general = desired.environment.guards
    relaxed = (
        (change.spec.address, relaxed_guards(_question(change, observed), general)) for change in changes
    )
    return {address: said for address, said in relaxed if said}


def _forgets(
    desired: DesiredState, observed: ObservedState, segments: Mapping[str, Segment], only: Container[Address]
) -> Iterator[Forget]:
    wanted = {spec.address for spec in desired.segments}
    for address, resource in observed.resources.items():
        if address in wanted or address not in only or resource.forgotten_at:
            continue
        readable = resource.current.key.account_id in observed.segments
        gone = readable and bool(resource.current.segment_id) and resource.current.segment_id not in segments
        reason = RemovedAndMissing(resource.current.segment_id) if gone else Removed()
        drop = gone and resource.replacement is None and not resource.retired
        yield Forget(address, resource.current.size, drop, reason)


def _stopped_feeds(unchanged: Iterable[SegmentSpec], observed: ObservedState) -> Iterator[Blocked]:
    """A file that nobody delivers any more changes nothing: that is what `maxAge` must not overlook."""
    for spec in unchanged:
        for finding in stale_sources(spec, observed.targets[spec.address], observed.now):
            yield Blocked(spec.address, finding, Cause.GUARD)


def _unsafe_lists(specs: Iterable[SegmentSpec], observed: ObservedState) -> Iterator[Blocked]:
    """Yield unsafe lists, of unchanged addresses too: an excluded member may be in the source tomorrow."""
    for spec in specs:
        for finding in list_refusals(spec, observed.lists.get(spec.address, ())):
            yield Blocked(spec.address, finding, Cause.SOURCE)


def _question(change: SegmentChange, observed: ObservedState) -> GuardInput:
    resource = observed.resources.get(change.spec.address)
    fresh = isinstance(change, Create | Replace | Refill)
    settled = resource.current.completed_size if resource and not holds_nobody(resource.current) else None
    return GuardInput(change.spec, change.members, settled, fresh, observed.now)


def _lost_state(
    desired: DesiredState, observed: ObservedState, segments: Mapping[str, Segment]
) -> tuple[Finding, ...]:
    """No state, or an empty one, where segments are this environment's."""
    addresses = tuple(spec.address for spec in desired.segments)
    found = lost_state(desired.environment.name, addresses, observed.resources, segments.values())
    return (found,) if found else ()


def _lost_access(
    desired: DesiredState, observed: ObservedState, segments: Mapping[str, Segment]
) -> Iterator[Finding]:
    """Many segments gone at once is lost access until proven otherwise."""
    limit = desired.environment.guards.max_missing
    for account_id, managed in _managed(desired, observed).items():
        gone = [address for address, segment_id in managed if segment_id not in segments]
        if exceeds_max_missing(len(gone), len(managed), limit):
            problem = (
                f"{len(gone)} of {len(managed)} segments of account {account_id} can't be seen at Criteo "
                f"any more, where {format_limit(limit)} is the limit (maxMissing): access may be lost"
            )
            remedy = (
                "check the consent and the account in Criteo; if the segments really were deleted, set in "
                f"environment.yaml: guards: {{maxMissing: {percent_up(len(gone) / len(managed))}}}"
            )
            yield Finding("", problem, remedy)


def _managed(desired: DesiredState, observed: ObservedState) -> Mapping[str, Sequence[tuple[Address, str]]]:
    """By readable account: the segments that should be there, with their address.

    One that was forgotten counts again once it is wanted again.
    """
    wanted = {spec.address for spec in desired.segments}
    managed: dict[str, list[tuple[Address, str]]] = defaultdict(list)
    for resource in observed.resources.values():
        if resource.forgotten_at and resource.address not in wanted:
            continue
        for holding in (resource.current, resource.replacement):
            if holding and holding.segment_id:
                managed[holding.key.account_id].append((resource.address, holding.segment_id))
    return {account_id: held for account_id, held in managed.items() if account_id in observed.segments}


def _mixed(changes: Iterable[Change], environment: str) -> Iterator[str]:
    """Once for each column whose values go out in this plan."""
    seen = set()
    for change in changes:
        if isinstance(change, Forget) or not change.members.target.mixed:
            continue
        column = (change.spec.audience.name, change.spec.key.identifier_type)
        if column not in seen:
            seen.add(column)
            yield (
                f"{column[0]}: some values of the {column[1]} column came already hashed, the others plain; "
                f"none is hashed twice (`reconciler explain {environment} {change.spec.address}` counts them)"
            )


def _futile(changes: Iterable[Change], observed: ObservedState) -> Iterator[str]:
    """Once for each list and audience: it excludes nobody, though neither it nor the source is empty."""
    found = dict.fromkeys(
        f"{address.audience}: no row of the source has a member of {called(one)} ({one.identifier_type}), "
        "so the list excludes nobody; check that both write identifiers alike"
        for address in map(address_of, changes)
        for change in observed.lists.get(address, ())
        if change.before is None and (one := change.now)
        if one.members and one.matches.rows and not one.matches.found
    )
    yield from list(found)[:NAMED]
    if len(found) > NAMED:
        yield f"{len(found) - NAMED} more exclusion lists exclude nobody"


def _left(desired: DesiredState, observed: ObservedState) -> Iterator[str]:
    """Once for all of them, for it stands in every plan from then on."""
    left = {address: len(one.retired) for address, one in sorted(observed.resources.items()) if one.retired}
    if left:
        number = sum(left.values())
        yield (
            f"replaced and left at Criteo with all members they had: {number} "
            f"segment{'' if number == 1 else 's'} of {_named(left)}. People suppressed since are not removed "
            f"there: delete them in Criteo when no audience uses them; `reconciler state show "
            f"{desired.environment.name}` says which they are"
        )


def _unknown(desired: DesiredState, observed: ObservedState) -> Iterator[str]:
    """Once for all of them: there may be as many as there are addresses."""
    lost = [
        address for address, resource in sorted(observed.resources.items()) if resource.members_unknown_before
    ]
    if lost:
        yield (
            f"the state was lost: people from before may still be in segments of {_named(lost)}, known to "
            f"nobody, and can't be removed. `reconciler state rebuild {desired.environment.name} --replace` "
            f"makes the next apply put new segments in their place"
        )


def _rejected(specs: Iterable[SegmentSpec], observed: ObservedState) -> Iterator[str]:
    """Nothing is sent again for it, so only this says it until a changed list is accepted."""
    found = list(rejections(specs, observed.resources))
    for spec, one in found[:NAMED]:
        yield f"{spec.address}: {one.problem}; a corrected list is sent as usual"
    if len(found) > NAMED:
        yield f"Criteo rejected more than maxInvalid allows at {len(found) - NAMED} more addresses"


def _named(addresses: Collection[Address]) -> str:
    """The first few."""
    more = f" and {len(addresses) - NAMED} more" if len(addresses) > NAMED else ""
    return ", ".join(map(str, list(addresses)[:NAMED])) + more
