"""The planner: computes the plan from the desired and the observed state. It does no I/O."""

from collections.abc import Container, Iterable, Iterator, Mapping

from reconciler.core.definition import redefined
from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.model import Address
from reconciler.core.ownership import lost_state
from reconciler.core.plan.blocked_alone import blocked_alone, relaxed
from reconciler.core.plan.changes import (
    Create,
    PartChange,
    SegmentChange,
    address_of,
)
from reconciler.core.plan.cost import cost
from reconciler.core.plan.decisions import Decisions, decisions, earlier_tags
from reconciler.core.plan.endings import endings
from reconciler.core.plan.forgotten import forgotten_specs
from reconciler.core.plan.lost_access import lost_access
from reconciler.core.plan.model import Plan, PlanInputs, removals_beside
from reconciler.core.plan.names import resolve_names
from reconciler.core.plan.notes import kept_by_others, notes
from reconciler.core.plan.observed import ObservedState
from reconciler.core.plan.renames import resembling
from reconciler.core.plan.suppressed_removals import (
    SuppressedMembers,
    not_removable,
    removals,
    too_many,
    within_guards,
)
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import tag


def create_plan(desired: DesiredState, observed: ObservedState, only: Container[Address]) -> Plan:
    """Return the plan for the addresses in `only`. The plan contains no other address.

    A blocked address blocks the addresses that depend on it, and no others. Of a paused address, only the
    removal of suppressed members is planned: what prevents it blocks the address, and nothing else does.
    """
    segments = {one.id: one for listed in observed.segments.values() for one in listed}
    lost = _lost_state(desired, observed, segments)
    listed = {} if lost else segments  # a lost state is reported once, not once for each address
    made = decisions(desired, observed, only, listed, endings(desired, observed, segments, only))
    leaving = tuple(_with_suppressed_members(made, desired, observed, only))
    removed = removals(leaving, segments, observed.now, desired.environment.api.grace_period)
    alone = tuple(blocked_alone(made, removed, desired, observed))
    settled = resolve_names(
        (*made.wanted, *made.ending), made.names, made.paused.union(one.address for one in alone)
    )
    named = (*alone, *made.unless_paused(settled.blocked))
    stopped = made.paused.union(one.address for one in named)
    today = observed.now.date()
    excessive = too_many((one for at, one in removed.items() if at in stopped), today)
    blocked = sorted({*named, *excessive}, key=lambda one: (one.address, one.finding.problem))
    suppressed = within_guards(removed, today)
    going = tuple(sorted(settled.changes, key=address_of))
    sent = (*going, *removals_beside(going, suppressed))
    return Plan(
        basis=_basis(desired, observed),
        changes=going,
        unchanged=tuple(one for one in made.unchanged if address_of(one) not in stopped),
        blocked=tuple(blocked),
        cost=cost(sent, desired.environment.api, observed.rates, observed.now),
        notes=(
            *desired.notes,
            *notes(going, made.specs.values(), desired, observed),
            *kept_by_others(not_removable(leaving, segments)),
        ),
        problems=(*lost, *lost_access(desired, observed, segments)),
        blocked_outcomes=tuple(
            sorted((one for one in made.outcomes if address_of(one) in stopped), key=address_of)
        ),
        relaxed_guards=relaxed(made.wanted, desired, observed),
        redefined=_redefined(made.wanted, observed),
        lists={address: found for address in made.specs if (found := observed.lists.get(address))},
        givers=settled.givers,
        suppressed=suppressed,
        reused=observed.reused,
        origins=observed.origins,
        superseded=observed.superseded,
        resembling=resembling((*made.wanted, *made.ending), observed),
        paused=tuple(sorted(made.paused.difference(one.address for one in blocked))),
    )


def _with_suppressed_members(
    made: Decisions, desired: DesiredState, observed: ObservedState, only: Container[Address]
) -> Iterator[SuppressedMembers]:
    forgotten = forgotten_specs(desired, observed.resources.values(), only)
    for spec in (*made.specs.values(), *forgotten.values()):
        if departures := observed.departures.get(spec.address):
            ours = tag(desired.environment.name, spec.address, observed.lineage)
            earlier = earlier_tags(desired, observed, spec.address)
            yield SuppressedMembers(spec, observed.resources[spec.address], departures, ours, earlier)


def _basis(desired: DesiredState, observed: ObservedState) -> PlanInputs:
    head = observed.head
    return PlanInputs(
        environment=desired.environment.name,
        today=observed.now.date(),
        made_at=observed.now,
        lineage=observed.lineage,
        serial=head.serial if head else 0,
    )


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


def _lost_state(
    desired: DesiredState, observed: ObservedState, segments: Mapping[str, Segment]
) -> tuple[Finding, ...]:
    """Return a finding if the state is missing or empty, although segments have this environment's tag."""
    addresses = [(spec.address, *desired.former(spec.address)) for spec in desired.segments]
    found = lost_state(desired.environment.name, addresses, observed.resources, segments.values())
    return (found,) if found else ()
