"""The notes of a plan: what its reader should know, although it blocks nothing."""

from collections.abc import Collection, Iterable, Iterator

from reconciler.core.adoption import Baseline
from reconciler.core.desired_state import DesiredState
from reconciler.core.list_refusals import called
from reconciler.core.model import Address, ListKind, SegmentSpec
from reconciler.core.plan.changes import Change, Ending, Replace, address_of
from reconciler.core.plan.endings import without_address
from reconciler.core.plan.losses import excess
from reconciler.core.plan.observed import ObservedState
from reconciler.core.plan.promotion_gates import differs_on_purpose, weaker_gates
from reconciler.core.plan.rejections import rejections

NAMED = 5
"""A note names at most this many addresses."""


def notes(
    changes: Collection[Change],
    specs: Iterable[SegmentSpec],
    desired: DesiredState,
    observed: ObservedState,
) -> Iterator[str]:
    """Yield the notes about these changes, about the `specs` of the plan, and about the whole state."""
    specs = tuple(specs)
    yield from _paused(desired)
    yield from _unread_while_paused(specs, observed)
    yield from _removed_already(desired, observed)
    yield from _idle_overrides(desired, observed)
    yield from _special_segments(specs, observed)
    yield from _filled(changes, specs, observed)
    yield from _mixed_hashing(changes, desired.environment.name)
    yield from _ineffective_lists(changes, observed)
    yield from _ineffective_suppression(observed)
    yield from _retired_segments(desired, observed)
    yield from _unknown_members(desired, observed)
    yield from _adopted_as_they_are(desired, observed)
    yield from _leftover_adoptions(desired, observed)
    yield from _rejected_identifiers(specs, observed)
    yield from differs_on_purpose(desired)
    yield from weaker_gates(desired, observed)


def kept_by_others(addresses: Iterable[Address]) -> Iterator[str]:
    """Yield one note for suppressed members in segments that have another address's ownership tag."""
    if found := sorted(addresses):
        yield (
            "members of lists stay in a segment with the ownership tag of another environment or address: "
            f"{_named(found)}. If the tag was copied, delete it from the segment's description in Criteo; "
            "else only the other environment or address can remove them"
        )


def _paused(desired: DesiredState) -> Iterator[str]:
    if desired.environment.paused:
        yield (
            f"{desired.environment.name} is paused: nothing is sent, except removals of members on exclusion "
            "lists, and no address is forgotten (`paused` in environment.yaml)"
        )


def _unread_while_paused(specs: Iterable[SegmentSpec], observed: ObservedState) -> Iterator[str]:
    """Yield one note for paused audiences with an unreadable source or list: it may hold back removals."""
    unread = [spec.address for spec in specs if spec.audience.paused and spec.address in observed.unread]
    if unread:
        yield (
            f"paused, and a source or an exclusion list can't be read: {_named(sorted(unread))}. Members are "
            "removed by the readable lists only"
        )


def _removed_already(desired: DesiredState, observed: ObservedState) -> Iterator[str]:
    for one in without_address(desired, observed):
        yield f"{one.place}: the state has no address {one.selector}: the document is done, or names nothing"


def _idle_overrides(desired: DesiredState, observed: ObservedState) -> Iterator[str]:
    known = {*observed.resources, *(spec.address for spec in desired.segments)}
    for one in desired.overrides:
        if not any(map(one.selects, known)):
            yield f"{one.place}: there is no address {one.selector}, so this override allows nothing"


def _special_segments(specs: Iterable[SegmentSpec], observed: ObservedState) -> Iterator[str]:
    """Yield notes about segments that Criteo lists as shared or read-only."""
    listed = {one.id: one for many in observed.segments.values() for one in many}
    known = ((spec.address, observed.resources.get(spec.address)) for spec in specs)
    found = [(at, listed.get(one.current.segment_id)) for at, one in known if one]
    if shared := sorted(at for at, one in found if one and one.is_shared):
        yield (
            f"shared with other accounts at Criteo: {_named(shared)}. Members are sent as usual; a shared "
            "segment is never replaced, emptied or deleted"
        )
    if read_only := sorted(at for at, one in found if one and one.read_only):
        yield f"read-only at Criteo: {_named(read_only)}. A change of these segments is blocked"


def _filled(
    changes: Iterable[Change], specs: Iterable[SegmentSpec], observed: ObservedState
) -> Iterator[str]:
    """Yield one note for all segments that others filled and that this plan does not replace."""
    replaced = {address_of(one) for one in changes if isinstance(one, Replace)}
    known = ((spec.address, observed.resources.get(spec.address)) for spec in specs)
    found = sorted(
        at
        for at, one in known
        if one and at not in replaced
        if excess(one.current, observed.statistics.get(one.current.segment_id), observed.now)
    )
    if found:
        yield (
            f"Criteo counts more identifiers than were sent: {_named(found)}. Find out who else sends to "
            "these segments; `repair: auto` in environment.yaml plans a new segment, once for each address"
        )


