"""Parts of a plan: what is left of it once some of its changes are left out, or may not be made."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from reconciler.core.errors import Finding
from reconciler.core.model import Address, Api
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Change, address_of
from reconciler.core.plan.cost import cost
from reconciler.core.plan.model import Blocked, Plan
from reconciler.core.plan.names import waits_for


def restricted(made: Plan, changes: tuple[Change, ...], api: Api, notes: tuple[str, ...]) -> Plan:
    """A part of a plan. Nothing in it may depend on what is left out."""
    left_out = len(made.changes) - len(changes)
    part = replace(made, changes=changes, notes=(*made.notes, *notes), deferred=left_out)
    return replace(part, cost=cost((*changes, *part.removals), api, made.cost.rates, made.basis.made_at))


def dependents(made: Plan, stopped: Collection[Address]) -> dict[Address, Address]:
    """Changes that depend on those of the `stopped` addresses, each with the address that it waits for."""
    waiting: dict[Address, Address] = {}
    going = [address_of(one) for one in made.changes if address_of(one) not in stopped]
    while True:
        given_up = {*stopped, *waiting}
        found = {
            taker: min(givers)
            for taker in going
            if taker not in waiting and (givers := made.givers.get(taker, frozenset()) & given_up)
        }
        if not found:
            return waiting
        waiting |= found


def without(made: Plan, refused: Mapping[Address, Sequence[Finding]], api: Api) -> Plan:
    """The plan with these addresses blocked for lack of an approval, and those that depend on them."""
    waiting = dependents(made, refused)
    blocked = (
        *(Blocked(at, finding, Cause.APPROVAL) for at, findings in refused.items() for finding in findings),
        *(waits_for(taker, giver) for taker, giver in waiting.items()),
    )
    stopped = {one.address for one in blocked}
    going = tuple(one for one in made.changes if address_of(one) not in stopped)
    held = (*made.blocked_outcomes, *(one for one in made.changes if address_of(one) in stopped))
    left = replace(
        made,
        changes=going,
        blocked=tuple(sorted((*made.blocked, *blocked), key=lambda one: (one.address, one.finding.problem))),
        blocked_outcomes=tuple(sorted(held, key=address_of)),
    )
    price = cost((*going, *left.removals), api, made.cost.rates, made.basis.made_at)
    return replace(left, cost=price)
