"""Rewrite every snapshot that holds erased members: of the state, of its saved versions, of an import."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from reconciler.core.members import AppliedList, Kind, SnapshotRef
from reconciler.core.model import Hashing
from reconciler.core.ports import MemberEngine, StateWriter
from reconciler.core.state import resource as knowledge
from reconciler.core.state.resource import ResourceState, SegmentState, Transfer, grace_ends_at

Store = Callable[[SnapshotRef, str], None]
"""Stores a snapshot, with its local file."""


@dataclass(slots=True)
class SnapshotRewriter:
    """The engine has the erasure list, and `quiet` is how long an unconfirmed request may take effect."""

    engine: MemberEngine
    store: Store
    quiet: timedelta
    _known: dict[tuple[SnapshotRef, Kind], SnapshotRef] = field(default_factory=dict)

    def resource(self, resource: ResourceState) -> ResourceState:
        """Return the resource state without erased members. Its new snapshots are stored."""
        replacement = resource.replacement
        retired = (replace(one, segment=self._segment(one.segment)) for one in resource.retired)
        return replace(
            resource,
            current=self._segment(resource.current),
            replacement=self._segment(replacement) if replacement else None,
            retired=tuple(retired),
            lists=tuple(map(self._list, resource.lists)),
        )

    def _segment(self, segment: SegmentState) -> SegmentState:
        """A transfer ends if it names an erased member: its positions count members of all its snapshots."""
        kind = (segment.key.identifier_type, segment.key.hashing)
        moving = segment.transfer
        named = (segment.confirmed, segment.uncertain, *(_named(moving) if moving else ()))
        if all(self._clean(one, kind) == one for one in named):
            return segment
        confirmed, uncertain = self.engine.abandon_transfer(segment)
        without = (self._clean(confirmed, kind), self._clean(uncertain, kind))
        for one in without:
            self._keep(one)
        until = grace_ends_at(segment, self.quiet)
        return replace(knowledge.abandon_transfer(segment, *without), grace_until=until)

    def _list(self, one: AppliedList) -> AppliedList:
        listed, matches = (one.identifier_type, Hashing.SHA256), one.matches
        excluded = (matches.identifier_type, matches.hashing)
        found = self._clean(matches.found, listed), self._clean(matches.excluded, excluded)
        members = self._clean(one.members, listed)
        for ref in (*found, members):
            self._keep(ref)
        return replace(one, members=members, matches=replace(matches, found=found[0], excluded=found[1]))

    def _clean(self, snapshot: SnapshotRef, kind: Kind) -> SnapshotRef:
        if (snapshot, kind) not in self._known:
            erased = self.engine.erased(snapshot, kind)
            left = self.engine.without(kind[1], snapshot, erased) if erased else snapshot
            self._known[snapshot, kind] = left
        return self._known[snapshot, kind]

    def _keep(self, snapshot: SnapshotRef) -> None:
        if snapshot:
            self.store(snapshot, self.engine.file(snapshot))


def _named(moving: Transfer) -> tuple[SnapshotRef, SnapshotRef]:
    return moving.target, moving.priority_removes


def rewrite_state(state: StateWriter, engine: MemberEngine, quiet: timedelta) -> int:
    """Rewrite the state and all its saved versions. Return how many documents were rewritten.

    The old snapshots are removed at once. An interrupted call resumes: what is rewritten stays as it is.
    """
    rewriter, rewritten = SnapshotRewriter(engine, state.store_snapshot, quiet), 0
    for resource in state.resources():
        after = rewriter.resource(resource)
        if after != resource:
            state.write(after)
            rewritten += 1
    for one in state.versions():
        version = state.version(one.serial)
        resources = tuple(map(rewriter.resource, version.resources))
        if resources != version.resources:
            state.rewrite_version(replace(version, resources=resources))
            rewritten += 1
    state.purge()
    return rewritten
