"""Which changes a members-only apply sends: members of addresses whose definition was applied in full."""

from collections.abc import Mapping
from dataclasses import replace

from reconciler.core.errors import Finding
from reconciler.core.model import Address
from reconciler.core.plan.change_kinds import ChangeKind
from reconciler.core.plan.changes import Change, Update, address_of, kind_of
from reconciler.core.plan.model import Plan
from reconciler.core.plan.reasons import NameSetAgain
from reconciler.core.plan.steps import SetupPhase, Steps, UpdateSegment
from reconciler.core.state.resource import ResourceState


def not_members_only(
    plan: Plan, resources: Mapping[Address, ResourceState]
) -> dict[Address, tuple[Finding, ...]]:
    """Return why each other change is skipped by a members-only apply."""
    return {
        address_of(change): (
            Finding(
                str(address_of(change)),
                f"{_WHY_NOT[kind_of(change)]}; --members-only changes members only",
            ),
        )
        for change in plan.changes
        if not is_members_only(change, resources)
    }


_WHY_NOT = {
    ChangeKind.CREATE: "it is to be created",
    ChangeKind.ADOPT: "its segment is to be adopted",
    ChangeKind.UPDATE: "its definition is not the one that was applied",
    ChangeKind.MOVE: "it is to be moved from its old address",
    ChangeKind.REPLACE: "it is to be replaced",
    ChangeKind.REFILL: "Criteo lost members of it, and all are to be sent again",
    ChangeKind.FORGET: "it is to be forgotten",
    ChangeKind.EMPTY: "it is to be emptied",
    ChangeKind.DELETE: "its segment is to be deleted",
}


def is_members_only(change: Change, resources: Mapping[Address, ResourceState]) -> bool:
    """Return whether the change only moves members of a segment whose definition was applied in full.

    A name that differs at Criteo does not matter: a members-only apply leaves it as it is.
    """
    if not isinstance(change, Update):
        return False
    resource = resources.get(change.spec.address)
    patches = all(isinstance(step, UpdateSegment) for step in change.steps.setup)
    return patches and resource is not None and resource.definition == change.spec.definition


def is_independent(change: Change, resources: Mapping[Address, ResourceState]) -> bool:
    """Return whether the change only moves members and frees no name for another address."""
    setup = change.steps.setup if isinstance(change, Update) else ()
    released = any(isinstance(step, UpdateSegment) and step.turn == SetupPhase.FREE_NAMES for step in setup)
    return is_members_only(change, resources) and not released


def to_members_only(change: Change) -> Update | None:
    """Return the part of a change that a members-only apply sends; None if no members change."""
    if not isinstance(change, Update) or change.steps.transfer is None:
        return None
    reason = None if isinstance(change.reason, NameSetAgain) else change.reason
    return replace(change, attributes=(), steps=Steps(transfer=change.steps.transfer), reason=reason)
