"""Which segments at Criteo belong to an environment whose state is lost, and their rebuilt resource states.

A segment is ours if it has our ownership tag. A segment with only our name may belong to another owner: it is
adopted only on request. Criteo does not list its members. So `confirmed` is empty, and the resource state
records permanently that unknown members may remain.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from reconciler.core.errors import Finding, RefusedError
from reconciler.core.members import EMPTY_SNAPSHOT, SnapshotRef
from reconciler.core.model import HASHINGS, Address, SegmentKey, SegmentSpec
from reconciler.core.plan.names import is_retired, replacement_name
from reconciler.core.remote import Segment, name_key
from reconciler.core.state.ownership_tag import owner, tag_of
from reconciler.core.state.resource import ResourceState, RetiredSegment, SegmentState, UnconfirmedUpdate


@dataclass(frozen=True, slots=True)
class SegmentMatch:
    """The segments at Criteo of one address. `segment` is the segment to reuse, or None.

    `has_tag`: it has our ownership tag. `replacement` was about to replace it; the `retired` were replaced.
    The `ignored` have our tag too, but another segment is used. `name_match` has only the name: nothing shows
    that it is ours. `conflicts` prevent a rebuild. `pending` are names that unconfirmed creates of the
    address may still take. The tags of `moved_from` count as ours too: old addresses, the oldest first.
    """

    spec: SegmentSpec
    segment: Segment | None = None
    has_tag: bool = True
    replacement: Segment | None = None
    retired: tuple[Segment, ...] = ()
    ignored: tuple[Segment, ...] = ()
    name_match: Segment | None = None
    conflicts: tuple[Finding, ...] = ()
    pending: tuple[UnconfirmedUpdate, ...] = ()
    moved_from: tuple[Address, ...] = ()

    @property
    def replaced(self) -> bool:
        """Return whether the segment does not match the manifests and must be replaced."""
        return self.segment is not None and not _fits(self.segment, self.spec.key)


@dataclass(frozen=True, slots=True)
class RebuildScan:
    """The segments of addresses whose state is lost. `known` are the addresses that still have a state.

    `orphans` have the ownership tag of another address or environment.
    """

    matches: tuple[SegmentMatch, ...]
    known: tuple[ResourceState, ...]
    orphans: tuple[Segment, ...]

    def found(self) -> tuple[SegmentMatch, ...]:
        """Return the matches that can be rebuilt. RefusedError if matches are ambiguous."""
        conflicts = [conflict for one in self.matches for conflict in one.conflicts]
        if conflicts:
            raise RefusedError(
                "the segments at Criteo are ambiguous; nothing was written", findings=conflicts
            )
        return tuple(one for one in self.matches if one.segment)


def match_segments(
    environment: str,
    specs: Iterable[SegmentSpec],
    segments: Sequence[Segment],
    takes: Mapping[Address, str],
    owned: Mapping[str, Address],
    former: Mapping[Address, Sequence[Address]],
) -> tuple[SegmentMatch, ...]:
    """Return the segments of each address. `takes` are segment IDs that the user assigned to addresses.

    `owned` are the addresses of segments in the state, by ID. They are not among `segments`. `former` are the
    old addresses of moved addresses, the newest first: a segment may still have the tag of one of them.
    """
    now = _owners_now(environment, former)
    by_mark: dict[str, list[Segment]] = {}
    for one in segments:
        by_mark.setdefault(now.get(_owner_of(one), _owner_of(one)), []).append(one)
    found = (
        _taken(spec, takes[spec.address], by_mark, owner(environment, spec.address), owned)
        if spec.address in takes
        else _sighted(spec, by_mark, owner(environment, spec.address))
        for spec in specs
    )
    return _each_its_own(
        replace(one, moved_from=tuple(reversed(former.get(one.spec.address, ())))) for one in found
    )


def _owners_now(environment: str, former: Mapping[Address, Sequence[Address]]) -> dict[str, str]:
    """Return the owner in tags of today's addresses, by the owner in tags of their old addresses."""
    return {
        owner(environment, old): owner(environment, address)
        for address, origins in former.items()
        for old in origins
    }


def _owner_of(segment: Segment) -> str:
    """Return the address with this tag, of any lineage; "" if no address has it."""
    found = tag_of(segment.description)
    return found.owner if found else ""


