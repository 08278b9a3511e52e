"""What each address would do if nothing blocked or paused it. It does no I/O."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.members import TargetMembers
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.plan.address_context import AddressContext, assigned_name
from reconciler.core.plan.address_planner import plan_address
from reconciler.core.plan.changes import Ending, PlannedOutcome, SegmentChange, Unchanged, Undecided
from reconciler.core.plan.model import Blocked
from reconciler.core.plan.names import NameRegistry
from reconciler.core.plan.observed import ObservedState
from reconciler.core.plan.unconfirmed_creates import match_unconfirmed, reserved_names
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag, former_tags, tag
from reconciler.core.state.resource import Slot

Decision = SegmentChange | Finding | None
"""A change, why none can be decided, or None if none is needed."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What each address would do if nothing blocked or paused it: `decided` is None if it needs no change.

    `ended` are the addresses without a spec. `names` are those at Criteo, and those that may be taken there.
    """

    specs: Mapping[Address, SegmentSpec]
    targets: Mapping[Address, TargetMembers]
    decided: Mapping[Address, Decision]
    ended: Sequence[Ending | Blocked]
    names: NameRegistry

    @property
    def wanted(self) -> list[SegmentChange]:
        return [one for one in self.decided.values() if one and not isinstance(one, Finding)]

    @property
    def ending(self) -> list[Ending]:
        return [one for one in self.ended if not isinstance(one, Blocked)]

    @property
    def unchanged(self) -> list[Unchanged]:
        """Return the addresses that were decided and need no change."""
        met = sorted(at for at, one in self.decided.items() if one is None)
        return [Unchanged(self.specs[at], self.targets[at]) for at in met]

    @property
    def outcomes(self) -> Iterator[PlannedOutcome]:
        yield from (*self.wanted, *self.ending, *self.unchanged)
        for address, spec in self.specs.items():
            if address not in self.decided or isinstance(self.decided[address], Finding):
                yield Undecided(spec)

    @property
    def paused(self) -> frozenset[Address]:
        return frozenset(at for at, spec in self.specs.items() if spec.audience.paused)

    def unless_paused(self, blocked: Iterable[Blocked]) -> Iterator[Blocked]:
        paused = self.paused
        return (one for one in blocked if one.address not in paused)


def decisions(
    desired: DesiredState,
    observed: ObservedState,
    only: Container[Address],
    segments: Mapping[str, Segment],
    ended: Iterable[Ending | Blocked],
) -> Decisions:
    specs = {spec.address: spec for spec in desired.segments if spec.address in only}
    waiting = reserved_names(observed.resources.values(), observed.now, desired.environment.api.grace_period)
    read = [spec for spec in specs.values() if spec.address in observed.targets]
    return Decisions(
        specs=specs,
        targets=observed.targets,
        decided=_decide(desired, observed, segments, read, frozenset(waiting)),
        ended=tuple(ended),
        names=NameRegistry.of(
            desired.environment.name,
            observed.lineage,
            segments.values(),
            observed.managed.values(),
            waiting,
        ),
    )


def _decide(
    desired: DesiredState,
    observed: ObservedState,
    segments: Mapping[str, Segment],
    specs: Iterable[SegmentSpec],
    pending: frozenset[tuple[str, str]],
) -> dict[Address, Decision]:
    found, managed = match_unconfirmed(observed.managed.values(), segments), observed.managed
    adoptions = {one.address: one for one in desired.adoptions if one.address in observed.adopted}
    lineage = observed.lineage
    slots: tuple[Slot, Slot] = ("current", "replacement")
    owned = frozenset(one.segment_id for known in observed.resources.values() for one in known.segments)
    decided: dict[Address, Decision] = {}
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
            former=earlier_tags(desired, observed, spec.address),
            owned=owned,
            adoption=adoptions.get(spec.address),
            repair=desired.environment.repair,
        )
        change = decided[spec.address] = plan_address(context)
        if change is not None and not isinstance(change, Finding):
            steps = (*change.steps.setup, *change.steps.finalize)
            claimed += [name for step in steps if (name := assigned_name(step))]
    return decided


def earlier_tags(desired: DesiredState, observed: ObservedState, address: Address) -> tuple[Tag, ...]:
    """Return the tags of the addresses that this one was moved from: by the state, or if it lacks it."""
    resource = observed.resources.get(address)
    old = resource.moved_from if resource else desired.former(address)
    return former_tags(desired.environment.name, old, observed.lineage)
