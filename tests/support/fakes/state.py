"""A StateStore in memory, with a place to crash before and after every write."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import RLock

from reconciler.core.approval.model import ApprovalRecord, record_approval
from reconciler.core.audit.model import AuditHead, AuditLog, StoredEntry
from reconciler.core.erasure import ErasureList
from reconciler.core.errors import CorruptSnapshotError, LockedError, StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import DEFAULT_RETENTION, Address, Retention
from reconciler.core.ports import SecretStore, StateReader, StateWriter
from reconciler.core.reuse import ReadRecords
from reconciler.core.series import SeriesMonth, expired_months
from reconciler.core.state.model import LockHolder, SnapshotSeals, StateHead, StateVersion, StateVersionInfo
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import Verifications
from reconciler.state.versions import absent, summaries

Hook = Callable[[str], None]
NO_HEAD = StateHead("", 0, "")


def _nothing(step: str) -> None:
    """Do not crash."""


@dataclass(slots=True)
class MemoryStore:
    """The content of a disk, and the holder of the lock.

    `before_write` and `after_write` receive each step that changes something: `key`, `open_run`,
    `write DESTINATION/AUDIENCE`, `drop DESTINATION/AUDIENCE`, `keep DIGEST`, `reseal keys`,
    `reseal DIGEST`, `sources`,
    `verifications`, `series`, `erasures`, `version SERIAL`, `prune`, `audit`. An exception is a crash
    before or after the effect. `after_write=log.append` records all writes.
    The hooks may be changed between runs. `saved_damage` are addresses with an unreadable resource state.
    `key_id` is the ID of the key that seals new snapshots; "" if they stay plain.
    """

    environment: str = "test"
    invent: Callable[[int], bytes] = secrets.token_bytes
    before_write: Hook = _nothing
    after_write: Hook = _nothing
    saved_head: StateHead | None = None
    saved_key: bytes = b""
    saved_resources: dict[Address, ResourceState] = field(default_factory=dict)
    saved_snapshots: dict[str, str] = field(default_factory=dict)
    saved_keys: dict[str, str] = field(default_factory=dict)
    key_id: str = ""
    writer: "MemoryWriter | None" = None
    saved_states: dict[int, StateVersion] = field(default_factory=dict)
    saved_damage: set[Address] = field(default_factory=set)
    keep: Retention | None = DEFAULT_RETENTION
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    saved_records: ReadRecords = field(default_factory=ReadRecords)
    saved_verifications: Verifications = field(default_factory=Verifications)
    saved_series: dict[str, SeriesMonth] = field(default_factory=dict)
    saved_erasures: ErasureList = ErasureList()  # noqa: RUF009 - frozen
    saved_secrets: dict[str, bytes] = field(default_factory=dict)
    held_secrets: set[str] = field(default_factory=set)
    saved_audit: dict[int, bytes] = field(default_factory=dict)

    def reader(self) -> StateReader:
        return MemoryReader(self)

    def holder(self) -> LockHolder | None:
        return LockHolder("1", self.writer.who) if self.writer else None

    def break_lock(self, holder_id: str) -> None:
        if not self.writer or holder_id != "1":
            raise LockedError("no run of that id holds it")
        self.writer = None

    def audit(self) -> AuditLog:
        return MemoryAuditLog(self)

    def sealed(self) -> SecretStore:
        return MemorySealed(self)

    @contextmanager
    def lock(self, who: str) -> Iterator[StateWriter]:
        if self.writer:
            raise LockedError(f"{self.environment}: {self.writer.who} holds the state")
        writer = self.writer = MemoryWriter(self, who)
        try:
            yield writer
        finally:
            if self.writer is writer:
                self.writer = None

    def crash(self) -> None:
        """Simulate a killed holder of the lock, which does not leave its `with`."""
        self.writer = None


class MemoryAuditLog:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def entries(self) -> tuple[StoredEntry, ...]:
        return tuple(StoredEntry(*one) for one in sorted(self.store.saved_audit.items()))

    def head(self) -> AuditHead:
        entries = self.entries()
        return AuditHead(entries[-1].number, entries[-1].digest) if entries else AuditHead()

    def append(self, content: Callable[[AuditHead], bytes]) -> AuditHead:
        head = self.head()
        written = content(head)
        self.store.before_write("audit")
        if head.length + 1 in self.store.saved_audit:  # from within `content`: another process
            return self.append(content)
        self.store.saved_audit[head.length + 1] = written
        self.store.after_write("audit")
        return self.head()


class MemorySealed:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def read(self, name: str) -> bytes | None:
        return self.store.saved_secrets.get(name)

    def write(self, name: str, content: bytes) -> None:
        self.store.saved_secrets[name] = content

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        if name in self.store.held_secrets:
            raise LockedError(f"another run holds state:{name}")
        self.store.held_secrets.add(name)
        try:
            yield
        finally:
            self.store.held_secrets.discard(name)


class MemoryReader:
    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self._key = b""

    def head(self) -> StateHead | None:
        return self.store.saved_head

    def resources(self) -> tuple[ResourceState, ...]:
        saved = self.store.saved_resources
        if self.store.saved_damage:
            raise StorageError("resource states can't be read", remedy="restore the state")
        return tuple(saved[address] for address in sorted(saved))

    def snapshot_file(self, snapshot: SnapshotRef) -> str:
        if not snapshot:
            raise AssertionError("an empty set has no snapshot")
        if snapshot.digest not in self.store.saved_snapshots:
            raise CorruptSnapshotError("a snapshot is missing", remedy="restore the state")
        return self.store.saved_snapshots[snapshot.digest]

    def seals(self) -> SnapshotSeals:
        store = self.store
        return SnapshotSeals(
            store.key_id, {one: store.saved_keys.get(one, "") for one in sorted(store.saved_snapshots)}
        )

    def key(self) -> bytes:
        self._key = self._key or self.store.saved_key or self.store.invent(32)
        return self._key

    def read_records(self) -> ReadRecords:
        return self.store.saved_records

    def verifications(self) -> Verifications:
        return self.store.saved_verifications

    def series(self, month: str) -> SeriesMonth:
        return self.store.saved_series.get(month, SeriesMonth(month))

    def erasures(self) -> ErasureList:
        return self.store.saved_erasures

    def versions(self) -> tuple[StateVersionInfo, ...]:
        return summaries(self.store.saved_states[serial] for serial in sorted(self.store.saved_states))

    def version(self, serial: int) -> StateVersion:
        if serial not in self.store.saved_states:
            raise absent(serial, sorted(self.store.saved_states))
        return self.store.saved_states[serial]


class MemoryWriter(MemoryReader):
    def __init__(self, store: MemoryStore, who: str) -> None:
        super().__init__(store)
        self.who = who
        self._opened = False
        self._fresh: set[str] = set()
        self._gate = RLock()

    def key(self) -> bytes:
        with self._writing():
            if not self.store.saved_key:
                with self._step("key"):
                    self.store.saved_key = self.store.invent(32)
            return self.store.saved_key

    def begin_run(self) -> StateHead:
        with self._writing():
            if self._opened and self.store.saved_head:
                return self.store.saved_head
            self.key()
            old = self.store.saved_head or StateHead(self.store.invent(16).hex(), 0, self.store.environment)
            with self._step("open_run"):
                self._keep_state()
                head = self.store.saved_head = replace(old, serial=old.serial + 1)
            self._opened = True
            return head

    def _keep_state(self) -> None:
        states = self.store.saved_states
        if self.store.saved_head and (keep := self.store.keep):
            kept = StateVersion(self.store.saved_head, self.resources(), self.store.now())
            states[kept.head.serial] = kept
            newest = sorted(states)[-keep.versions :]
            for serial, state in [*states.items()]:
                expired = keep.age is not None and state.saved_at < kept.saved_at - keep.age
                if expired or serial not in newest:
                    del states[serial]

    def record_approval(self, use: ApprovalRecord, since: datetime) -> None:
        with self._writing():
            head = self.begin_run()
            with self._step("note_use"):
                self.store.saved_head = replace(head, approvals=record_approval(head.approvals, use, since))

    def initialize(self, head: StateHead, key: bytes) -> None:
        with self._writing():
            there = self.store.saved_head
            if there and (there != head or self.store.saved_key != key):
                raise StorageError("there is a state already", remedy="name a new place")
            with self._step("begin"):
                self.store.saved_head, self.store.saved_key = head, key
            self._opened = True

    def quarantine(self) -> tuple[Address, ...]:
        with self._writing(), self._step("set_aside"):
            damaged = tuple(sorted(self.store.saved_damage))
            for address in damaged:
                self.store.saved_resources.pop(address, None)
            self.store.saved_damage.clear()
            return damaged

    def write(self, resource: ResourceState) -> None:
        """Stricter than a disk: a snapshot must be kept before a resource state may name it."""
        if not resource.snapshots <= self.store.saved_snapshots.keys():
            raise AssertionError(f"{resource.address}: the resource state names a snapshot that was not kept")
        self.begin_run()
        with self._step(f"write {resource.address}"):
            self.store.saved_resources[resource.address] = resource
        self._fresh -= resource.snapshots

    def drop(self, resource: ResourceState) -> None:
        self.begin_run()
        with self._step(f"drop {resource.address}"):
            self.store.saved_resources.pop(resource.address, None)

    def store_snapshot(self, snapshot: SnapshotRef, file: str) -> None:
        if not snapshot:
            return
        with self._writing():
            self._fresh.add(snapshot.digest)
            if snapshot.digest not in self.store.saved_snapshots:
                with self._step(f"keep {snapshot.digest}"):
                    self.store.saved_snapshots[snapshot.digest] = file
                    self.store.saved_keys[snapshot.digest] = self.store.key_id

    def reseal_keys(self) -> None:
        with self._writing(), self._step("reseal keys"):
            """There is no file that could be sealed."""

    def reseal(self, digest: str) -> None:
        with self._writing(), self._step(f"reseal {digest}"):
            self.store.saved_keys[digest] = self.store.key_id

    def write_read_records(self, records: ReadRecords) -> None:
        with self._writing(), self._step("sources"):
            self.store.saved_records = records

    def write_verifications(self, verifications: Verifications) -> None:
        with self._writing(), self._step("verifications"):
            self.store.saved_verifications = verifications

    def write_series(self, month: SeriesMonth) -> None:
        with self._writing(), self._step("series"):
            saved = self.store.saved_series
            saved[month.month] = month
            for expired in expired_months(tuple(saved), month.month):
                del saved[expired]

    def write_erasures(self, erasures: ErasureList) -> None:
        with self._writing(), self._step("erasures"):
            self.store.saved_erasures = erasures

    def rewrite_version(self, version: StateVersion) -> None:
        if not {ref.digest for ref in version.references} <= self.store.saved_snapshots.keys():
            raise AssertionError("the version names a snapshot that was not kept")
        with self._writing(), self._step(f"version {version.head.serial}"):
            self.store.saved_states[version.head.serial] = version

    def purge(self) -> None:
        self.prune()

    def prune(self) -> None:
        with self._writing():
            saved = self.store.saved_snapshots
            known = (
                *self.store.saved_states.values(),
                StateVersion(NO_HEAD, self.resources(), self.store.now()),
            )
            named = {ref.digest for state in known for ref in state.references}
            if idle := saved.keys() - named - self._fresh:
                with self._step("prune"):
                    for digest in idle:
                        del saved[digest]

    def check_lock(self) -> None:
        """A lock in memory does not expire."""

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._gate:
            if self.store.writer is not self:
                raise AssertionError("the lock of this writer is gone")
            yield

    @contextmanager
    def _step(self, step: str) -> Iterator[None]:
        self.store.before_write(step)
        yield
        self.store.after_write(step)
