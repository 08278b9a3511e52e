"""Unconfirmed creates: the segment that each may have created, and the names that must wait."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from reconciler.core.model import Address
from reconciler.core.remote import Segment, name_key
from reconciler.core.state.resource import CreateIntent, ResourceState, SegmentState, Slot

Unanswered = tuple[Address, Slot, SegmentState, CreateIntent]


def unconfirmed_creates(resources: Iterable[ResourceState]) -> Iterator[Unanswered]:
    """Every create that was written down and has no answer yet."""
    for resource in resources:
        slots: tuple[tuple[Slot, SegmentState | None], ...] = (
            ("current", resource.current),
            ("replacement", resource.replacement),
        )
        for slot, holding in slots:
            if holding is not None and holding.intent is not None:
                yield resource.address, slot, holding, holding.intent


def match_unconfirmed(
    resources: Iterable[ResourceState], segments: Mapping[str, Segment]
) -> dict[tuple[Address, Slot], Segment]:
    """Return the segment that each unconfirmed create may have created, by its requested name.

    A segment whose ID is in a resource state matches no create. Of several creates with one name, the newest
    counts: it was sent only after the older ones could no longer take effect.
    """
    resources = tuple(resources)
    owned = {holding.segment_id for resource in resources for holding in resource.segments}
    free = {(one.account_id, one.name_key): one for one in segments.values() if one.id not in owned}
    newest: dict[tuple[str, str], Unanswered] = {}
    for create in sorted(unconfirmed_creates(resources), key=lambda one: one[3].sent_at):
        newest[create[2].key.account_id, name_key(create[3].name)] = create
    return {(create[0], create[1]): free[name] for name, create in newest.items() if name in free}


def reserved_names(
    resources: Iterable[ResourceState], now: datetime, quiet: timedelta
) -> dict[tuple[str, str], tuple[Address, datetime]]:
    """Return the names that unconfirmed creates may still take, by account and name key: address and time."""
    waiting = {}
    for resource in resources:
        for holding in resource.segments:
            for name, until in _asked_for(holding, quiet):
                if now < until:
                    waiting[holding.key.account_id, name_key(name)] = (resource.address, until)
    return waiting


def _asked_for(holding: SegmentState, quiet: timedelta) -> Iterator[tuple[str, datetime]]:
    if holding.intent is not None:
        yield holding.intent.name, holding.intent.sent_at + quiet
    yield from (
        (one.name, one.sent_at + quiet) for one in holding.unconfirmed_updates if one.name is not None
    )
