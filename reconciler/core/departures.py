"""Removing suppressed people from a blocked address: only where nothing can be mistaken about its segment."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from reconciler.core.model import SegmentSpec
from reconciler.core.ownership import not_ours
from reconciler.core.plan.model import Departure, Removal, Slot
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag
from reconciler.core.state.resource import ResourceState, SegmentState, grace_ends_at


def slots(receipt: ResourceState) -> tuple[tuple[Slot, SegmentState], ...]:
    """The segments of an address that people are sent to."""
    successor: tuple[tuple[Slot, SegmentState], ...] = (
        (("replacement", receipt.replacement),) if receipt.replacement else ()
    )
    return (("current", receipt.current), *successor)


def removal(
    spec: SegmentSpec,
    receipt: ResourceState,
    departures: tuple[Departure, ...],
    segments: Mapping[str, Segment],
    tag: Tag,
    now: datetime,
    quiet: timedelta,
) -> Removal | None:
    """The segment is ours and takes changes, and no request for it is unconfirmed."""
    holdings = dict(slots(receipt))
    if not_ours(spec.address, tag, holdings.values(), segments):
        return None
    safe = tuple(
        one
        for one in departures
        if one.urgent
        and _is_safe(holdings[one.slot], segments.get(holdings[one.slot].segment_id), now, quiet)
    )
    return Removal(spec, safe) if safe else None


def _is_safe(holding: SegmentState, segment: Segment | None, now: datetime, quiet: timedelta) -> bool:
    until = grace_ends_at(holding, quiet)
    if segment is None or segment.read_only or (until and until > now):
        return False
    return segment.identifier_type == holding.key.identifier_type
