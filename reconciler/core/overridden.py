"""Which overrides count, and for which addresses.

Overrides are no part of a definition: neither their arrival nor their expiry changes one.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from datetime import date

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.model import Address, Guards
from reconciler.core.override import EVERYTHING, LONGEST, Override, too_late


def beyond_limit(desired: DesiredState, today: date) -> tuple[Finding, ...]:
    """Return a finding for each override that expires too late."""
    return tuple(
        Finding(str(one.place), *found)
        for one in desired.overrides
        if (found := too_late(one.expires, today))
    )


def with_overrides(desired: DesiredState, today: date, accepted: Container[str] | None) -> DesiredState:
    """Return the environment with the overrides that count; the more specific of two wins.

    `accepted` are the digests that an approval accepted; None accepts all. Others are ignored with a note.
    """
    counting = [one for one in desired.overrides if today <= one.expires <= today + LONGEST]
    counting = [one for one in counting if accepted is None or one.digest in accepted]
    counting.sort(key=lambda one: ("/" in one.selector, one.selector != EVERYTHING))
    general = [one for one in counting if one.selector == EVERYTHING]
    environment = replace(desired.environment, guards=in_force(desired.environment.guards, general))
    segments = tuple(
        replace(spec, in_force=in_force(spec.audience.guards, mine))
        if (mine := [one for one in counting if one.selects(spec.address)])
        else spec
        for spec in desired.segments
    )
    return replace(
        desired,
        environment=environment,
        segments=segments,
        overrides=tuple(counting),
        notes=(*desired.notes, *_notes(desired, counting, today)),
    )


def in_force(guards: Guards, overrides: Sequence[Override]) -> Guards:
    """Return guards with the limits of overrides, the last of which wins."""
    for one in overrides:
        guards = one.over(guards)
    return guards


def guards_of(desired: DesiredState, address: Address) -> Guards:
    """Return the guards of an address that only the state has."""
    mine = [one for one in desired.overrides if one.selects(address)]
    return in_force(desired.environment.guards, mine)


def _notes(desired: DesiredState, counting: Container[Override], today: date) -> Iterator[str]:
    """Yield a note for each override: what it allows, or why it is ignored."""
    for one in desired.overrides:
        if one.expires < today:
            yield f"{one.place}: this override expired on {one.expires} and is ignored: remove it"
        elif one.expires > today + LONGEST:
            yield f"{one.place}: this override expires over {LONGEST.days} days from now and is ignored"
        elif one not in counting:
            yield f"{one.place}: no completed approval has this override, so it is ignored"
        else:
            yield f"override of {one.selector} until {one.expires} ({one.written}): {one.reason}"
