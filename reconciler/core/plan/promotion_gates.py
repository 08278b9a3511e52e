"""The promotion gates of a plan: which changes they block, and what a plan notes about them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from reconciler.core.desired_state import DesiredState
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.plan.model import Blocked
from reconciler.core.plan.observed import ObservedState
from reconciler.core.promotion.gates import gate_findings, own_notes

NAMED = 5
"""A note names at most this many addresses."""


def unproved(
    changes: Iterable[SegmentChange], desired: DesiredState, observed: ObservedState
) -> Iterator[Blocked]:
    """Yield the changed definitions that the environment's gates block."""
    environment = desired.environment
    for spec in (change.spec for change in changes):
        applied = observed.resources.get(spec.address)
        if environment.promotion is None or (applied and applied.definition == spec.definition):
            continue
        question = (environment.promotion, desired.promotion, environment.name, spec, observed.now)
        yield from (Blocked(spec.address, one, Cause.PROMOTION) for one in gate_findings(*question))


def differs_on_purpose(desired: DesiredState) -> Iterator[str]:
    """Yield notes of the definitions with parts that differ on purpose from the promoted ones."""
    if gate := desired.environment.promotion:
        found = list(own_notes(gate, desired.promotion, desired.segments))
        yield from found[:NAMED]
        if len(found) > NAMED:
            yield f"{len(found) - NAMED} more addresses differ from {gate.source} on purpose (promotion.own)"


def without_gates(desired: DesiredState) -> DesiredState:
    """Return the environment for a temporary emulator: a note replaces its gates."""
    environment = desired.environment
    if environment.promotion is None:
        return desired
    note = f"the gates of {environment.name} (`promotion`) are not applied with --emulate"
    return replace(desired, environment=replace(environment, promotion=None), notes=(*desired.notes, note))
