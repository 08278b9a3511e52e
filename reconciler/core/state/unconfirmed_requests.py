"""Creates and updates of a segment, recorded before each is sent. No I/O.

    create   record_intent ─► record_intent_sent ─┬─► record_created      Criteo returned the segment ID
                                                  └─► record_recovered    a later run found the segment
    update   record_update_sent ─► record_update_resent ─► record_update_confirmed

A request without a response may take effect until the grace period (`api.gracePeriod`) has passed since it
was sent. It stays in the segment state for that long, so that no later request conflicts with it.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.core.model import SegmentKey
from reconciler.core.remote import Segment, name_key
from reconciler.core.state.ownership_tag import Tag, ends_with
from reconciler.core.state.resource import CreateIntent, SegmentState, UnconfirmedUpdate


def record_intent(key: SegmentKey, name: str, before: SegmentState | None, now: datetime) -> SegmentState:
    """Return the segment state before a create is sent.

    An earlier unconfirmed create of the address is kept with its name. Names are unique at Criteo, so while
    the name is used, the earlier request cannot create a second segment.
    """
    earlier = before.intent if before else None
    earlier_update = (UnconfirmedUpdate(earlier.name, None, earlier.sent_at),) if earlier else ()
    return SegmentState(
        key=key,
        intent=CreateIntent(name=name, sent_at=now),
        unconfirmed_updates=(*(before.unconfirmed_updates if before and earlier else ()), *earlier_update),
        completed_size=before.completed_size if before else None,
    )


def record_intent_sent(segment: SegmentState, now: datetime) -> SegmentState:
    """Return the segment state after the create was sent: its grace period starts now."""
    return replace(segment, intent=replace(_intent_of(segment), sent_at=now))


def record_created(segment: SegmentState, segment_id: str, *, again: bool = False) -> SegmentState:
    """Return the segment state with the ID of its segment. `again`: an attempt may still take effect."""
    intent = _intent_of(segment)
    late = (UnconfirmedUpdate(intent.name, None, intent.sent_at),) if again else ()
    return replace(
        segment, segment_id=segment_id, intent=None, unconfirmed_updates=(*segment.unconfirmed_updates, *late)
    )


def record_recovered(segment: SegmentState, segment_id: str, *, again: bool = False) -> SegmentState:
    """Return the segment state after its segment was found by name.

    If several creates asked for this name, any of them may have created it, and another may take effect
    later.
    """
    name = name_key(_intent_of(segment).name)
    earlier = any(one.name is not None and name_key(one.name) == name for one in segment.unconfirmed_updates)
    return record_created(segment, segment_id, again=again or earlier)


def record_update_sent(segment: SegmentState, update: UnconfirmedUpdate, quiet: timedelta) -> SegmentState:
    """Return the segment state before an update is sent, without updates past the grace period (`quiet`)."""
    live = tuple(one for one in segment.unconfirmed_updates if one.sent_at + quiet > update.sent_at)
    return replace(segment, unconfirmed_updates=(*live, update))


def record_update_confirmed(segment: SegmentState, update: UnconfirmedUpdate) -> SegmentState:
    """Return the segment state after the response to an update. An equal update in the list remains."""
    return replace(_without(segment, update), updated_at=update.sent_at)


def _without(segment: SegmentState, update: UnconfirmedUpdate) -> SegmentState:
    updates = list(segment.unconfirmed_updates)
    updates.remove(update)
    return replace(segment, unconfirmed_updates=tuple(updates))


def record_update_resent(segment: SegmentState, update: UnconfirmedUpdate, now: datetime) -> SegmentState:
    """Return the segment state after another attempt of the update was sent: its grace period starts now."""
    others = _without(segment, update)
    return replace(others, unconfirmed_updates=(*others.unconfirmed_updates, replace(update, sent_at=now)))


def may_undo(
    segment: SegmentState, name: str | None, description: str | None, now: datetime, quiet: timedelta
) -> datetime | None:
    """Return the time until which an unconfirmed update may undo these values; None if none may."""
    ends = (one.sent_at + quiet for one in segment.unconfirmed_updates if one.contradicts(name, description))
    return max((end for end in ends if end > now), default=None)


def why_not_ours(key: SegmentKey, wanted: Tag, found: Segment) -> str:
    """Return why a segment with the name of an intent is not the one that we created, or "" if it is.

    The ownership tag that the request sent decides. Age and size prove nothing.
    """
    if not ends_with(found.description, wanted):
        return "it does not have the ownership tag of this address and state"
    if found.retailer_id != key.retailer_id or found.account_id != key.account_id:
        return "it belongs to another retailer"
    if found.identifier_type != key.identifier_type:
        return "it holds another identifier type"
    return ""


def _intent_of(segment: SegmentState) -> CreateIntent:
    if segment.intent is None:
        raise AssertionError("no create was written down")
    return segment.intent
