"""The head, the versions and the lock of a state, as values."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.members import SnapshotRef
from reconciler.core.state.resource import ResourceState


@dataclass(frozen=True, slots=True)
class StateHead:
    """The identity of a state.

    `serial` rises once for each run that writes. `approvals` records their use.
    """

    lineage: str
    serial: int
    environment: str
    approvals: tuple[ApprovalRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class StateVersion:
    """A whole state as it was at `saved_at`: a saved version, or an export."""

    head: StateHead
    resources: tuple[ResourceState, ...]
    saved_at: datetime

    @property
    def references(self) -> frozenset[SnapshotRef]:
        """Return the snapshots that the version names."""
        return frozenset(ref for resource in self.resources for ref in resource.references)


@dataclass(frozen=True, slots=True)
class StateVersionInfo:
    """A state version that can be restored."""

    serial: int
    saved_at: datetime
    addresses: int


@dataclass(frozen=True, slots=True)
class SnapshotSeals:
    """The ID of the key that seals each stored snapshot, by digest: "" if plain, None if unreadable.

    `current` is the ID of the key for new snapshots; "" if they stay plain.
    """

    current: str
    keys: Mapping[str, str | None]

    @property
    def outdated(self) -> tuple[str, ...]:
        """Return the snapshots that would be written otherwise now."""
        return tuple(digest for digest, key in self.keys.items() if key != self.current)

    @property
    def counts(self) -> Mapping[str, int]:
        """Return the number of readable snapshots by the ID of their key; "" for plain ones."""
        return Counter(key for key in self.keys.values() if key is not None)


@dataclass(frozen=True, slots=True)
class LockHolder:
    """The run that holds the lock of a state.

    `id` is the argument of `break_lock`; "" if only the process itself can end the lock.
    """

    id: str
    description: str
