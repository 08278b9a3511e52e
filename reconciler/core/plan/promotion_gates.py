"""The promotion gates of a plan: which changes they block, and what a plan notes about them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from reconciler.core.definition import parts_of, redefined
from reconciler.core.desired_state import DesiredState
from reconciler.core.model import SegmentSpec
from reconciler.core.pii import REDACTED
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import SegmentChange
from reconciler.core.plan.model import Blocked
from reconciler.core.plan.observed import ObservedState
from reconciler.core.promotion.gate import OWN, gate_values, weakened
from reconciler.core.promotion.gates import gate_findings, own_notes
from reconciler.core.state.resource import ResourceState

_OWN = re.compile(
    r"account|retailer|credential|api\..+|data\.root|sample\..+|guards\..+|promotion\..+|suppress\..+|"
    r"exclude\[\d+\]\.maxShrink"
)
"""Parts of a definition (`core/definition.py`) that belong to one environment."""

NAMED = 5
"""A note names at most this many addresses."""


def unproved(
    changes: Iterable[SegmentChange], desired: DesiredState, observed: ObservedState
) -> Iterator[Blocked]:
    """Yield the changed definitions that the environment's gates block."""
    environment = desired.environment
    for spec in (change.spec for change in changes):
        if environment.promotion is None or _is_applied(spec, observed.resources.get(spec.address)):
            continue
        question = (environment.promotion, desired.promotion, environment.name, spec, observed.now)
        yield from (Blocked(spec.address, one, Cause.PROMOTION) for one in gate_findings(*question))


def _is_applied(spec: SegmentSpec, resource: ResourceState | None) -> bool:
    """Return whether all that promotion carries was applied: what belongs to this environment may differ.

    A part that is redacted in the state may have changed unseen, so it does not count as applied.
    """
    if resource is None:
        return False
    if spec.definition_with(_applied_gates(resource)) == resource.definition:
        return True
    shown = (*parts_of(spec), *resource.parts)
    changed = redefined(spec, resource)
    own = all(_OWN.fullmatch(one.path) for one in changed)
    return bool(changed) and own and not any(REDACTED in value for _, value in shown)


def _applied_gates(resource: ResourceState) -> dict[str, str]:
    """Return the gates that an address was last applied with (`gate_values`)."""
    return {path: value for path, value in resource.parts if path.startswith("promotion.")}


def differs_on_purpose(desired: DesiredState) -> Iterator[str]:
    """Yield notes of the definitions with parts that differ on purpose from the promoted ones."""
    if gate := desired.environment.promotion:
        found = list(own_notes(gate, desired.promotion, desired.segments))
        yield from found[:NAMED]
        if len(found) > NAMED:
            yield f"{len(found) - NAMED} more addresses differ from {gate.source} on purpose (promotion.own)"


def weaker_gates(desired: DesiredState, observed: ObservedState) -> Iterator[str]:
    """Yield notes of the gates that ask for less than those that each address was last applied with."""
    found: dict[str, None] = {}
    for spec in desired.segments:
        resource = observed.resources.get(spec.address)
        before = _applied_gates(resource) if resource else {}
        now = gate_values(spec.gate, spec.address)
        for key in weakened(before, now):
            where = f" for {spec.address}" if key == OWN else ""
            change = f"{key} {before.get(key) or 'none'} → {now.get(key) or 'none'}"
            found[f"promotion gate weakened{where}: {change}"] = None
    yield from list(found)[:NAMED]
    if len(found) > NAMED:
        yield f"{len(found) - NAMED} more promotion gates weakened"


def without_gates(desired: DesiredState) -> DesiredState:
    """Return the environment for a temporary emulator: a note replaces its gates."""
    environment = desired.environment
    if environment.promotion is None:
        return desired
    note = f"the gates of {environment.name} (`promotion`) are not applied with --emulate"
    return replace(desired, environment=replace(environment, promotion=None), notes=(*desired.notes, note))
