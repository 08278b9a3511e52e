"""Erase identifiers: from segments at Criteo, the state, and its saved versions. Never prints one."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.desired_state import DesiredState
from reconciler.core.erasure import (
    ErasedPlace,
    ErasureList,
    ErasureRequest,
    added,
    completed,
    line_digests,
    requested,
)
from reconciler.core.errors import Finding, ReconcilerError
from reconciler.core.find import StoredRole, StoredSet, stored_sets
from reconciler.core.members import EMPTY_SNAPSHOT, AudienceRequest, ErasedRows
from reconciler.core.model import HASHINGS, Address, Audience, IdentifierType
from reconciler.core.overridden import with_overrides
from reconciler.core.ownership import not_ours
from reconciler.core.plan.forgotten import credential_of_account
from reconciler.core.plan.lost_access import lost_to_erasure
from reconciler.core.plan.observed import Departure, ErasedAtAddress
from reconciler.core.ports import Clock, MemberEngine, SegmentReader, StateReader, StateWriter
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import former_tags, tag
from reconciler.core.state.resource import MemberSlot, ResourceState, SegmentState, grace_ends_at
from reconciler.operations.observe import listed, reachable
from reconciler.operations.rewrite_snapshots import rewrite_state

Remove = Callable[[Sequence[ErasedAtAddress]], Mapping[Address, ReconcilerError]]
"""Removes members at Criteo; returns the failures."""
NO_ROWS = ErasedRows({})
OpenEngine = Callable[[ErasureList], MemberEngine]
"""Opens an engine with an erasure list that is not stored yet."""


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """`erasures` is the list to store, with the new request. `unusable` are lines without an identifier.

    The sources of the audiences `unread` could not be read: other identifiers in their rows are not known.
    """

    erasures: ErasureList
    engine: MemberEngine
    lines: int
    unusable: tuple[int, ...] = ()
    unread: tuple[str, ...] = ()


def plan_erasure(
    lines: Sequence[str],
    countries: Collection[str],
    before: ErasureList,
    audiences: Sequence[Audience],
    state: StateReader,
    open_engine: OpenEngine,
    now: datetime,
) -> ErasurePlan:
    """Derive every form of the lines, and of the identifiers in the same rows, and search the state."""
    texts = [line for line in lines if line.strip()]
    given = added(before, dict.fromkeys(IdentifierType, texts), countries)
    engine = open_engine(given)
    rows = engine.erased_rows([_request(one) for one in audiences], now.date()) if audiences else NO_ROWS
    known = {kind: values.reveal() for kind, values in rows.identifiers.items()}
    erasures = added(given, known, ())
    if erasures.content.erased != given.content.erased:
        engine = open_engine(erasures)
    digests = tuple(line_digests(erasures, text, countries) for text in texts)
    request = ErasureRequest(now, tuple(filter(None, digests)), places(state, engine))
    numbers = [number for number, line in enumerate(lines, 1) if line.strip()]
    return ErasurePlan(
        erasures=requested(erasures, request),
        engine=engine,
        lines=len(texts),
        unusable=tuple(number for number, found in zip(numbers, digests, strict=True) if not found),
        unread=rows.unread,
    )


def _request(audience: Audience) -> AudienceRequest:
    """All identifier columns of an audience."""
    return AudienceRequest(audience, tuple((kind, HASHINGS[kind][0]) for kind, _ in audience.columns))


def places(state: StateReader, engine: MemberEngine) -> tuple[ErasedPlace, ...]:
    """Return the segments and lists that hold erased members, now or in saved versions."""
    now: dict[tuple[Address, str], dict[StoredRole, int]] = defaultdict(dict)
    then: dict[tuple[Address, str], set[int]] = defaultdict(set)
    for resource in state.resources():
        for stored, count in _counted(resource, engine):
            roles = now[stored.place.address, stored.place.segment_id]
            roles[stored.place.role] = max(count, roles.get(stored.place.role, 0))
    for one in state.versions():
        for resource in state.version(one.serial).resources:
            for stored, _ in _counted(resource, engine):
                then[stored.place.address, stored.place.segment_id].add(one.serial)
    return tuple(
        ErasedPlace(*where, _members(now.get(where, {})), tuple(sorted(then.get(where, ()))))
        for where in sorted({*now, *then})
    )


def _members(roles: Mapping[StoredRole, int]) -> int:
    """Members are in a segment, or maybe in it; others are only to be added, or only on lists."""
    held = roles.get(StoredRole.CONFIRMED, 0) + roles.get(StoredRole.UNCERTAIN, 0)
    return max([held, *roles.values()])


def _counted(resource: ResourceState, engine: MemberEngine) -> Iterator[tuple[StoredSet, int]]:
    for stored in stored_sets(resource):
        if erased := engine.erased(stored.snapshot, (stored.identifier_type, stored.hashings[0])):
            yield stored, erased.count


@dataclass(frozen=True, slots=True)
class ErasureAtCriteo:
    """The removals that can be made, and what stands against others."""

    removals: tuple[ErasedAtAddress, ...]
    problems: tuple[Finding, ...]


def removals(
    desired: DesiredState,
    state: StateReader,
    readers: Mapping[str, SegmentReader],
    engine: MemberEngine,
    now: datetime,
) -> ErasureAtCriteo:
    """Return the erased members of all segments at Criteo: also replaced, forgotten and paused ones.

    A missing segment holds nobody, unless so many are missing that access may be lost. A problem of one
    segment stops no removal from another one.
    """
    resources, head = state.resources(), state.head()
    quiet, name = desired.environment.api.grace_period, desired.environment.name
    leaving = {one.address: [*_departures(one, engine, now, quiet)] for one in resources}
    holding = [one for one in resources if leaving[one.address]]
    if not holding:
        return ErasureAtCriteo((), ())
    there = listed(reachable(desired, resources, readers), resources, frozenset())
    lost = tuple(lost_to_erasure(with_overrides(desired, now.date(), None), resources, there, now.date()))
    segments = {one.id: one for many in there.values() for one in many}
    credentials = {spec.address: spec.credential for spec in desired.segments}
    found: list[ErasedAtAddress] = []
    problems: list[Finding] = []
    for resource in holding:
        at, lineage = resource.address, head.lineage if head else ""
        former = former_tags(name, resource.moved_from, lineage)
        departing = []
        for one in leaving[at]:
            held = dict(resource.slots)[one.slot]
            foreign = not_ours(at, tag(name, at, lineage), (held,), segments, former)
            if wrong := foreign or _unfit(at, held, there, segments):
                problems.append(wrong)
            elif held.segment_id in segments:
                departing.append(one)
        if departing:
            other = credential_of_account(desired, resource.current.key.account_id)
            found.append(ErasedAtAddress(at, credentials.get(at, other), tuple(departing)))
    return ErasureAtCriteo(tuple(found), (*lost, *problems))


def _departures(
    resource: ResourceState, engine: MemberEngine, now: datetime, quiet: timedelta
) -> Iterator[Departure]:
    slot: MemberSlot
    for slot, segment in resource.slots:
        kind = (segment.key.identifier_type, segment.key.hashing)
        base, maybe = engine.abandon_transfer(segment)
        found = [erased for ref in (base, maybe) if (erased := engine.erased(ref, kind))]
        if found:
            _, urgent = engine.mark_uncertain(segment.key.hashing, (EMPTY_SNAPSHOT,), found)
            until = grace_ends_at(segment, quiet)
            yield Departure(slot, base, maybe, urgent, until if until and until > now else None)


def _unfit(
    address: Address,
    held: SegmentState,
    there: Mapping[str, Sequence[Segment]],
    segments: Mapping[str, Segment],
) -> Finding | None:
    where, segment = str(address), segments.get(held.segment_id)
    if held.key.account_id not in there:
        problem = f"the current credentials can't list account {held.key.account_id}"
        return Finding(where, problem, "restore the access, or the seat in environment.yaml")
    if segment is None:
        return None
    if segment.read_only:
        problem = f"segment {segment.id} is read-only at Criteo"
        return Finding(where, problem, "ask the owner of the account at Criteo to lift that")
    if segment.identifier_type != held.key.identifier_type:
        problem = f"segment {segment.id} holds another type at Criteo than in our state"
        return Finding(where, problem, "restore the state, or ask Criteo about the segment")
    return None


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """The list as it is stored now, the addresses from which members were removed, and what failed."""

    erasures: ErasureList
    removed: tuple[Address, ...]
    problems: tuple[Finding, ...]


def carry_out(
    planned: ErasurePlan,
    desired: DesiredState,
    state: StateWriter,
    readers: Mapping[str, SegmentReader],
    remove: Remove,
    clock: Clock,
) -> ErasureResult:
    """Store the list, remove at Criteo, then rewrite the state and its versions.

    The list comes first: whatever happens then, no plan sends the members again. Nothing is rewritten before
    Criteo has acknowledged all removals, because only the state knows what is left to remove.
    """
    state.write_erasures(planned.erasures)
    found = removals(desired, state, readers, planned.engine, clock.now())
    failed = remove(found.removals)
    removed = tuple(one.address for one in found.removals if one.address not in failed)
    problems = (*found.problems, *(Finding(str(at), one.problem, one.remedy) for at, one in failed.items()))
    if problems:
        return ErasureResult(planned.erasures, removed, problems)
    rewrite_state(state, planned.engine, desired.environment.api.grace_period)
    done = completed(planned.erasures, clock.now())
    state.write_erasures(done)
    return ErasureResult(done, removed, ())
