"""Addresses that changed at Criteo since the last apply. Drift is reported, not fixed."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.core.definition import is_drift
from reconciler.core.desired_state import DesiredState
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.plan.changes import AttributeChange, attribute_changes
from reconciler.core.plan.losses import MemberCounts, is_filled, is_lost, is_settled
from reconciler.core.remote import Segment, Statistics
from reconciler.core.schedule import seen_at
from reconciler.core.state.ownership_tag import Tag, former_tags, owner, tag, tag_of
from reconciler.core.state.resource import ResourceState, SegmentState

PROMPTLY = timedelta(minutes=5)
"""Criteo may record one of our calls this much later than we sent it."""

SOFT, SOFT_SHARE = 10, 0.01
"""A smaller difference of counts shows nothing, because Criteo counts in its own way."""


class NotComparable(StrEnum):
    """Why the members of an address can't be compared now."""

    RECENT = "recent"
    """Something was sent since Criteo's last computation."""

    IN_PROGRESS = "in_progress"
    """A transfer is not finished, or a request is unconfirmed."""

    UNKNOWN = "unknown"
    """The segment may hold members of a lost state."""

    EMPTY = "empty"
    """Nothing was sent yet."""

    NO_COUNT = "no_count"
    """Criteo has no count yet."""


class OutsideChange(StrEnum):
    """What others did to a segment."""

    RENAMED = "renamed"
    DESCRIBED = "described"
    UNTAGGED = "untagged"
    """The ownership tag was removed from the description."""

    CLEARED = "cleared"
    MEMBERS_LOST = "members_lost"
    FILLED = "filled"


@dataclass(frozen=True, slots=True)
class Drift:
    """One address that changed outside reconciler. In `attributes`, `before` is ours and `after` is Criteo's.

    `counts` are given if they differ. `touched_at`: when it was changed after our last change.
    `in_manifests`: the manifests contain it. `untracked_segment_id`: a segment with its ownership tag that is
    in no state.
    """

    address: Address
    title: str
    attributes: tuple[AttributeChange, ...] = ()
    member_counts: MemberCounts | None = None
    touched_at: datetime | None = None
    missing_segment_id: str = ""
    in_manifests: bool = True
    untracked_segment_id: str = ""

    def __bool__(self) -> bool:
        return bool(self.attributes or self.member_counts or self.touched_at or self.missing_segment_id)

    @property
    def attribute_changes(self) -> tuple[OutsideChange, ...]:
        """Return what others did to the name and the description."""
        return tuple(_attribute_change(one) for one in self.attributes)

    @property
    def member_change(self) -> OutsideChange | None:
        """Return what others did to the members; None if the counts differ too little to tell."""
        counts = self.member_counts
        if counts is None:
            return None
        if is_lost(counts):
            return OutsideChange.MEMBERS_LOST if counts.counted else OutsideChange.CLEARED
        return OutsideChange.FILLED if is_filled(counts) else None


def _attribute_change(one: AttributeChange) -> OutsideChange:
    if one.name == "name":
        return OutsideChange.RENAMED
    return OutsideChange.DESCRIBED if tag_of(one.after) else OutsideChange.UNTAGGED


def detect_drift(
    desired: DesiredState,
    lineage: str,
    resources: Mapping[Address, ResourceState],
    segments: Mapping[str, Segment],
    statistics: Mapping[str, Statistics],
) -> Iterator[Drift]:
    """Yield the addresses that changed outside reconciler. Only applied and managed addresses are compared.

    `segments` and `statistics` are keyed by segment ID. If a manifest changed since it was applied, name and
    description are compared with the applied and with the current values.
    """
    specs = {spec.address: spec for spec in desired.segments}
    name = desired.environment.name
    for address, resource in sorted(resources.items()):
        if resource.forgotten_at or not resource.current.segment_id:
            continue
        segment, whose = segments.get(resource.current.segment_id), tag(name, address, lineage)
        former = former_tags(name, resource.moved_from, lineage)
        found = _drift(resource, specs.get(address), (whose, *former), segment, statistics)
        if found:
            yield found


def untracked_segments(
    desired: DesiredState, known: Container[Address], segments: Iterable[Segment]
) -> Iterator[Drift]:
    """Yield addresses that are in no state, while segments at Criteo have their ownership tag."""
    owners = {owner(desired.environment.name, spec.address): spec for spec in desired.segments}
    for segment in segments:
        found = tag_of(segment.description)
        spec = owners.get(found.owner) if found else None
        if spec and spec.address not in known:
            yield Drift(spec.address, segment.name, untracked_segment_id=segment.id)


def uncounted(holding: SegmentState, now: datetime) -> NotComparable | None:
    """Return why members cannot be compared, or None if they can.

    They can if Criteo's last computation includes all that we sent, no transfer is unfinished, and all
    members are known.
    """
    if not is_settled(holding):
        return NotComparable.IN_PROGRESS
    if holding.members_unknown_before is not None:
        return NotComparable.UNKNOWN
    if holding.completed_at is None:
        return NotComparable.EMPTY
    return NotComparable.RECENT if now < seen_at(holding.completed_at) else None


def _drift(
    resource: ResourceState,
    spec: SegmentSpec | None,
    tags: tuple[Tag, ...],
    segment: Segment | None,
    statistics: Mapping[str, Statistics],
) -> Drift:
    holding = resource.current
    name = spec.name if spec else ""
    if segment is None:
        return Drift(
            resource.address, name, missing_segment_id=holding.segment_id, in_manifests=spec is not None
        )
    whose, former = tags[0], tags[1:]
    applied = spec is not None and resource.definition == spec.definition
    differing = attribute_changes(segment, spec, whose) if spec else ()
    changes = tuple(one for one in differing if applied or is_drift(one, resource, whose, former))
    return Drift(
        address=resource.address,
        title=name or segment.name,
        attributes=_turned(changes) if spec else (),
        member_counts=_counts(holding, statistics.get(holding.segment_id)),
        in_manifests=spec is not None,
        touched_at=_touched(holding, segment),
    )


def _turned(changes: tuple[AttributeChange, ...]) -> tuple[AttributeChange, ...]:
    return tuple(AttributeChange(one.name, one.after, one.before) for one in changes)


def _counts(holding: SegmentState, reported: Statistics | None) -> MemberCounts | None:
    """Return the two counts if they differ. Members from a lost state are counted too and can hide a loss."""
    if reported is None or reported.identifiers is None:
        return None
    found = MemberCounts(holding.confirmed.count - holding.rejected, reported.identifiers)
    apart = abs(found.acknowledged - found.counted) > max(SOFT, SOFT_SHARE * found.acknowledged)
    return found if is_lost(found) or (apart and holding.members_unknown_before is None) else None


def _touched(holding: SegmentState, segment: Segment) -> datetime | None:
    """Return when another party changed the segment; None while our own calls are under way."""
    ours, theirs = holding.last_changed_at, segment.updated_at
    if ours is None or theirs is None or holding.unconfirmed_updates or not is_settled(holding):
        return None
    return theirs if theirs > ours + PROMPTLY else None