def orphaned_segments(
    environment: str,
    specs: Iterable[SegmentSpec],
    segments: Iterable[Segment],
    former: Mapping[Address, Sequence[Address]],
) -> tuple[Segment, ...]:
    """Return segments with an ownership tag of no address here: of another environment, or forgotten."""
    ours = {owner(environment, spec.address) for spec in specs} | _owners_now(environment, former).keys()
    return tuple(one for one in segments if (tag_owner := _owner_of(one)) and tag_owner not in ours)


def _sighted(spec: SegmentSpec, by_mark: Mapping[str, Sequence[Segment]], ours: str) -> SegmentMatch:
    found = by_mark.get(ours, ())
    retired, standing = _replaced_earlier(spec, found)
    if not standing:
        named = (one for one in by_mark.get("", ()) if _called(one, spec.name))
        here = (one for one in named if one.account_id == spec.key.account_id)
        return SegmentMatch(spec, retired=retired, name_match=next(here, None))
    half_built = [one for one in standing if _called(one, replacement_name(spec.name))]
    first, *others = [one for one in standing if one not in half_built] or half_built
    beside = [] if first in half_built else sorted(half_built, key=partial(_elsewhere, spec))
    return SegmentMatch(
        spec,
        first,
        replacement=next(iter(beside), None),
        retired=retired,
        ignored=tuple(beside[1:]),
        conflicts=(*_unmanageable(spec, found), *(_several(spec, standing) if others else ())),
    )


def _taken(
    spec: SegmentSpec,
    wanted: str,
    by_mark: Mapping[str, Sequence[Segment]],
    ours: str,
    owned: Mapping[str, Address],
) -> SegmentMatch:
    """Return the match for an assigned segment. Other segments with our tag are ignored."""
    found = [(mark, one) for mark, tagged in by_mark.items() for one in tagged if one.id == wanted]
    others = [one for one in by_mark.get(ours, ()) if one.id != wanted]
    retired, ignored = _replaced_earlier(spec, others)
    if not found:
        return SegmentMatch(
            spec, retired=retired, ignored=ignored, conflicts=(_missing(spec, wanted, owned),)
        )
    [(tag_owner, segment)] = found
    return SegmentMatch(
        spec,
        segment,
        has_tag=tag_owner == ours,
        retired=retired,
        ignored=ignored,
        conflicts=(*_unmanageable(spec, (segment, *others)), *_strange(spec, segment, tag_owner, ours)),
    )


def _replaced_earlier(
    spec: SegmentSpec, segments: Sequence[Segment]
) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """Return the retired segments, by their names, and the others."""
    retired = tuple(one for one in segments if is_retired(one.name) and not _called(one, spec.name))
    return retired, tuple(one for one in segments if one not in retired)


def _elsewhere(spec: SegmentSpec, segment: Segment) -> bool:
    """A replacement in the wanted account comes first: otherwise, its name would block the change."""
    return segment.account_id != spec.key.account_id


def _missing(spec: SegmentSpec, wanted: str, owned: Mapping[str, Address]) -> Finding:
    """Return why an assigned segment is not among the segments without an owner."""
    problem = f"there is no segment {wanted} in the accounts of this environment"
    if wanted in owned:
        problem = f"segment {wanted} is the one of {owned[wanted]}, as far as the state knows"
    return Finding(str(spec.address), problem, "`reconciler state rebuild` lists what there is")


def _each_its_own(found: Iterable[SegmentMatch]) -> tuple[SegmentMatch, ...]:
    """Return conflicts for a segment assigned to two addresses: it would have the members of both."""
    sighted, claims = tuple(found), defaultdict[str, list[Address]](list)
    for one in sighted:
        if one.segment and not one.conflicts:
            claims[one.segment.id].append(one.spec.address)
    return tuple(replace(one, conflicts=(*one.conflicts, *_shared(one, claims))) for one in sighted)


def _shared(sighting: SegmentMatch, claims: Mapping[str, Sequence[Address]]) -> Iterator[Finding]:
    number = sighting.segment.id if sighting.segment else ""
    if len(claims.get(number, ())) > 1:
        problem = f"segment {number} is taken for {' and for '.join(map(str, claims[number]))}"
        yield Finding(str(sighting.spec.address), problem, "give it to one of them only")


