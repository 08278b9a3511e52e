"""A plan: its changes, the addresses that it blocks, and what it was derived from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from reconciler.core.errors import Finding
from reconciler.core.lists import ListChange
from reconciler.core.model import Address
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Change, PartChange, PlannedOutcome, Removal, Unchanged
from reconciler.core.plan.cost import CostEstimate


@dataclass(frozen=True, slots=True)
class Blocked:
    """An address that the plan leaves as it is, and why."""

    address: Address
    finding: Finding
    cause: Cause


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What the plan was derived from."""

    environment: str
    today: date
    made_at: datetime
    lineage: str
    serial: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One environment's decision. `problems` stand against all of it, `blocked` against single addresses.

    `changes` can be applied without the blocked addresses. `blocked_outcomes` is what these would become.
    `relaxed_guards`: what only the audience's own guards let pass.
    `redefined`: which parts of a definition changed since it was applied.
    `deferred`: so many addresses change and are not part of it, as the notes say.
    `lists` are the exclusion lists of each address. `givers`: from which addresses an address takes a name.
    `suppressed`: who leaves an address if it is blocked, where that is safe.
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

    @property
    def removals(self) -> tuple[Removal, ...]:
        """What is done at blocked addresses all the same."""
        blocked = sorted({one.address for one in self.blocked})
        return tuple(self.suppressed[address] for address in blocked if address in self.suppressed)

    @property
    def all_blocked(self) -> bool:
        """No address is healthy."""
        return bool(self.blocked) and not (self.changes or self.unchanged or self.deferred)

    @property
    def refused(self) -> bool:
        """Nothing of it may be applied, the removal of suppressed people apart."""
        return bool(self.problems) or self.all_blocked
