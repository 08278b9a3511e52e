"""Read the inputs of the planner once: segments, resource states, members. Reads only."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import AuthenticationError, RejectedError
from reconciler.core.lifecycle import SegmentEnd
from reconciler.core.lists import AppliedLists, compared
from reconciler.core.members import (
    EMPTY_SNAPSHOT,
    NO_DELTA,
    MemberComparison,
    SnapshotRef,
    TargetMembers,
)
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.plan.address_context import receiving_segment
from reconciler.core.plan.forgotten import forgotten_specs
from reconciler.core.plan.losses import doubted, is_computed, loss
from reconciler.core.plan.observed import MemberDiff, ObservedState
from reconciler.core.plan.teardown import with_confirmed_creates
from reconciler.core.ports import Clock, MemberEngine, SegmentReader, StateReader
from reconciler.core.remote import RateLimit, Segment, Statistics
from reconciler.core.reuse import is_reached
from reconciler.core.state.model import StateHead
from reconciler.core.state.moves import with_moves, without_superseded
from reconciler.core.state.resource import ResourceState, SegmentState, Slot, remaining
from reconciler.operations.adopt_segments import adopt_segments, adoptions
from reconciler.operations.read_sources import NO_READINGS, EarlierReadings, read_sources
from reconciler.operations.suppressed import Departures

NOBODY = TargetMembers(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, 0, ())
ProgressCallback = Callable[[str], None]
"""Receives what is being read now, in a few words."""


@dataclass(frozen=True, slots=True)
class LoadedState:
    """What a state contains, read once. `superseded`: old addresses whose move was interrupted."""

    head: StateHead | None
    resources: tuple[ResourceState, ...]
    superseded: Mapping[Address, Address] = field(default_factory=dict)

    @classmethod
    def of(cls, state: StateReader) -> "LoadedState":
        head = state.head()
        return cls(head, *without_superseded(state.resources()))


def observe(
    desired: DesiredState,
    only: Container[Address],
    readers: Mapping[str, SegmentReader],
    state: LoadedState,
    engine: MemberEngine,
    clock: Clock,
    progress: ProgressCallback,
    check: Callable[[], None],
    counted: Container[Address] = (),
    earlier: EarlierReadings = NO_READINGS,
) -> ObservedState:
    """Read Criteo and the sources, each once; `readers` are keyed by credential.

    `check` is called after segments are listed and before sources are read; it may raise to stop.
    `counted`: addresses whose member count is read from Criteo, if it can be compared with what was
    acknowledged. Each takes one request. `earlier` are readings of sources that need not be repeated.
    Raises what the readers raise. An address with an unusable source has no target.
    """
    now = clock.now()
    moves = with_moves(state.resources, (spec.address for spec in desired.segments), desired.moved)
    resources = dict(moves.resources)
    removed = [at for at in resources if at in only and desired.end_of(at)]
    specs = [spec for spec in desired.segments if spec.address in only]
    accounts = reachable(desired, resources.values(), readers)
    progress("reading segments")
    listing = _listed(accounts, {spec.key.account_id for spec in desired.segments})
    _probe_others(specs, accounts, readers)
    check()
    segments = _confirmed(accounts, (*_held(resources.values()), *adoptions(desired, resources)), listing)
    present = {one.id: one for listed in segments.values() for one in listed}
    lineage = state.head.lineage if state.head else ""
    confirmed = with_confirmed_creates(resources.values(), present, desired.environment.name, lineage)
    resources |= {at: confirmed[at] for at in removed}
    adopted = adopt_segments(desired, specs, resources, lineage, segments, engine, now)
    held = _receiving(specs, {**resources, **adopted.resources}, present)
    asked = [one for at, (slot, one) in held.items() if at in counted and slot == "current"]
    statistics = counts([one for one in asked if is_computed(one, now)], accounts, progress)
    lost = {at for at, (_, one) in held.items() if loss(one, statistics.get(one.segment_id), now)}

    def reached(spec: SegmentSpec, target: TargetMembers) -> bool:
        resource = resources.get(spec.address)
        return spec.address not in lost and is_reached(spec, resource, target, present, now)

    read = read_sources(specs, engine, earlier, reached, now, progress)
    for address in adopted.unread:
        read.targets.pop(address, None)
    progress("comparing members")
    comparisons = _comparisons(engine, {at: one for at, (_, one) in held.items()}, read.targets, lost)
    applied = AppliedLists.of(resources.values())
    lists = {
        at: compared(at, one.lists, applied.at(at), applied, engine.missing, one.members)
        for at, one in read.targets.items()
    }
    leaving = Departures(engine, present, comparisons, read.targets, lists, applied, now.date())
    forgotten = forgotten_specs(desired, resources.values(), only)
    return ObservedState(
        head=state.head,
        resources=resources,
        segments=segments,
        targets=read.targets,
        comparisons=comparisons,
        statistics=statistics,
        rates=rates(readers),
        now=now,
        unread=read.unread | adopted.unread,
        departures=leaving.all(specs, forgotten.values(), resources),
        lists=lists,
        lists_alone=leaving.lists_alone(specs, resources),
        records=read.records,
        reused=read.reused,
        emptyings=emptyings(engine, [resources[at] for at in removed], present),
        origins=moves.origins,
        conflicts=moves.conflicts,
        superseded=state.superseded,
        users=built_on([resources[at] for at in removed if _is_deleted(desired, at)], present, accounts),
        adopted=adopted.resources,
        not_adoptable=adopted.not_adoptable,
    )


def _receiving(
    specs: Iterable[SegmentSpec], resources: Mapping[Address, ResourceState], present: Mapping[str, Segment]
) -> dict[Address, tuple[Slot, SegmentState]]:
    """Return the segment that receives the members of each address, if there is one."""
    found = {spec.address: receiving_segment(spec, resources.get(spec.address), present) for spec in specs}
    return {address: one for address, one in found.items() if one}


def _comparisons(
    engine: MemberEngine,
    receiving: Mapping[Address, SegmentState],
    targets: Mapping[Address, TargetMembers],
    lost: Container[Address],
) -> dict[Address, MemberDiff]:
    """Return the member diff of each address with a target. If Criteo lost members, all are sent again.

    Before the first transfer to an adopted or rebuilt segment, all members of lists may be in it.
    """
    engine.compare(
        [
            MemberComparison(one.key.hashing, one.confirmed, targets[at].members, targets[at].suppressed)
            for at, one in receiving.items()
            if at in targets and at not in lost and _is_compared(one, targets[at])
        ]
    )
    return {
        at: (_compare_lost if at in lost else _way_to_compare(one))(engine, one, targets[at])
        for at, one in receiving.items()
        if at in targets
    }


def _way_to_compare(one: SegmentState) -> Callable[[MemberEngine, SegmentState, TargetMembers], MemberDiff]:
    is_unknown = one.members_unknown_before is not None and one.completed_at is None
    return _compare_unknown if is_unknown else compare


def _is_compared(one: SegmentState, target: TargetMembers) -> bool:
    """Return whether the confirmed members are all that the segment may hold, and differ from the target."""
    return one.transfer is None and not one.uncertain and one.confirmed != target.members


def reachable(
    desired: DesiredState, resources: Iterable[ResourceState], readers: Mapping[str, SegmentReader]
) -> dict[str, SegmentReader]:
    """Return each account in use, with a reader that may list it.

    An account that only resource states name (its seat was removed from the manifests) is read with the
    credential that replaced it for that address, or with any.
    """
    accounts = {spec.key.account_id: readers[spec.credential] for spec in desired.segments}
    by_address = {spec.address: spec.credential for spec in desired.segments}
    fallback = next(iter(readers), None)
    for resource in resources:
        credential = by_address.get(resource.address, fallback)
        for holding in resource.segments:
            if credential is not None:
                accounts.setdefault(holding.key.account_id, readers[credential])
    return accounts


def listed(
    accounts: Mapping[str, SegmentReader], resources: Iterable[ResourceState], needed: Container[str]
) -> dict[str, tuple[Segment, ...]]:
    """Return the segments of each account, with unlisted segments that are found by ID."""
    return _confirmed(accounts, _held(resources), _listed(accounts, needed))


def _listed(accounts: Mapping[str, SegmentReader], needed: Container[str]) -> dict[str, tuple[Segment, ...]]:
    """List the segments; skip an account that only old resource states name and that is closed to us."""
    segments = {}
    for account, reader in accounts.items():
        try:
            segments[account] = reader.segments(account)
        except (AuthenticationError, RejectedError):
            if account in needed:
                raise
    return segments


def _probe_others(
    specs: Iterable[SegmentSpec],
    accounts: Mapping[str, SegmentReader],
    readers: Mapping[str, SegmentReader],
) -> None:
    """Check that each credential reaches each of its accounts, so that none fails during apply."""
    for credential, account in sorted({(spec.credential, spec.key.account_id) for spec in specs}):
        if readers[credential] is not accounts[account]:
            readers[credential].probe(account)


def _held(resources: Iterable[ResourceState]) -> Iterator[tuple[str, str]]:
    """Yield the account and the ID of each segment in the state."""
    for resource in resources:
        yield from ((held.key.account_id, held.segment_id) for held in resource.segments if held.segment_id)


def _confirmed(
    accounts: Mapping[str, SegmentReader],
    wanted: Iterable[tuple[str, str]],
    segments: Mapping[str, tuple[Segment, ...]],
) -> dict[str, tuple[Segment, ...]]:
    """Look up a segment by ID if the listing lacks it, before it counts as missing."""
    missing: dict[str, list[str]] = defaultdict(list)
    ids = {account: {one.id for one in listed} for account, listed in segments.items()}
    for account, segment_id in wanted:
        if account in ids and segment_id not in ids[account]:
            missing[account].append(segment_id)
    return {
        account: (*listed, *(accounts[account].segments_by_id(account, ids) if ids else ()))
        for account, listed in segments.items()
        for ids in [missing.get(account, [])]
    }


def compare(engine: MemberEngine, holding: SegmentState, target: TargetMembers) -> MemberDiff:
    moving = holding.transfer
    base, maybe, collapsed = holding.confirmed, holding.uncertain, False
    if moving is not None and moving.target == target.members:
        left = remaining(moving)
        # A member suppressed since must not wait behind the additions of the older order.
        if not _newly_suppressed(engine, holding, target, moving.priority_removes):
            return MemberDiff(base, maybe, moving.priority_removes, left, resumes=True)
    if moving is not None:
        (base, maybe), collapsed = engine.abandon_transfer(holding), True
    if base == target.members and not maybe:
        return MemberDiff(base, maybe, EMPTY_SNAPSHOT, NO_DELTA, collapsed)
    urgent = engine.suppressed(holding, target)
    delta = engine.delta(base, maybe, target.members, urgent)
    return MemberDiff(base, maybe, urgent, delta, collapsed)


def _compare_lost(engine: MemberEngine, holding: SegmentState, target: TargetMembers) -> MemberDiff:
    """Compare without confirmed members: all of the target is sent, and all other members are removed."""
    return replace(compare(engine, doubted(holding), target), abandoned=True)


def _compare_unknown(engine: MemberEngine, holding: SegmentState, target: TargetMembers) -> MemberDiff:
    """Compare a segment whose members nobody recorded: all members of lists are removed from it first."""
    if not target.suppressed:
        return compare(engine, holding, target)
    named = (holding.uncertain, target.suppressed)
    _, uncertain = engine.mark_uncertain(holding.key.hashing, (holding.confirmed,), named)
    diff = compare(engine, replace(holding, uncertain=uncertain), target)
    return diff if diff.resumes else replace(diff, abandoned=True)


def emptyings(
    engine: MemberEngine, resources: Iterable[ResourceState], present: Container[str]
) -> dict[str, MemberDiff]:
    """Return the members to remove from each segment at Criteo, so that none is left, by segment ID."""
    return {
        one.segment_id: compare(engine, one, NOBODY)
        for resource in resources
        for one in resource.segments
        if one.segment_id in present
    }


def built_on(
    resources: Iterable[ResourceState], present: Container[str], accounts: Mapping[str, SegmentReader]
) -> dict[str, tuple[str, ...]]:
    """Return the audiences at Criteo that are built on each segment of these addresses."""
    asked: dict[str, list[str]] = defaultdict(list)
    for one in (one for resource in resources for one in resource.segments):
        if one.segment_id in present:
            asked[one.key.account_id].append(one.segment_id)
    found: dict[str, tuple[str, ...]] = {}
    for account, ids in sorted(asked.items()):
        found |= accounts[account].audiences_on(account, ids)
    return found


def _is_deleted(desired: DesiredState, address: Address) -> bool:
    document = desired.end_of(address)
    return document is not None and document.segment is SegmentEnd.DELETE


def _newly_suppressed(
    engine: MemberEngine, holding: SegmentState, target: TargetMembers, urgent: SnapshotRef
) -> bool:
    """Return whether members are suppressed now that were not when the order was computed."""
    if not target.suppressed:
        return False
    return engine.delta(urgent, EMPTY_SNAPSHOT, engine.suppressed(holding, target), EMPTY_SNAPSHOT).adds > 0


def counts(
    holdings: Sequence[SegmentState], accounts: Mapping[str, SegmentReader], progress: ProgressCallback
) -> dict[str, Statistics]:
    """Return the counts by segment, one request each. A segment that is missing by then is skipped."""
    found = {}
    for number, holding in enumerate(holdings, 1):
        progress(f"reading counts ({number} of {len(holdings)})")
        account, reader = holding.key.account_id, accounts[holding.key.account_id]
        try:
            found[holding.segment_id] = reader.statistics(account, holding.segment_id)
        except RejectedError:
            if reader.segments_by_id(account, [holding.segment_id]):
                raise
    return found


def rates(readers: Mapping[str, SegmentReader]) -> dict[str, RateLimit]:
    rates = {credential: reader.rate_limit() for credential, reader in readers.items()}
    return {credential: rate for credential, rate in rates.items() if rate is not None}
