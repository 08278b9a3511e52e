"""Rebuild a lost state from the manifests, Criteo, and the options of `state rebuild`."""

import glob
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import ConfigurationError, Finding, StorageError
from reconciler.core.members import SnapshotRef, TargetMembers
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.ports import MemberEngine, SegmentReader, StateWriter
from reconciler.core.state.rebuild import (
    RebuildScan,
    SegmentMatch,
    is_unused_rebuild,
    match_segments,
    orphaned_segments,
    pending,
    rebuilt_resource,
    unmade,
)
from reconciler.core.state.resource import ResourceState
from reconciler.operations.adopt_segments import file_request


def scan_segments(
    desired: DesiredState,
    only: Container[Address],
    named: Container[Address],
    takes: Mapping[Address, str],
    readers: Mapping[str, SegmentReader],
    resources: Collection[ResourceState],
) -> RebuildScan:
    """List the segments of every account of the environment. Raises what the readers raise.

    Addresses in `named` may be rebuilt again, if no run has used the earlier rebuild. A segment may be
    adopted in place of an unconfirmed create.
    """
    accounts = {spec.key.account_id: spec.credential for spec in desired.segments}
    unanswered = {one.address: pending(one) for one in resources if one.address in takes and unmade(one)}
    held = {
        one.address: one
        for one in resources
        if one.address not in unanswered and (one.address not in named or not is_unused_rebuild(one))
    }
    owned = {one.segment_id: resource.address for resource in held.values() for one in resource.segments}
    listed = [
        segment
        for account, credential in sorted(accounts.items())
        for segment in readers[credential].segments(account)
        if segment.id not in owned
    ]
    selected = [spec for spec in desired.segments if spec.address in only]
    lost = [spec for spec in selected if spec.address not in held]
    name = desired.environment.name
    former = {spec.address: desired.former(spec.address) for spec in desired.segments}
    return RebuildScan(
        matches=tuple(
            replace(one, pending=unanswered.get(one.spec.address, ()))
            for one in match_segments(name, lost, listed, takes, owned, former)
        ),
        known=tuple(held[spec.address] for spec in selected if spec.address in held),
        orphans=orphaned_segments(name, desired.segments, listed, former),
    )


def check_lost(seen: RebuildScan, asked: Container[Address], again: Container[Address]) -> None:
    """Raise StorageError if the state has all selected addresses, or an address `asked` for by name.

    Addresses in `again` are rebuilt on request, and may be in the state.
    """
    known = [one.address for one in seen.known if one.address not in again]
    nothing = not seen.matches and len(known) == len(seen.known)
    if not_lost := [one for one in known if nothing or one in asked]:
        raise StorageError(
            f"the state knows {', '.join(map(str, not_lost))}: nothing is lost of it",
            remedy="`reconciler state restore` goes back to what was known before",
        )


def reuse_segments(
    found: Sequence[SegmentMatch], state: StateWriter, now: datetime, quiet: timedelta
) -> tuple[ResourceState, ...]:
    """Record the segments without confirmed members: the next apply sends all wanted members."""
    return _written([rebuilt_resource(one, now, quiet) for one in found], state)


def replace_segments(
    found: Sequence[SegmentMatch],
    known: Sequence[ResourceState],
    state: StateWriter,
    now: datetime,
    quiet: timedelta,
) -> tuple[ResourceState, ...]:
    """Record that the next apply creates new segments. `known` addresses may have unknown members."""
    rebuilt = [rebuilt_resource(one, now, quiet, replace_requested=True) for one in found]
    return _written([*rebuilt, *(replace(one, replace_requested=True) for one in known)], state)


def assume_members(
    one: SegmentMatch, members: SnapshotRef, file: str, state: StateWriter, now: datetime, quiet: timedelta
) -> tuple[ResourceState, ...]:
    """Record `members` as uncertain: apply sends each of them once more, or removes it."""
    if one.replaced:
        problem = f"{one.spec.address}: its segment is to be replaced, and no member is removed from it"
        raise StorageError(problem, remedy="use --reuse: the next apply makes a new segment and fills it")
    state.store_snapshot(members, file)
    return _written([rebuilt_resource(one, now, quiet, uncertain=members)], state)


def _written(resources: Sequence[ResourceState], state: StateWriter) -> tuple[ResourceState, ...]:
    for resource in resources:
        state.write(resource)
    return tuple(resources)


def members_in_file(file: Path, spec: SegmentSpec, engine: MemberEngine, today: date) -> TargetMembers:
    """Return the identifiers in a file, hashed as in the segment; the engine reads the folder of the file.

    Raises ConfigurationError if it has none.
    """
    pattern, place = glob.escape(file.name), spec.audience.source.place
    request = file_request(spec, pattern, place, spec.audience.name)
    built = engine.build([request], today, lambda _: None)[request.audience.name]
    if isinstance(built, ConfigurationError):
        causes = built.findings or [Finding("", built.problem, built.remedy)]
        findings = [Finding(str(file), one.problem, one.remedy) for one in causes]
        raise ConfigurationError(f"{file} can't be read as members of {spec.address}", findings=findings)
    kind = request.kinds[0]
    target = built[kind]
    if not target.members:
        raise ConfigurationError(
            f"{spec.address}: there is no {kind[0]} in that file that could have been sent",
            remedy="name the file that was the source of what Criteo holds",
        )
    return target
