"""Find the suppressed members in the segments of each address, by trusted lists."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from reconciler.core.lists import ListChange, compared, list_refusals, untrusted
from reconciler.core.members import EMPTY_SNAPSHOT, SnapshotRef, TargetMembers
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentSpec
from reconciler.core.plan.observed import Departure, MemberDiff
from reconciler.core.plan.suppressed_removals import slots
from reconciler.core.ports import MemberEngine
from reconciler.core.remote import Segment
from reconciler.core.state.resource import ResourceState, SegmentState, Slot


def departures(
    specs: Sequence[SegmentSpec],
    resources: Mapping[Address, ResourceState],
    present: Mapping[str, Segment],
    comparisons: Mapping[Address, MemberDiff],
    targets: Mapping[Address, TargetMembers],
    lists: Mapping[Address, Sequence[ListChange]],
    engine: MemberEngine,
) -> dict[Address, tuple[Departure, ...]]:
    """Return suppressed members in existing segments, also if a source or another list can't be used."""
    found = {}
    for spec in specs:
        resource = resources.get(spec.address)
        if resource is None or not spec.audience.exclusion_lists:
            continue
        at = spec.address
        refused = any(True for _ in list_refusals(spec, lists.get(at, ())))
        known = None if refused else comparisons.get(at)
        found[at] = tuple(
            _known(engine, slot, holding, known, targets[at])
            if known and holding.key == spec.key
            else _listed(engine, slot, holding, spec, resources.values())
            for slot, holding in slots(resource)
            if holding.segment_id in present
        )
    return found


def _known(
    engine: MemberEngine, slot: Slot, holding: SegmentState, comparison: MemberDiff, target: TargetMembers
) -> Departure:
    """Return members on the lists, and members in the same row."""
    base, maybe = engine.abandon_transfer(holding)
    current = not comparison.resumes and (comparison.confirmed, comparison.uncertain) == (base, maybe)
    return Departure(
        slot, base, maybe, comparison.priority_removes if current else engine.suppressed(holding, target)
    )


def _listed(
    engine: MemberEngine,
    slot: Slot,
    holding: SegmentState,
    spec: SegmentSpec,
    resources: Collection[ResourceState],
) -> Departure:
    """Return members on readable and trusted lists, independent of the source."""
    base, maybe = engine.abandon_transfer(holding)
    kind = (holding.key.identifier_type, holding.key.hashing)
    nobody = TargetMembers(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, 0, ())
    leaving = [
        engine.suppressed(holding, replace(nobody, suppressed=one))
        for one in _trusted(engine, spec, kind, resources)
    ]
    _, urgent = engine.mark_uncertain(holding.key.hashing, (EMPTY_SNAPSHOT,), leaving)
    return Departure(slot, base, maybe, urgent)


def _trusted(
    engine: MemberEngine,
    spec: SegmentSpec,
    kind: tuple[IdentifierType, Hashing],
    resources: Collection[ResourceState],
) -> list[SnapshotRef]:
    read = engine.listed(spec.audience, [kind])[kind]
    changes = compared(spec.address, [one for one, _ in read], resources, engine.missing)
    refused = untrusted(spec, changes)
    return [members for one, members in read if one.place not in refused]
