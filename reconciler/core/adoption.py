"""Existing segments that `Adopt` documents bring under management: which are suitable, and their first state.

Another tool created and filled the segment, and Criteo does not list its members. The baseline states how
reconciler continues: reuse the segment, assume the members of a file, or replace the segment.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.core.errors import Finding
from reconciler.core.members import EMPTY_SNAPSHOT, SnapshotRef
from reconciler.core.model import Address, SegmentSpec, SourceLocation
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag, tag_of
from reconciler.core.state.resource import ResourceState, SegmentState


class Baseline(StrEnum):
    """How an adopted segment continues. The next apply sends all wanted members in each case.

    REUSE: unknown members may remain. ASSUME: the members of a file may be held, and are removed unless they
    are wanted. REPLACE: a new segment is filled and takes the name; the old one stays at Criteo.
    """

    REUSE = "reuse"
    ASSUME = "assume"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Adoption:
    """An `Adopt` document at `place`. `file` is a pattern below the data root, with ASSUME only."""

    address: Address
    segment_id: str
    baseline: Baseline
    place: SourceLocation
    file: str = ""

    @property
    def digest(self) -> str:
        """Return what an approval is bound to: the segment, the baseline and the file."""
        stated = [self.segment_id, self.baseline, self.file]
        return hashlib.sha256(json.dumps(stated).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AdoptionContext:
    """The inputs of a check. `owned` are the addresses of all segments in the state, by ID.

    `segments` are the listed segments of the account, by ID. `tag` is the ownership tag of the address in
    this state.
    """

    environment: str
    spec: SegmentSpec
    tag: Tag
    segments: Mapping[str, Segment]
    owned: Mapping[str, Address]


def why_not(one: Adoption, context: AdoptionContext) -> Finding | None:
    """Return why the segment cannot be adopted for the address; None if it can."""
    where, segment = str(one.address), context.segments.get(one.segment_id)
    if one.segment_id in context.owned:
        owner = context.owned[one.segment_id]
        problem = f"segment {one.segment_id} is already the segment of {owner}"
        return Finding(where, problem, f"correct `segmentId` at {one.place}, or remove the document")
    if segment is None:
        problem = f"there is no segment {one.segment_id} in account {context.spec.key.account_id}"
        remedy = f"`reconciler dump {context.environment}` lists the segments to adopt ({one.place})"
        return Finding(where, problem, remedy)
    return _claimed(segment, context) or _unsuitable(segment, one, context) or _beside(segment, context)


def _claimed(segment: Segment, context: AdoptionContext) -> Finding | None:
    """Return a finding if the segment has the ownership tag of another address, environment or state."""
    where, found = str(context.spec.address), tag_of(segment.description)
    if found is None or found == context.tag:
        return None
    if found.owner != context.tag.owner:
        return Finding(
            where,
            f"segment {segment.id} has the ownership tag of another environment or address",
            "if nothing else manages it, delete the tag from its description in Criteo",
        )
    return Finding(
        where,
        f"segment {segment.id} has the ownership tag of this address and of another state",
        f"if this state lost it: `reconciler state rebuild {context.environment} --only {where}`; if another "
        "state manages it, run every job with that one (`state.url`)",
    )


def _unsuitable(segment: Segment, one: Adoption, context: AdoptionContext) -> Finding | None:
    """Return a finding if the destination cannot send to the segment."""
    where, key = str(one.address), context.spec.key
    if segment.retailer_id != key.retailer_id:
        problem = f"segment {segment.id} belongs to another retailer than {key.retailer_id}"
        return Finding(where, problem, "adopt it for an audience of a destination with its seat")
    if segment.identifier_type != key.identifier_type:
        held = segment.identifier_type or "an unknown type"
        problem = f"segment {segment.id} holds {held}, and the destination sends {key.identifier_type}"
        return Finding(where, problem, "adopt it for an audience of a destination with its identifier type")
    if segment.read_only:
        problem = f"segment {segment.id} is read-only at Criteo"
        remedy = f"ask the owner of the account to lift that, or remove the document at {one.place}"
        return Finding(where, problem, remedy)
    return None


def _beside(segment: Segment, context: AdoptionContext) -> Finding | None:
    """Return a finding if an unknown segment has the ownership tag of the address.

    A segment that the state knows may still have the tag of the address that it moved from.
    """
    known = {segment.id, *context.owned}
    others = (one for one in context.segments.values() if one.id not in known)
    tagged = ((one, tag_of(one.description)) for one in others)
    other = next((one for one, found in tagged if found and found.owner == context.tag.owner), None)
    if other is None:
        return None
    return Finding(
        str(context.spec.address),
        f"segment {other.id} has the ownership tag of this address, and this state does not know it",
        f"adopt that one instead, with `reconciler state rebuild {context.environment} --reuse --only "
        f"{context.spec.address}`; if the tag was copied, delete it from the description in Criteo",
    )


def adopted_resource(
    one: Adoption, spec: SegmentSpec, now: datetime, assumed: SnapshotRef = EMPTY_SNAPSHOT
) -> ResourceState:
    """Return the first resource state of an adopted segment. The `assumed` members may be held."""
    unknown = None if one.baseline is Baseline.ASSUME else now
    held = SegmentState(
        spec.key, segment_id=one.segment_id, uncertain=assumed, members_unknown_before=unknown
    )
    return ResourceState(one.address, held, replace_requested=one.baseline is Baseline.REPLACE)
