"""Removing suppressed people from a blocked address: only where nothing can be mistaken about its segment."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from reconciler.core.marks import Tag
from reconciler.core.model import SegmentSpec
from reconciler.core.ownership import not_ours
from reconciler.core.plan import Departure, Removal, Slot
from reconciler.core.receipt import Holding, Receipt, waits_until
from reconciler.core.remote import Segment


def slots(receipt: Receipt) -> tuple[tuple[Slot, Holding], ...]:
    """The segments of an address that people are sent to."""
    successor: tuple[tuple[Slot, Holding], ...] = (
        (("successor", receipt.successor),) if receipt.successor else ()
    )
    return (("current", receipt.current), *successor)


def removal(
    spec: SegmentSpec,
    receipt: Receipt,
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


def _is_safe(holding: Holding, segment: Segment | None, now: datetime, quiet: timedelta) -> bool:
    until = waits_until(holding, quiet)
    if segment is None or segment.read_only or (until and until > now):
        return False
    return segment.identifier_type == holding.key.identifier_type
