"""Addresses that left the manifests: forgotten, or emptied or deleted if a `Removed` document says so."""

from collections.abc import Container, Iterator, Mapping

from reconciler.core.desired_state import DesiredState
from reconciler.core.lifecycle import MembersEnd, RemovedAudience, SegmentEnd
from reconciler.core.model import Address
from reconciler.core.plan.change_kinds import Cause
from reconciler.core.plan.changes import Ending, Forget
from reconciler.core.plan.forgotten import credential_of_account
from reconciler.core.plan.model import Blocked
from reconciler.core.plan.observed import ObservedState, TeardownEnd
from reconciler.core.plan.reasons import Removed, RemovedAndKept, RemovedAndMissing
from reconciler.core.plan.teardown import TeardownContext
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import former_tags, tag
from reconciler.core.state.resource import ResourceState


def endings(
    desired: DesiredState, observed: ObservedState, segments: Mapping[str, Segment], only: Container[Address]
) -> Iterator[Ending | Blocked]:
    """Yield what becomes of each address in `only` that left the manifests; nothing of a paused environment.

    An address whose segment cannot be emptied or deleted safely is blocked, and stays managed.
    """
    if desired.environment.paused:
        return
    wanted = {spec.address for spec in desired.segments}
    unmoved = set(observed.conflicts.values())
    for address, resource in sorted(observed.resources.items()):
        if address in wanted or address not in only or address in unmoved:
            continue
        document = desired.end_of(address)
        if document is None or document.keeps_all:
            if not resource.forgotten_at:
                yield _forget(resource, observed, segments, document)
            continue
        context = _context(document, desired, observed, resource, segments)
        cause = Cause.GUARD if resource.protected else Cause.SEGMENT
        found = [Blocked(address, one, cause) for one in context.findings()]
        yield from found
        if not found and (change := context.change()):
            yield change


def _forget(
    resource: ResourceState,
    observed: ObservedState,
    segments: Mapping[str, Segment],
    document: RemovedAudience | None,
) -> Forget:
    current = resource.current
    readable = current.key.account_id in observed.segments
    gone = readable and bool(current.segment_id) and current.segment_id not in segments
    kept = RemovedAndKept() if document else Removed()
    drop = gone and resource.replacement is None and not resource.retired
    reason = RemovedAndMissing(current.segment_id) if gone else kept
    return Forget(resource.address, current.size, drop, reason)


def _context(
    document: RemovedAudience,
    desired: DesiredState,
    observed: ObservedState,
    resource: ResourceState,
    segments: Mapping[str, Segment],
) -> TeardownContext:
    environment = desired.environment
    lineage = observed.head.lineage if observed.head else ""
    return TeardownContext(
        resource,
        tag(environment.name, resource.address, lineage),
        credential_of_account(desired, resource.current.key.account_id),
        segments,
        observed,
        observed.emptyings if document.members is MembersEnd.REMOVE else {},
        environment.api.grace_period,
        TeardownEnd.DELETE if document.segment is SegmentEnd.DELETE else TeardownEnd.FORGET,
        former_tags(environment.name, resource.moved_from, lineage),
        "keep the segment: `segment: keep`",
    )


def without_address(desired: DesiredState, observed: ObservedState) -> Iterator[RemovedAudience]:
    """Yield the documents that select no address of the state: they are done, or name nothing."""
    for document in desired.removed:
        if not any(desired.end_of(address) is document for address in observed.resources):
            yield document
