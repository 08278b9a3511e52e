"""A plan: its changes, the addresses that it blocks, and what it was derived from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from reconciler.core.errors import Finding
from reconciler.core.lists import ListChange
from reconciler.core.model import Address
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import (
    Change,
    Forget,
    PartChange,
    PlannedOutcome,
    Removal,
    Unchanged,
    address_of,
)
from reconciler.core.plan.cost import CostEstimate


@dataclass(frozen=True, slots=True)
class Blocked:
    """An address that the plan leaves as it is, and the reason."""

    address: Address
    finding: Finding
    cause: Cause


@dataclass(frozen=True, slots=True)
class Deadline:
    """A computation of Criteo, and the order in which most changes are complete before it.

    `late` of all `changes` will not be complete.
    """

    computed_at: datetime
    order: tuple[Address, ...]
    late: tuple[Address, ...]
    changes: int


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """The inputs that the plan was derived from."""

    environment: str
    today: date
    made_at: datetime
    lineage: str
    serial: int


def removals_beside(changes: Iterable[Change], suppressed: Mapping[Address, Removal]) -> tuple[Removal, ...]:
    """Return the removals of suppressed members that no change contains."""
    changed = {address_of(one): one for one in changes if not isinstance(one, Forget)}
    found = (one.beside(changed[at]) if at in changed else one for at, one in sorted(suppressed.items()))
    return tuple(one for one in found if one.departures)


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of one environment. `problems` block all of it, `blocked` block single addresses.

    `changes` can be applied without the blocked and the `paused` addresses. `blocked_outcomes` are the
    outcomes of these if nothing blocked or paused them. `relaxed_guards` are limits that only the audience's
    own guards allow. `redefined` are the changed parts of definitions. `deferred` counts changed addresses
    that are not part of the plan. `lists` are the lists of each address. `givers` are the addresses that free
    a name for an address. `suppressed` are the removals of suppressed members of each address. `reused` are
    the audiences whose sources were not read because they are unchanged, and when they were read. `origins`
    are the old addresses of the moved ones, under which the state has them. `superseded` are old addresses
    whose move was interrupted, with the new ones. `resembling` are forgotten addresses that look like a new
    one under another name, by the new address.
    """

    basis: PlanInputs
    changes: tuple[Change, ...]
    unchanged: tuple[Unchanged, ...]
    blocked: tuple[Blocked, ...]
    cost: CostEstimate
    notes: tuple[str, ...] = field(default=())
    deferred: int = 0
    problems: tuple[Finding, ...] = ()
    blocked_outcomes: tuple[PlannedOutcome, ...] = ()
    relaxed_guards: Mapping[Address, tuple[str, ...]] = field(default_factory=dict)
    redefined: Mapping[Address, tuple[PartChange, ...]] = field(default_factory=dict)
    lists: Mapping[Address, tuple[ListChange, ...]] = field(default_factory=dict)
    givers: Mapping[Address, frozenset[Address]] = field(default_factory=dict)
    suppressed: Mapping[Address, Removal] = field(default_factory=dict)
    reused: Mapping[str, datetime] = field(default_factory=dict)
    deadline: Deadline | None = None
    paused: tuple[Address, ...] = ()
    origins: Mapping[Address, Address] = field(default_factory=dict)
    superseded: Mapping[Address, Address] = field(default_factory=dict)
    resembling: Mapping[Address, Address] = field(default_factory=dict)

    @property
    def removals(self) -> tuple[Removal, ...]:
        """Return the removals of suppressed members that no change contains."""
        return removals_beside(self.changes, self.suppressed)

    @property
    def all_blocked(self) -> bool:
        """Return whether every address is blocked that is not paused."""
        return bool(self.blocked) and not (self.changes or self.unchanged or self.deferred)

    @property
    def refused(self) -> bool:
        """Return whether nothing may be applied, except removals of suppressed members."""
        return bool(self.problems) or self.all_blocked
