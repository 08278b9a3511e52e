"""Restore a state version: members known only to later versions stay known, as uncertain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from reconciler.core.errors import CorruptSnapshotError
from reconciler.core.members import EMPTY_SNAPSHOT, AppliedList, SnapshotRef
from reconciler.core.model import Address, Hashing
from reconciler.core.ports import MemberEngine, StateWriter
from reconciler.core.state.resource import ResourceState
from reconciler.core.state.restore import restored


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """`changed` are the new resource states. `set_aside` states and `lost` snapshots are unreadable."""

    changed: tuple[ResourceState, ...]
    set_aside: tuple[Address, ...]
    lost: int


def restore_to(
    serial: int, state: StateWriter, engine: MemberEngine, quiet: timedelta, *, accept_loss: bool = False
) -> RestoreResult:
    """Write the version under a new serial, unless nothing has changed since.

    Raises StorageError if there is no such version, or if something is unreadable and `accept_loss` is
    false: members known only there can't be removed any more.
    """
    state.version(serial)
    aside = state.quarantine() if accept_loss else ()
    since = [state.version(one.serial).resources for one in state.versions() if one.serial >= serial]
    doubting = _Doubting(state, engine, accept_loss)
    known = {resource.address: resource for resource in state.resources()}
    after = known | {
        resource.address: resource for resource in restored(since, tuple(known.values()), doubting, quiet)
    }
    lists = _Lists(since, doubting)
    after = {address: replace(one, lists=lists.readable(one)) for address, one in after.items()}
    changed = tuple(one for address, one in after.items() if one != known.get(address))
    for resource in changed:
        state.write(resource)
    return RestoreResult(changed, aside, len(doubting.lost))


@dataclass(frozen=True, slots=True)
class _Lists:
    """Replaces a lost exclusion list with the newest readable list of earlier versions."""

    since: Sequence[Sequence[ResourceState]]
    doubting: "_Doubting"

    def readable(self, resource: ResourceState) -> tuple[AppliedList, ...]:
        found = ((one, *self._earlier(resource, one)) for one in resource.lists)
        whole = (
            next((one for one in same if not any(map(self.doubting.is_lost, one.references))), None)
            for same in found
        )
        return tuple(one for one in whole if one)

    def _earlier(self, resource: ResourceState, lost: AppliedList) -> Iterator[AppliedList]:
        named = (lost.files, lost.identifier_type)
        for resources in reversed(self.since):
            for before in (one for one in resources if one.address == resource.address):
                yield from (one for one in before.lists if (one.files, one.identifier_type) == named)


@dataclass(slots=True)
class _Doubting:
    """The engine's `mark_uncertain`; its results are saved before a resource state names them."""

    state: StateWriter
    engine: MemberEngine
    accept_loss: bool
    lost: set[SnapshotRef] = field(default_factory=set)

    def __call__(
        self, hashing: Hashing, sure: Sequence[SnapshotRef], named: Sequence[SnapshotRef]
    ) -> tuple[SnapshotRef, SnapshotRef]:
        """Return confirmed and uncertain members; a lost snapshot adds none."""
        for snapshot in {*sure, *named} - {EMPTY_SNAPSHOT}:
            self._look(snapshot)
        base, maybe = self.engine.mark_uncertain(hashing, self._found(sure), self._found(named))
        for snapshot in (base, maybe):
            if snapshot:
                self.state.store_snapshot(snapshot, self.engine.file(snapshot))
        return base, maybe

    def is_lost(self, snapshot: SnapshotRef) -> bool:
        self._look(snapshot)
        return snapshot in self.lost

    def _found(self, snapshots: Sequence[SnapshotRef]) -> list[SnapshotRef]:
        return [EMPTY_SNAPSHOT if one in self.lost else one for one in snapshots]

    def _look(self, snapshot: SnapshotRef) -> None:
        try:
            self.engine.file(snapshot)
        except CorruptSnapshotError:
            if not self.accept_loss:
                raise
            self.lost.add(snapshot)
