"""Removes suppressed members from segments without another change: only a few, and only from our own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from reconciler.core.errors import Finding
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.override import advice
from reconciler.core.ownership import not_ours
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Removal
from reconciler.core.plan.model import Blocked
from reconciler.core.plan.observed import Departure
from reconciler.core.remote import Segment
from reconciler.core.rounding import certainly_enough, format_limit, is_past, share_beyond
from reconciler.core.state.ownership_tag import Tag
from reconciler.core.state.resource import (
    MemberSlot,
    ResourceState,
    RetiredSlot,
    SegmentState,
    grace_ends_at,
)


@dataclass(frozen=True, slots=True)
class SuppressedMembers:
    """The suppressed members in the segments of one address, and the ownership tags that are ours there."""

    spec: SegmentSpec
    resource: ResourceState
    departures: tuple[Departure, ...]
    tag: Tag
    former: tuple[Tag, ...]

    def holding(self, departure: Departure) -> SegmentState:
        return dict(self.resource.slots)[departure.slot]

    def is_ours(self, departure: Departure, segments: Mapping[str, Segment]) -> bool:
        holding = self.holding(departure)
        return not not_ours(self.spec.address, self.tag, (holding,), segments, self.former)


def removals(
    leaving: Iterable[SuppressedMembers], segments: Mapping[str, Segment], now: datetime, quiet: timedelta
) -> dict[Address, Removal]:
    """Return the suppressed members to remove from each address if nothing else is sent there.

    A segment that cannot be changed safely is left alone. A finding about the address stops no removal.
    """
    found = (_removal(one, segments, now, quiet) for one in leaving)
    return {one.spec.address: one for one in found if one}


def _removal(
    found: SuppressedMembers, segments: Mapping[str, Segment], now: datetime, quiet: timedelta
) -> Removal | None:
    """Return what to remove from segments that are ours and have no unconfirmed request."""
    safe = tuple(
        one
        for one in found.departures
        if one.urgent and found.is_ours(one, segments) and _is_safe(found.holding(one), segments, now, quiet)
    )
    return Removal(found.spec, safe) if safe else None


def not_removable(found: Iterable[SuppressedMembers], segments: Mapping[str, Segment]) -> Iterator[Address]:
    """Yield the addresses with suppressed members in a segment that has another address's tag."""
    for one in found:
        if any(each.urgent and not one.is_ours(each, segments) for each in one.departures):
            yield one.spec.address


def within_guards(found: Mapping[Address, Removal], today: date) -> dict[Address, Removal]:
    """Return the parts of removals that exceed no guard."""
    kept = {
        at: tuple(each for each in one.departures if not _excess(one.spec, each, today))
        for at, one in found.items()
    }
    return {at: replace(found[at], departures=departures) for at, departures in kept.items() if departures}


def too_many(found: Iterable[Removal], today: date) -> Iterator[Blocked]:
    """Yield a finding for each segment whose removal exceeds a guard.

    A list with so many of its members may be the wrong file.
    """
    for one in found:
        for departure in one.departures:
            if excess := _excess(one.spec, departure, today):
                yield Blocked(one.spec.address, excess, Cause.GUARD)


def _excess(spec: SegmentSpec, leaving: Departure, today: date) -> Finding | None:
    guards, file = spec.guards, spec.audience.place.file
    where, limit, audience = str(spec.address), guards.max_shrink, spec.address.audience
    held, out = leaving.base.count + leaving.maybe.count, leaving.urgent.count
    if is_past(out, limit, held):
        larger = certainly_enough(out, held, up_to=1.0)
        return Finding(
            where,
            f"suppressed members are not removed: they are {share_beyond(out, held, limit)} of "
            f"{_members_of(leaving.slot)} (limit {format_limit(limit)}, maxShrink)",
            f"check the lists; {advice(audience, {'maxShrink': larger}, today, file)}",
        )
    if held - out < guards.min_members <= held:
        return Finding(
            where,
            f"suppressed members are not removed: without them {_beside(leaving.slot)}there would be fewer "
            f"than {guards.min_members:,} members, which is the minimum (minMembers)",
            f"check the lists; {advice(audience, {'minMembers': '0'}, today, file)}",
        )
    return None


def _members_of(slot: MemberSlot) -> str:
    if isinstance(slot, RetiredSlot):
        return f"the members of its replaced segment {slot.segment_id}"
    return "its members"


def _beside(slot: MemberSlot) -> str:
    return f"in its replaced segment {slot.segment_id} " if isinstance(slot, RetiredSlot) else ""


def _is_safe(holding: SegmentState, segments: Mapping[str, Segment], now: datetime, quiet: timedelta) -> bool:
    segment, until = segments.get(holding.segment_id), grace_ends_at(holding, quiet)
    if segment is None or segment.read_only or (until and until > now):
        return False
    there = (segment.identifier_type, segment.retailer_id)
    return there == (holding.key.identifier_type, holding.key.retailer_id)
