"""Find the suppressed members in the segments of each address, by trusted lists, and compare lists alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from reconciler.core.list_refusals import list_refusals, untrusted
from reconciler.core.lists import AppliedLists, ListChange, compared
from reconciler.core.members import EMPTY_SNAPSHOT, AppliedList, ReadList, SnapshotRef, TargetMembers
from reconciler.core.model import HASHINGS, Address, Exclusion, SegmentSpec
from reconciler.core.plan.observed import Departure, MemberDiff
from reconciler.core.ports import MemberEngine
from reconciler.core.remote import Segment
from reconciler.core.state.resource import MemberSlot, ResourceState, RetiredSlot, SegmentState

_NOBODY = TargetMembers(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, 0, ())


@dataclass(frozen=True, slots=True)
class Departures:
    """Looks for suppressed members in segments that exist at Criteo.

    `comparisons`, `targets` and `lists` are those of addresses whose sources are usable. `known` are the
    lists last applied at each address.
    """

    engine: MemberEngine
    present: Mapping[str, Segment]
    comparisons: Mapping[Address, MemberDiff]
    targets: Mapping[Address, TargetMembers]
    lists: Mapping[Address, Sequence[ListChange]]
    known: AppliedLists
    today: date

    def all(
        self,
        specs: Iterable[SegmentSpec],
        forgotten: Iterable[SegmentSpec],
        resources: Mapping[Address, ResourceState],
    ) -> dict[Address, tuple[Departure, ...]]:
        """Return suppressed members by address, also if a source or another list can't be used.

        Retired and forgotten segments lose members of suppression lists only.
        """
        managed = {one.address: tuple(self._of_managed(one, resources)) for one in specs}
        others = {one.address: tuple(self._of_forgotten(one, resources)) for one in forgotten}
        return {address: found for address, found in (managed | others).items() if found}

    def lists_alone(
        self, specs: Iterable[SegmentSpec], resources: Mapping[Address, ResourceState]
    ) -> dict[Address, tuple[ListChange, ...]]:
        """Return the readable lists of addresses whose sources can't be read, without what they match."""
        unread = [one for one in specs if one.address not in self.targets]
        own = {one.address: resources[one.address].lists for one in unread if one.address in resources}
        return {one.address: self._alone(one, own.get(one.address, ())) for one in unread}

    def _of_managed(
        self, spec: SegmentSpec, resources: Mapping[Address, ResourceState]
    ) -> Iterator[Departure]:
        resource, at, suppressing = resources.get(spec.address), spec.address, spec.audience.suppression_lists
        declared = (*suppressing, *spec.audience.exclusion_lists)
        if resource is None or not declared:
            return
        refused = any(True for _ in list_refusals(spec, self.lists.get(at, ()), self.today))
        known = None if refused else self.comparisons.get(at)
        for slot, holding in resource.slots:
            if holding.segment_id not in self.present:
                continue
            if isinstance(slot, RetiredSlot):
                yield self._listed(slot, holding, spec, suppressing, resource.lists)
            elif known and holding.key == spec.key:
                yield self._known(slot, holding, known, self.targets[at])
            else:
                yield self._listed(slot, holding, spec, declared, resource.lists)

    def _of_forgotten(
        self, spec: SegmentSpec, resources: Mapping[Address, ResourceState]
    ) -> Iterator[Departure]:
        """Lists are compared with records of other addresses: those of a forgotten address get old."""
        for slot, holding in resources[spec.address].slots:
            if holding.segment_id in self.present:
                yield self._listed(slot, holding, spec, spec.audience.suppression_lists, ())

    def _known(
        self, slot: MemberSlot, holding: SegmentState, comparison: MemberDiff, target: TargetMembers
    ) -> Departure:
        """Return members on the lists, and members in the same row."""
        base, maybe = self.engine.abandon_transfer(holding)
        current = not comparison.resumes and (comparison.confirmed, comparison.uncertain) == (base, maybe)
        urgent = comparison.priority_removes if current else self.engine.suppressed(holding, target)
        return Departure(slot, base, maybe, urgent)

    def _listed(
        self,
        slot: MemberSlot,
        holding: SegmentState,
        spec: SegmentSpec,
        declared: Sequence[Exclusion],
        own: Sequence[AppliedList],
    ) -> Departure:
        """Return members on readable and trusted lists, independent of the source."""
        base, maybe = self.engine.abandon_transfer(holding)
        leaving = [
            self.engine.suppressed(holding, replace(_NOBODY, suppressed=one))
            for one in self._trusted(holding, spec, declared, own)
        ]
        _, urgent = self.engine.mark_uncertain(holding.key.hashing, (EMPTY_SNAPSHOT,), leaving)
        return Departure(slot, base, maybe, urgent)

    def _trusted(
        self,
        holding: SegmentState,
        spec: SegmentSpec,
        declared: Sequence[Exclusion],
        own: Sequence[AppliedList],
    ) -> list[SnapshotRef]:
        kind = (holding.key.identifier_type, holding.key.hashing)
        read = self.engine.listed(declared, [kind])[kind]
        refused = untrusted(spec, self._compared(spec, [one for one, _ in read], own), self.today)
        return [members for one, members in read if one.place not in refused]

    def _alone(self, spec: SegmentSpec, own: Sequence[AppliedList]) -> tuple[ListChange, ...]:
        """Compare each column of a list that a column of the source would be matched with."""
        audience = spec.audience
        declared = (*audience.suppression_lists, *audience.exclusion_lists)
        kinds = [(one, HASHINGS[one][0]) for one, _ in audience.columns]
        found = self.engine.listed(declared, kinds).values()
        read = {(one.place, one.identifier_type): one for many in found for one, _ in many}
        return self._compared(spec, [*read.values()], own)

    def _compared(
        self, spec: SegmentSpec, now: Sequence[ReadList], own: Sequence[AppliedList]
    ) -> tuple[ListChange, ...]:
        return compared(spec.address, now, own, self.known, self.engine.missing)
