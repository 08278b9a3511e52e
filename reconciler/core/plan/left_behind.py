"""Segments that a test environment left behind at Criteo, with members or without a state."""

from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.desired_state import DesiredState
from reconciler.core.model import Address
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import LINEAGE_DIGITS, owner, tag_of
from reconciler.core.state.resource import ResourceState


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A segment with members of a forgotten address; without an address, a segment that no state knows."""

    segment_id: str
    address: Address | None = None
    members: int = 0


def left_behind(
    desired: DesiredState,
    lineage: str,
    resources: Collection[ResourceState],
    segments: Mapping[str, Segment],
    only: Container[Address],
) -> Iterator[LeftBehind]:
    """Yield the segments that a test environment left behind: one with a `sample`.

    Unknown segments have the name prefix of the environment, or a tag of its state. They are yielded if all
    addresses are selected. A segment with the tag of a declared address is drift, and not yielded.
    """
    if desired.environment.sample_rows is None:
        return
    for resource in sorted(resources, key=lambda one: one.address):
        for one in resource.segments if resource.forgotten_at and resource.address in only else ():
            if one.segment_id in segments and not one.is_empty:
                count = one.confirmed.count + one.uncertain.count
                yield LeftBehind(one.segment_id, resource.address, count)
    if all(one.address in only for one in resources):
        known = {one.segment_id for resource in resources for one in resource.segments}
        declared = {owner(desired.environment.name, spec.address) for spec in desired.segments}
        for segment_id, segment in sorted(segments.items()):
            if segment_id not in known and _is_ours(
                segment, desired.environment.name_prefix, lineage, declared
            ):
                yield LeftBehind(segment_id)


def _is_ours(segment: Segment, prefix: str, lineage: str, declared: Container[str]) -> bool:
    found = tag_of(segment.description)
    if found and found.owner in declared:
        return False
    tagged = bool(found and lineage and found.lineage == lineage[:LINEAGE_DIGITS])
    return tagged or bool(prefix and segment.name.startswith(prefix))
