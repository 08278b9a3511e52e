"""Removes suppressed members from segments without another change: only a few, and only from our own."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from reconciler.core.errors import Finding
from reconciler.core.model import SegmentSpec
from reconciler.core.override import advice
from reconciler.core.ownership import not_ours
from reconciler.core.plan.changes import Removal
from reconciler.core.plan.observed import Departure
from reconciler.core.remote import Segment
from reconciler.core.rounding import certainly_enough, format_limit, is_past, share_beyond
from reconciler.core.state.ownership_tag import Tag
from reconciler.core.state.resource import ResourceState, SegmentState, grace_ends_at


def removal(
    spec: SegmentSpec,
    resource: ResourceState,
    departures: tuple[Departure, ...],
    segments: Mapping[str, Segment],
    tag: Tag,
    now: datetime,
    quiet: timedelta,
    former: Iterable[Tag] = (),
) -> Removal | None:
    """Return the suppressed members to remove from segments that are ours and have no unconfirmed request."""
    holdings = dict(resource.slots)
    if not_ours(spec.address, tag, holdings.values(), segments, former):
        return None
    safe = tuple(
        one
        for one in departures
        if one.urgent
        and _is_safe(holdings[one.slot], segments.get(holdings[one.slot].segment_id), now, quiet)
    )
    return Removal(spec, safe) if safe else None


def too_many(found: Removal, today: date) -> Finding | None:
    """Return a finding if the removal exceeds a guard: a list with so many members may be the wrong file."""
    guards, file = found.spec.guards, found.spec.audience.place.file
    where, limit, audience = str(found.spec.address), guards.max_shrink, found.spec.address.audience
    for one in found.departures:
        held, out = one.base.count + one.maybe.count, one.urgent.count
        if is_past(out, limit, held):
            larger = certainly_enough(out, held, up_to=1.0)
            return Finding(
                where,
                f"suppressed members are not removed: they are {share_beyond(out, held, limit)} of "
                f"its members (limit {format_limit(limit)}, maxShrink)",
                f"check the lists; {advice(audience, {'maxShrink': larger}, today, file)}",
            )
        if held - out < guards.min_members <= held:
            return Finding(
                where,
                "suppressed members are not removed: without them there would be fewer than "
                f"{guards.min_members:,} members, which is the minimum (minMembers)",
                f"check the lists; {advice(audience, {'minMembers': '0'}, today, file)}",
            )
    return None


def _is_safe(holding: SegmentState, segment: Segment | None, now: datetime, quiet: timedelta) -> bool:
    until = grace_ends_at(holding, quiet)
    if segment is None or segment.read_only or (until and until > now):
        return False
    return segment.identifier_type == holding.key.identifier_type
