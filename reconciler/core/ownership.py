"""Whether a segment is ours, by its ownership tag, and the finding if it is not."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from reconciler.core.errors import Finding
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import Tag, owner, tag_of
from reconciler.core.state.resource import SegmentState

_OTHER_SEGMENT = (
    "the state belongs to another segment or was edited: restore it, or ask Criteo about the segment"
)
ANOTHER_TITLE = "change the title, the destination's nameSuffix or the environment's namePrefix"


def not_ours(
    address: Address,
    tag: Tag,
    holdings: Iterable[SegmentState | None],
    segments: Mapping[str, Segment],
    former: Iterable[Tag] = (),
) -> Finding | None:
    """Return a finding if a segment in the state does not belong to `address` any more.

    A missing tag is drift. After a rebuild, the tag still has the lineage of the lost state. `former` are the
    tags of the addresses that it was moved from.
    """
    owners = {tag.owner, *(one.owner for one in former)}
    for holding in filter(None, holdings):
        segment = segments.get(holding.segment_id)
        found = tag_of(segment.description) if segment else None
        if found is None or (found.owner in owners and found.lineage in _lineages(tag, holding)):
            continue
        if found.owner not in owners:
            return _of_another_address(address, holding)
        return _of_another_state(address, holding, found, tag)
    return None


def unfit(spec: SegmentSpec, segment: Segment, *, touched: bool) -> Finding | None:
    """Return a finding if Criteo would refuse changes to this segment."""
    where = str(spec.address)
    if segment.identifier_type != spec.key.identifier_type:
        return Finding(
            where,
            f"segment {segment.id} holds {segment.identifier_type or 'an unknown type'} at Criteo, "
            f"and {spec.key.identifier_type} in our state",
            _OTHER_SEGMENT,
        )
    if segment.retailer_id != spec.key.retailer_id:
        listed = f"retailer {segment.retailer_id}" if segment.retailer_id else "no retailer"
        return Finding(
            where,
            f"Criteo lists segment {segment.id} under {listed}; the state has it under retailer "
            f"{spec.key.retailer_id}",
            _OTHER_SEGMENT,
        )
    if segment.read_only and touched:
        return Finding(
            where,
            f"segment {segment.id} is read-only at Criteo",
            "ask the owner of the account at Criteo to lift that, or take the audience out of the manifests",
        )
    return None


def shared_segment(address: Address, segment: Segment, what: str) -> Finding:
    """Return why a segment that other accounts may use is not changed in this way."""
    return Finding(
        str(address),
        f"segment {segment.id} is shared with other accounts at Criteo ({segment.sharing}), and it would be "
        f"{what}: audiences of these accounts may be built on it",
        "stop sharing it in Criteo first",
    )


def lost_state(
    environment: str,
    addresses: Collection[Sequence[Address]],
    resources: Collection[object],
    segments: Iterable[Segment],
) -> Finding | None:
    """Segments have this environment's ownership tag, and its state knows of none at all.

    Each of the addresses comes with its old ones.
    """
    there = _owners(segments)
    tagged = [many for many in addresses if any(owner(environment, one) in there for one in many)]
    if resources or not tagged:
        return None
    return Finding(
        "",
        f"{len(tagged)} of {len(addresses)} segments have this environment's ownership tag, but the state "
        "has none of them: it looks lost",
        f"if `state.url` is right, recreate the state: `reconciler state rebuild {environment}`; if the tags "
        "were copied, delete them from the descriptions in Criteo",
    )


def unknown(
    environment: str, address: Address, tags: Iterable[Tag], segments: Iterable[Segment]
) -> Finding | None:
    """A segment has a tag of an address of which the state knows nothing: a second one would be made.

    `tags` are those of the address and of its old addresses.
    """
    there = _owners(segments)
    held = next((there[one.owner] for one in tags if one.owner in there), None)
    if held is None:
        return None
    return Finding(
        str(address),
        f"segment {held.id} has the ownership tag of this address, and this state does not know it",
        _known_elsewhere(environment, address, held),
    )


def _owners(segments: Iterable[Segment]) -> dict[str, Segment]:
    """Return one segment for each owner."""
    return {found.owner: one for one in segments if (found := tag_of(one.description))}


def _known_elsewhere(environment: str, address: Address, held: Segment) -> str:
    return (
        f"if this state lost it, adopt it: {by_rebuild(environment, address, held)}; if another state "
        "manages it, run every job with that one (`state.url`); if the tag was copied, delete it from the "
        "description in Criteo"
    )


def by_rebuild(environment: str, address: Address, held: Segment) -> str:
    """Return how to adopt a segment for an address that the state lost, or of which it has a create only."""
    rebuild = f"reconciler state rebuild {environment} --reuse --only {address}"
    return f"`{rebuild} --adopt {address}={held.id}`"


def by_document(environment: str, address: Address, held: Segment) -> str:
    """Return how to adopt a segment for an address that the state does not have."""
    document = f'{{kind: Adopt, address: "{address}", segmentId: "{held.id}", baseline: reuse}}'
    return f"append `--- {document}` to environments/{environment}/adopt.yaml"


HowToAdopt = Callable[[str, Address, Segment], str]
"""`by_document` or `by_rebuild`."""


def taken_name(
    environment: str, address: Address, name: str, held: Segment, tag: Tag, how: HowToAdopt
) -> Finding:
    """Return a finding: an address without a segment wants a name that an unmanaged segment has."""
    found, problem = tag_of(held.description), f"Criteo already has a segment named “{name}” ({held.id})"
    adopt = how(environment, address, held)
    if found is None:
        return Finding(
            str(address),
            f"{problem} that reconciler did not create: it has no ownership tag",
            f"to adopt it: {adopt}; otherwise {ANOTHER_TITLE}",
        )
    if found.owner == tag.owner:
        return Finding(
            str(address),
            f"{problem} with the ownership tag of this address, and this state does not know it",
            f"{_known_elsewhere(environment, address, held)}, and {ANOTHER_TITLE}",
        )
    return Finding(
        str(address),
        f"{problem} with the ownership tag of another environment or address",
        f"{ANOTHER_TITLE}; if nothing else manages it, delete the tag from its description in Criteo and "
        f"adopt it: {adopt}",
    )


def taken_beside(address: Address, name: str, held: Segment, tag: Tag) -> Finding:
    """Return a finding for an address that has a segment of its own, so that it cannot adopt another one."""
    found, problem = tag_of(held.description), f"Criteo already has a segment named “{name}” ({held.id})"
    if found is None:
        return Finding(
            str(address),
            f"{problem} that reconciler did not create: it has no ownership tag",
            f"{ANOTHER_TITLE}, or rename that segment in Criteo",
        )
    whose = "this address" if found.owner == tag.owner else "another environment or address"
    return Finding(
        str(address),
        f"{problem} with the ownership tag of {whose}, and this state does not know it",
        f"{ANOTHER_TITLE}; if nothing else manages that segment, rename it in Criteo",
    )


def taken_unseen(environment: str, address: Address, name: str) -> Finding:
    """Return a finding for a name that is in use, although Criteo's search does not show its segment yet."""
    return Finding(
        str(address),
        f"Criteo refused the name “{name}” as taken, and its search does not show by which segment",
        f"{ANOTHER_TITLE}; once the search shows the segment, `reconciler plan {environment}` names it",
    )


def _lineages(tag: Tag, holding: SegmentState) -> tuple[str, str]:
    return tag.lineage, holding.former_lineage


def _of_another_address(address: Address, holding: SegmentState) -> Finding:
    return Finding(
        str(address),
        f"segment {holding.segment_id} has the ownership tag of another environment or address",
        "to keep it here, delete that tag from its description in Criteo; to leave it to the other one, give "
        "this audience another `name:` and another title",
    )


def _of_another_state(address: Address, holding: SegmentState, found: Tag, tag: Tag) -> Finding:
    return Finding(
        str(address),
        f"segment {holding.segment_id} has the ownership tag of another state of this environment: lineage "
        f"{found.lineage}…, and this state is {tag.lineage}…",
        "run every job with one state (`state.url`); if the other one is out of use, delete the tag from the "
        "segment's description in Criteo",
    )