def _called(segment: Segment, name: str) -> bool:
    return segment.name_key == name_key(name)


def _strange(spec: SegmentSpec, segment: Segment, tag_owner: str, ours: str) -> tuple[Finding, ...]:
    """Return why a segment without our ownership tag can't be adopted for an address, even on request."""
    where = str(spec.address)
    if tag_owner and tag_owner != ours:
        problem = f"segment {segment.id} has the ownership tag of another address or environment"
        return (Finding(where, problem, "if it no longer has one, remove the tag from its description"),)
    if tag_owner != ours and not _fits(segment, spec.key):
        problem = f"segment {segment.id} belongs to another retailer, or holds another identifier type"
        return (Finding(where, problem, "rename it in Criteo; the next apply then makes a new one"),)
    return ()


def _unmanageable(spec: SegmentSpec, segments: Iterable[Segment]) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            str(spec.address),
            f"segment {one.id} has its ownership tag and an identifier type that reconciler can't send",
            "remove the copied tag from its description in Criteo",
        )
        for one in segments
        if one.identifier_type is None
    )


def _several(spec: SegmentSpec, segments: Iterable[Segment]) -> tuple[Finding, ...]:
    ids = " and ".join(one.id for one in segments)
    remedy = f"choose the segment to reuse: `--adopt {spec.address}=ID`; the others are left as they are"
    return (Finding(str(spec.address), f"segments {ids} have its ownership tag", remedy),)


def _fits(segment: Segment, key: SegmentKey) -> bool:
    """Return whether the segment matches, as far as Criteo shows. Criteo does not show the hashing."""
    here = (segment.account_id, segment.retailer_id, segment.identifier_type)
    return here == (key.account_id, key.retailer_id, key.identifier_type)


def is_unused_rebuild(resource: ResourceState) -> bool:
    """Return whether a rebuild created the resource state and nothing was sent since."""
    return not resource.definition and all(
        one.members_unknown_before
        and one.transfer is None
        and one.intent is None
        and one.completed_at is None
        for one in resource.segments
    )


def unmade(resource: ResourceState) -> bool:
    """Return whether the resource state has only unconfirmed creates, so that another segment may be used."""
    return not any(one.segment_id for one in resource.segments)


def pending(resource: ResourceState) -> tuple[UnconfirmedUpdate, ...]:
    """Names that its unanswered creates may still take."""
    asked = tuple(
        UnconfirmedUpdate(one.intent.name, None, one.intent.sent_at)
        for one in resource.segments
        if one.intent
    )
    return (*resource.current.unconfirmed_updates, *asked)


def rebuilt_resource(
    sighting: SegmentMatch,
    now: datetime,
    quiet: timedelta,
    *,
    uncertain: SnapshotRef = EMPTY_SNAPSHOT,
    replace_requested: bool = False,
) -> ResourceState:
    """Return the rebuilt resource state. A call at the time of the loss may still take effect."""
    if sighting.segment is None:
        raise AssertionError(f"nothing was found of {sighting.spec.address}")

    def holding(segment: Segment) -> SegmentState:
        key, until, found = _key(segment, sighting.spec.key), now + quiet, tag_of(segment.description)
        former = found.lineage if found else ""
        return SegmentState(
            key, segment_id=segment.id, grace_until=until, members_unknown_before=now, former_lineage=former
        )

    return ResourceState(
        address=sighting.spec.address,
        current=replace(holding(sighting.segment), uncertain=uncertain, unconfirmed_updates=sighting.pending),
        replacement=holding(sighting.replacement) if sighting.replacement else None,
        retired=tuple(RetiredSegment(holding(one), now) for one in (*sighting.retired, *sighting.ignored)),
        replace_requested=replace_requested,
        moved_from=sighting.moved_from,
    )


def _key(segment: Segment, wanted: SegmentKey) -> SegmentKey:
    """Return the key with the current hashing, because Criteo does not show the earlier one."""
    if segment.identifier_type is None:
        raise AssertionError(f"segment {segment.id} can't be managed")
    forms = HASHINGS[segment.identifier_type]
    form = wanted.hashing if wanted.hashing in forms else forms[0]
    return SegmentKey(segment.account_id, segment.retailer_id, segment.identifier_type, form)
