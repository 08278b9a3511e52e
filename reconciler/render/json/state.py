"""`state show --json`, `state history --json`, `state lock list --json`; no member is in them."""

from collections.abc import Iterable

from reconciler.core.state.model import LockHolder, StateHead, StateVersionInfo
from reconciler.core.state.resource import ResourceState
from reconciler.render.json.values import Json, count, known_count, time
from reconciler.render.numbers import NumberFormat
from reconciler.render.text import name, sentence


def state_values(
    environment: str, head: StateHead | None, resources: Iterable[ResourceState], figures: NumberFormat
) -> Json:
    """`lineage` and `serial` are null before the first apply."""
    return {
        "environment": name(environment),
        "lineage": head.lineage if head else None,
        "serial": head.serial if head else None,
        "addresses": [_resource(one, figures) for one in resources],
    }


def _resource(resource: ResourceState, figures: NumberFormat) -> Json:
    """`members` is the size at the last completed transfer, null before it.

    Members sent before `members_unknown_before` may be in the segment too; they are unknown.
    """
    current = resource.current
    return {
        "address": name(str(resource.address)),
        "segment_id": current.segment_id or None,
        "members": known_count(current.completed_size, figures),
        "completed_at": time(current.completed_at),
        "uncertain": count(sum(one.uncertain.count for one in resource.segments), figures),
        "transferring": current.transfer is not None,
        "replacing": resource.replacement is not None or resource.replace_requested,
        "retired_segment_ids": [one.segment.segment_id for one in resource.retired],
        "forgotten_at": time(resource.forgotten_at),
        "members_unknown_before": time(current.members_unknown_before),
    }


def history_values(environment: str, versions: Iterable[StateVersionInfo]) -> Json:
    """The newest first."""
    return {
        "environment": name(environment),
        "versions": [
            {"serial": one.serial, "saved_at": time(one.saved_at), "addresses": one.addresses}
            for one in sorted(versions, key=lambda one: -one.serial)
        ],
    }


def lock_values(environment: str, holder: LockHolder | None) -> Json:
    """`id` is null where only the holder's process can end it."""
    held = {"id": holder.id or None, "description": sentence(holder.description)} if holder else None
    return {"environment": name(environment), "holder": held}
