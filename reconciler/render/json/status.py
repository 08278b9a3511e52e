"""`status --json`: every address, with acknowledged members and Criteo's counts if requested."""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime

from reconciler.core.model import Address
from reconciler.core.plan.losses import loss
from reconciler.core.plan.rejections import rejection
from reconciler.core.remote import Statistics
from reconciler.core.schedule import ACTIVATION_DELAY, next_computation
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.core.verification import MIN_MATCH_RATE, KeptVerification
from reconciler.render.json.values import Count, Json, count, known_count, share, time
from reconciler.render.numbers import EXACT, NumberFormat
from reconciler.render.terminal.state import settled
from reconciler.render.terminal.status import AddressStatus, address_status
from reconciler.render.text import name


def status_values(
    environment: str,
    wanted: Iterable[Address],
    resources: Iterable[ResourceState],
    statistics: Mapping[str, Statistics] | None,
    limits: Mapping[Address, float],
    verified: Mapping[Address, KeptVerification],
    now: datetime,
    figures: NumberFormat,
    paused: Container[Address] = (),
) -> Json:
    """Return the values of `status`. `statistics` is by segment ID; None without `--statistics`."""
    known = {one.address: one for one in resources}
    return {
        "environment": name(environment),
        "made_at": time(now),
        "criteo_asked": statistics is not None,
        "addresses": [
            {
                **_address(one, known.get(one), statistics or {}, limits.get(one), now, figures),
                "verification": _verification(verified[one], figures) if one in verified else None,
                "paused": one in paused,
                "protected": one in known and known[one].protected,
            }
            for one in sorted({*wanted, *known})
        ],
    }


def _address(
    address: Address,
    resource: ResourceState | None,
    statistics: Mapping[str, Statistics],
    limit: float | None,
    now: datetime,
    figures: NumberFormat,
) -> Json:
    if resource is None:
        return {"address": name(str(address)), "status": AddressStatus.NEVER_APPLIED.value}
    current = resource.current
    found = statistics.get(current.segment_id)
    sent = current.completed_at
    live = next_computation(sent) + ACTIVATION_DELAY if sent else None
    return {
        "address": name(str(address)),
        "status": address_status(resource).value,
        "segment_id": current.segment_id or None,
        "members": known_count(settled(current), figures),
        "rejected": count(current.rejected, figures),
        "rejected_beyond_limit": limit is not None and rejection(current, limit) is not None,
        "last_sent_at": time(sent),
        "computed_at": time(next_computation(sent)) if sent else None,
        "live_at": time(live),
        "live": live is not None and now >= live,
        "transfer": _transfer(resource.replacement or current, figures),
        "forgotten_at": time(resource.forgotten_at),
        "members_unknown_before": time(current.members_unknown_before),
        "statistics": _statistics(found, figures) if found else None,
        "lost": _lost(current, found, now, figures) if limit is not None else None,
    }


def _verification(one: KeptVerification, figures: NumberFormat) -> Json:
    found = one.verification
    return {
        "outcome": found.outcome.value,
        "verified_at": time(found.at),
        "computed_at": time(found.computed_at),
        "sent": count(found.sent, figures),
        "rejected": count(found.rejected, figures),
        "arrived": known_count(found.arrived, figures),
        "matched": known_count(found.matched, figures),
        "changed_parts": [part.value for part in one.changed],
    }


def _transfer(receiving: SegmentState, figures: NumberFormat) -> dict[str, Count] | None:
    if receiving.transfer is None:
        return None
    return {
        "acknowledged": count(receiving.transfer.acknowledged, figures),
        "total": count(receiving.transfer.size.total, figures),
    }


def _statistics(found: Statistics, figures: NumberFormat) -> Json:
    return {
        "identifiers": known_count(found.identifiers, figures),
        "matches": known_count(found.matches, figures),
        "match_rate": match_rate(found, figures),
        "usable": None if found.match_rate is None else found.match_rate >= MIN_MATCH_RATE,
    }


def match_rate(found: Statistics, figures: NumberFormat) -> float | None:
    """Return the match rate, no more exact than the rounded counts beside it."""
    if found.match_rate is None or figures == EXACT:
        return found.match_rate
    if found.identifiers is None or found.matches is None:
        return round(found.match_rate, 2)
    return share(found.matches, found.identifiers, figures)


def _lost(
    current: SegmentState, found: Statistics | None, now: datetime, figures: NumberFormat
) -> dict[str, Count] | None:
    counts = loss(current, found, now)
    if counts is None:
        return None
    return {
        "acknowledged": count(counts.acknowledged, figures),
        "counted": count(counts.counted, figures),
    }
