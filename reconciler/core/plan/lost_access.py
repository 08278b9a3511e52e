"""Segments that are missing at Criteo all at once: access to their account may be lost."""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import date

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import Finding
from reconciler.core.model import Address
from reconciler.core.override import EVERYTHING, advice
from reconciler.core.plan.guards import exceeds_max_missing
from reconciler.core.plan.observed import ObservedState
from reconciler.core.remote import Segment
from reconciler.core.rounding import format_limit, percent_up
from reconciler.core.state.resource import ResourceState


def lost_access(
    desired: DesiredState, observed: ObservedState, segments: Container[str]
) -> Iterator[Finding]:
    """Yield a finding for each account with more missing segments than `maxMissing`: access may be lost."""
    wanted = {spec.address for spec in desired.segments}
    managed = _managed(wanted, observed.resources.values(), observed.segments)
    return _beyond_max_missing(desired, managed, segments, observed.now.date())


def lost_to_erasure(
    desired: DesiredState,
    resources: Collection[ResourceState],
    listed: Mapping[str, Collection[Segment]],
    today: date,
) -> Iterator[Finding]:
    """Yield the same for an erasure, which counts forgotten segments too: each may hold erased members."""
    managed = _managed({one.address for one in resources}, resources, listed)
    return _beyond_max_missing(desired, managed, {one.id for many in listed.values() for one in many}, today)


def _beyond_max_missing(
    desired: DesiredState,
    accounts: Mapping[str, Sequence[tuple[Address, str]]],
    segments: Container[str],
    today: date,
) -> Iterator[Finding]:
    limit = desired.environment.guards.max_missing
    file = f"environments/{desired.environment.name}/environment.yaml"
    for account_id, managed in accounts.items():
        gone = [address for address, segment_id in managed if segment_id not in segments]
        if exceeds_max_missing(len(gone), len(managed), limit):
            problem = (
                f"{len(gone)} of {len(managed)} segments of account {account_id} are missing "
                f"at Criteo (limit {format_limit(limit)}, maxMissing): access may be lost"
            )
            remedy = (
                "check the consent and the account in Criteo; if the segments really were deleted: "
                + advice(EVERYTHING, {"maxMissing": percent_up(len(gone) / len(managed))}, today, file)
            )
            yield Finding("", problem, remedy)


def _managed(
    wanted: Container[Address], resources: Iterable[ResourceState], accounts: Container[str]
) -> Mapping[str, Sequence[tuple[Address, str]]]:
    """Return the addresses and IDs of the managed segments, by readable account.

    A forgotten segment counts again if the manifests contain its address again, unless a teardown emptied it:
    it may have been deleted.
    """
    managed: dict[str, list[tuple[Address, str]]] = defaultdict(list)
    for resource in resources:
        if resource.forgotten_at and resource.address not in wanted:
            continue
        for holding in (resource.current, resource.replacement):
            torn_down = resource.forgotten_at is not None and holding is not None and holding.is_empty
            if holding and holding.segment_id and not torn_down:
                managed[holding.key.account_id].append((resource.address, holding.segment_id))
    return {account_id: held for account_id, held in managed.items() if account_id in accounts}