def _mixed_hashing(changes: Iterable[Change], environment: str) -> Iterator[str]:
    """Yield one note for each sent column that contains both hashed and plain values."""
    seen = set()
    for change in changes:
        if isinstance(change, Ending) or not change.members.target.mixed:
            continue
        column = (change.spec.audience.name, change.spec.key.identifier_type)
        if column not in seen:
            seen.add(column)
            yield (
                f"{column[0]}: some values of the {column[1]} column came already hashed, the others plain; "
                f"none is hashed twice (`reconciler explain {environment} {change.spec.address}` counts them)"
            )


def _ineffective_lists(changes: Iterable[Change], observed: ObservedState) -> Iterator[str]:
    """Yield one note for each new list that excludes no member, although list and source have members."""
    found = dict.fromkeys(
        f"{address.audience}: no row of the source has a member of {called(one)} ({one.identifier_type}), "
        "so the list excludes nobody; unless this is intended, check its column, and that both write "
        "identifiers alike"
        for address in map(address_of, changes)
        for change in observed.lists.get(address, ())
        if change.before is None and (one := change.now) and one.kind is ListKind.EXCLUSION
        if one.members and one.matches.rows and not one.matches.found
    )
    yield from list(found)[:NAMED]
    if len(found) > NAMED:
        yield f"{len(found) - NAMED} more exclusion lists exclude nobody"


def _ineffective_suppression(observed: ObservedState) -> Iterator[str]:
    """Yield one note for each new suppression list of which no source has a member."""
    found: dict[str, bool] = {}
    for change in (one for changes in observed.lists.values() for one in changes):
        one = change.now
        if one and one.kind is ListKind.SUPPRESSION and one.members and one.matches.rows:
            text = f"{called(one)} ({one.identifier_type})"
            found[text] = found.get(text, True) and change.before is None and not one.matches.found
    for text in (text for text, ineffective in found.items() if ineffective):
        yield (
            f"no source has a member of {text}; unless this is intended, check its column, and that "
            "lists and sources write identifiers alike"
        )


def _retired_segments(desired: DesiredState, observed: ObservedState) -> Iterator[str]:
    """Yield one note for all retired segments with members. Every later plan repeats it."""
    held = {
        address: sum(not one.segment.is_empty for one in resource.retired)
        for address, resource in sorted(observed.resources.items())
    }
    if left := {address: number for address, number in held.items() if number}:
        number = sum(left.values())
        yield (
            f"replaced, and still at Criteo with all their members: {number} "
            f"segment{'' if number == 1 else 's'} of {_named(left)}. Members of suppression lists are "
            f"removed there, members excluded since are not. Delete these segments in Criteo once no "
            f"audience uses them; `reconciler state show {desired.environment.name}` lists them"
        )


def _unknown_members(desired: DesiredState, observed: ObservedState) -> Iterator[str]:
    """Yield one note for all segments that may contain members from before the state or the adoption."""
    lost = [
        address for address, resource in sorted(observed.resources.items()) if resource.members_unknown_before
    ]
    if lost:
        yield (
            f"unknown members may remain in adopted or rebuilt segments: {_named(lost)}. `reconciler state "
            f"rebuild {desired.environment.name} --replace` makes the next apply replace these segments"
        )


def _adopted_as_they_are(desired: DesiredState, observed: ObservedState) -> Iterator[str]:
    """Yield one note for the segments that this plan adopts with members that nobody recorded."""
    found = [one.address for one in desired.adoptions if one.baseline is Baseline.REUSE]
    if reused := sorted(at for at in found if at in observed.adopted):
        yield (
            f"adopted with `baseline: reuse`: {_named(reused)}. Members of today's lists are removed first. "
            "Others whom only the former tool knew stay, also if they opt out later. If that tool can export "
            "its members, write `baseline: assume` with this `file`"
        )


def _leftover_adoptions(desired: DesiredState, observed: ObservedState) -> Iterator[str]:
    """Yield notes about the `Adopt` documents of addresses that the state has already."""
    done, other = list[Address](), list[Address]()
    for one in sorted(desired.adoptions, key=lambda one: one.address):
        if resource := observed.resources.get(one.address):
            ours = any(held.segment_id == one.segment_id for held in resource.segments)
            (done if ours else other).append(one.address)
    if done:
        yield f"adopted: {_named(done)}. Remove the Adopt documents of these addresses"
    if other:
        yield (
            f"not adopted: {_named(other)} had a segment already, which stays. Remove the Adopt documents of "
            "these addresses"
        )


def _rejected_identifiers(specs: Iterable[SegmentSpec], observed: ObservedState) -> Iterator[str]:
    """Yield a note for each address with too many rejected identifiers, until a changed list is accepted."""
    found = list(rejections(specs, observed.resources))
    for spec, one in found[:NAMED]:
        yield f"{spec.address}: {one.problem}; a corrected list is sent as usual"
    if len(found) > NAMED:
        yield f"Criteo rejected more than maxInvalid allows at {len(found) - NAMED} more addresses"


def _named(addresses: Collection[Address]) -> str:
    """Return the first addresses, and how many more there are."""
    more = f" and {len(addresses) - NAMED} more" if len(addresses) > NAMED else ""
    return ", ".join(map(str, list(addresses)[:NAMED])) + more
