"""Read what the `Adopt` documents of a run need: their segments, and the files of assumed members."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.core.adoption import Adoption, AdoptionContext, Baseline, adopted_resource, why_not
from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.members import EMPTY_SNAPSHOT, AudienceRequest, DropReason, SnapshotRef
from reconciler.core.model import Address, SegmentSpec, Source, SourceLocation
from reconciler.core.ports import MemberEngine
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import tag
from reconciler.core.state.resource import ResourceState


@dataclass(slots=True)
class AdoptedSegments:
    """The first resource states of adopted segments, and why other segments are not adopted.

    `unread`: findings about the files of addresses that are not adopted for this reason.
    """

    resources: dict[Address, ResourceState] = field(default_factory=dict)
    not_adoptable: dict[Address, Finding] = field(default_factory=dict)
    unread: dict[Address, tuple[Finding, ...]] = field(default_factory=dict)


def adoptions(desired: DesiredState, resources: Mapping[Address, ResourceState]) -> Iterator[tuple[str, str]]:
    """Yield the account and the segment of each `Adopt` document whose address has no resource state."""
    accounts = {spec.address: spec.key.account_id for spec in desired.segments}
    for one in desired.adoptions:
        if one.address not in resources:
            yield accounts[one.address], one.segment_id


def adopt_segments(
    desired: DesiredState,
    specs: Sequence[SegmentSpec],
    resources: Mapping[Address, ResourceState],
    lineage: str,
    segments: Mapping[str, Sequence[Segment]],
    engine: MemberEngine,
    now: datetime,
) -> AdoptedSegments:
    """Check the `Adopt` documents of addresses without a resource state. `segments` are keyed by account."""
    documents = {one.address: one for one in desired.adoptions if one.address not in resources}
    waiting = [(documents[spec.address], spec) for spec in specs if spec.address in documents]
    owned = {held.segment_id: one.address for one in resources.values() for held in one.segments}
    environment, found, suitable = desired.environment.name, AdoptedSegments(), list[_Waiting]()
    for one, spec in waiting:
        listed = {segment.id: segment for segment in segments[spec.key.account_id]}
        ours = tag(environment, spec.address, lineage)
        if finding := why_not(one, AdoptionContext(environment, spec, ours, listed, owned)):
            found.not_adoptable[one.address] = finding
        else:
            suitable.append((one, spec))
    members = _assumed(suitable, engine, now)
    for one, spec in suitable:
        held = members.get(one.address, EMPTY_SNAPSHOT)
        if isinstance(held, SnapshotRef):
            found.resources[one.address] = adopted_resource(one, spec, now, held)
        else:
            found.unread[one.address] = held
    return found


_Waiting = tuple[Adoption, SegmentSpec]


def _assumed(
    suitable: Iterable[_Waiting], engine: MemberEngine, now: datetime
) -> dict[Address, SnapshotRef | tuple[Finding, ...]]:
    """Return the members in the file of each adoption with assumed members, or findings about the file."""
    reading = [(one, spec) for one, spec in suitable if one.baseline is Baseline.ASSUME]
    requests = [file_request(spec, one.file, one.place, str(one.address)) for one, spec in reading]
    built = engine.build(requests, now.date(), lambda _: None) if requests else {}
    found: dict[Address, SnapshotRef | tuple[Finding, ...]] = {}
    for (one, _), request in zip(reading, requests, strict=True):
        target = built[request.audience.name]
        if isinstance(target, ConfigurationError):
            found[one.address] = target.findings or (Finding(str(one.place), target.problem, target.remedy),)
        elif target[request.kinds[0]].dropped(DropReason.ERASED):
            found[one.address] = (_erased_members(one),)
        elif members := target[request.kinds[0]].members:
            found[one.address] = members
        else:
            found[one.address] = (_no_members(one, request.kinds[0][0]),)
    return found


def _erased_members(one: Adoption) -> Finding:
    """The state stores no erased member, so it could not remove them."""
    return Finding(
        str(one.address),
        f"the file of assumed members has erased members, and segment {one.segment_id} may hold them",
        "remove them with the tool that filled the segment, and from the file; or set `baseline: replace` "
        f"({one.place}), and delete the old segment at Criteo",
    )


def _no_members(one: Adoption, identifier_type: str) -> Finding:
    return Finding(
        str(one.place),
        f"the file of assumed members has no usable {identifier_type}",
        "name the file that the segment was filled from, with the columns of the audience",
    )


def file_request(spec: SegmentSpec, pattern: str, place: SourceLocation, name: str) -> AudienceRequest:
    """Return the request for all members in files, hashed as in the segment. `name` identifies the result.

    The files have the columns of the audience. Its condition and its lists do not apply.
    """
    kind = (spec.key.identifier_type, spec.key.hashing)
    audience = replace(
        spec.audience,
        name=name,
        source=Source((pattern,), place=place),
        columns=tuple(one for one in spec.audience.columns if one[0] == kind[0]),
        places=(),
        exclusion_lists=(),
        suppression_lists=(),
    )
    return AudienceRequest(audience, (kind,))
