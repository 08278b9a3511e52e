"""The state of one environment in a bucket, written under a lease: each write conditional, with its token.

A run that lost its lease unnoticed can't write any more. The next holder first rewrites the head and
every resource state, so each conditional write of the old run fails.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from reconciler.buckets.bucket import PreconditionFailedError, StoredObject, Version
from reconciler.buckets.connection import UnreachableError
from reconciler.core.approval.model import ApprovalRecord, record_approval
from reconciler.core.erasure import ErasureList
from reconciler.core.errors import StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Address
from reconciler.core.reuse import ReadRecords
from reconciler.core.series import SeriesMonth, expired_months
from reconciler.core.state.codec import dump, dump_series, encode_records, encode_state, encode_verifications
from reconciler.core.state.model import StateHead, StateVersion
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import Verifications
from reconciler.state.bucket_layout import (
    HEAD,
    SNAPSHOTS,
    BucketLayout,
    HeadObject,
    ResourceObject,
    head_bytes,
    resource_bytes,
    resource_path,
    series_path,
    with_new_version,
)
from reconciler.state.bucket_reader import BucketReader, StoreContext
from reconciler.state.bucket_snapshots import SUM
from reconciler.state.lease import RUN_AGAIN, TAKEN_OVER, HeldLease
from reconciler.state.local_layout import (
    KEY_LENGTH,
    SERIES,
    SOURCES,
    VERIFICATIONS,
    months_in,
    occupied,
    resource_name,
)
from reconciler.state.outbox import Outbox, PendingWrite
from reconciler.state.versions import (
    HISTORY,
    damaged_name,
    document,
    document_name,
    named,
    superseded,
    unreadable_version,
)

_LINEAGE_LENGTH = 16
NOWHERE: Version = (None, None)
UNNAMED = timedelta(days=1)
"""How long an unnamed snapshot is kept: a run that has lost its lease may still read it."""


StoredT = TypeVar("StoredT", HeadObject | None, ResourceObject | None)


class BucketWriter(BucketReader):
    """Writes from several threads, one per address. The first write opens the run."""

    def __init__(self, objects: BucketLayout, around: StoreContext, hold: HeldLease) -> None:
        super().__init__(objects, around)
        self._hold = hold
        self._gate = threading.RLock()
        self._head: HeadObject | None = None
        self._opened = False
        self._versions: dict[Address, Version] = {}
        self._known: dict[Address, ResourceState | None] = {}
        self._listed = False
        self._leftovers = Outbox(around.leftovers)
        self._fresh: set[str] = set()  # stored, but not named by a resource state yet: prune keeps them
        self._stored: dict[str, datetime] | None = None
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def fence(self) -> None:
        """Rewrite every object first after a takeover, so that every later write of the old holder fails."""
        self.key()
        while True:
            self._head = None
            head = self._current()  # a missing head is created here, or the old holder could create it
            with suppress(PreconditionFailedError):
                self._put_head(head, head.head, head.addresses)
                break
        for address in sorted(head.addresses):
            self._fence(address)

    def resources(self) -> tuple[ResourceState, ...]:
        with self._writing():
            self._head = self._ours(self._objects.head())
            listed = self._objects.resources(self._head.addresses if self._head else ())
            for one in listed:
                self._ours(one)
            self._versions = {one.address: one.version for one in listed}
            self._known = {one.address: one.resource for one in listed}
            self._listed = True
            return tuple(one.resource for one in listed if one.resource is not None)

    def flush_outbox(self) -> None:
        """Write the resource states that this machine kept while the store was away, if they still apply."""
        leftovers = self._leftovers.all()
        if not leftovers or self._damaged():
            return  # they stay: a restore comes first
        held = {resource.address: resource for resource in self.resources()}
        kept = self._objects.bucket.names(SNAPSHOTS)
        for leftover in leftovers:
            whole = all(f"{digest}{SUM}" in kept for digest in leftover.after.snapshots)
            if whole and held.get(leftover.after.address) == leftover.before:
                self.write(leftover.after)
        self._leftovers.forget()

    def key(self) -> bytes:
        with self._writing():
            self._key = self._key or self._objects.key()
            if not self._key:
                with suppress(PreconditionFailedError):
                    self._objects.create_key(self._around.random_bytes(KEY_LENGTH))
                self._key = self._objects.key()
            return self._key

    def begin_run(self) -> StateHead:
        with self._writing():
            if not self._opened:
                self.key()
                resources = self._known.values() if self._listed else self.resources()
                head = self._current()
                if head.version != NOWHERE:
                    self._keep_state(head.head, resources)
                with self._mine():
                    self._put_head(head, replace(head.head, serial=head.head.serial + 1), head.addresses)
                self._opened = True
            return self._current().head

    def record_approval(self, use: ApprovalRecord, since: datetime) -> None:
        with self._writing():
            self.begin_run()
            old = self._current()
            with self._mine():
                self._put_head(
                    old,
                    replace(old.head, approvals=record_approval(old.head.approvals, use, since)),
                    old.addresses,
                )

    def initialize(self, head: StateHead, key: bytes) -> None:
        with self._writing():
            there = self._objects.head()
            if there is None:
                with self._mine():
                    self._objects.put_key(key)
                    self._put_head(self._current(), head, frozenset())
            elif there.head != head or self._objects.key() != key:
                raise occupied()
            self._key, self._opened = key, True

    def quarantine(self) -> tuple[Address, ...]:
        with self._writing():
            damaged = self._damaged()
            for address, found in damaged.items():
                copy = f"{HISTORY}/{damaged_name(resource_name(address))}"
                self._objects.bucket.upload(copy, found.content)
                self._versions[address] = found.version
                self._put(address, None)
            return tuple(damaged)

    def _damaged(self) -> dict[Address, StoredObject]:
        head = self._objects.head()
        looked = {one: self._objects.damaged(one) for one in sorted(head.addresses if head else ())}
        return {address: found for address, found in looked.items() if found is not None}

    def write(self, resource: ResourceState) -> None:
        """Keep a resource state on this machine if the store can't take it: Criteo acknowledged it."""
        self.begin_run()
        try:
            self._put(resource.address, resource)
        except UnreachableError:
            with suppress(StorageError):
                self._leftovers.keep(PendingWrite(self._known.get(resource.address), resource))
            raise
        with self._writing():
            self._fresh -= resource.snapshots

    def drop(self, resource: ResourceState) -> None:
        """Leave an empty object, so that no late write can bring the resource state back."""
        self.begin_run()
        self._put(resource.address, None)

    def store_snapshot(self, snapshot: SnapshotRef, file: str) -> None:
        if not snapshot:
            return
        with self._writing():
            self._fresh.add(snapshot.digest)
            if self._stored is None:
                self._stored = self._objects.bucket.names(SNAPSHOTS)
            written_at = self._stored.get(f"{snapshot.digest}{SUM}")
        if written_at is not None and written_at > self._around.now() - UNNAMED / 2:
            return  # an older one may be about to be pruned
        self._snapshots.store(snapshot.digest, Path(file))
        with self._writing():
            self._stored[f"{snapshot.digest}{SUM}"] = self._around.now()

    def reseal_keys(self) -> None:
        with self._writing():
            self._hold.assure()
            self._objects.upload_key(self.key())
            if (erasures := self.erasures()).keys:
                self.write_erasures(erasures)

    def reseal(self, digest: str) -> None:
        with self._writing():
            self._hold.assure()
            self._snapshots.reseal(digest)

    def write_read_records(self, records: ReadRecords) -> None:
        with self._writing():
            self._hold.assure()
            self._objects.bucket.upload(SOURCES, dump(encode_records(records)))

    def write_verifications(self, verifications: Verifications) -> None:
        with self._writing():
            self._hold.assure()
            self._objects.bucket.upload(VERIFICATIONS, dump(encode_verifications(verifications)))

    def write_series(self, month: SeriesMonth) -> None:
        bucket = self._objects.bucket
        with self._writing():
            self._hold.assure()
            bucket.upload(series_path(month.month), dump_series(month))
            for expired in expired_months(months_in(bucket.names(SERIES)), month.month):
                bucket.remove(series_path(expired))

    def write_erasures(self, erasures: ErasureList) -> None:
        with self._writing():
            for path, content in self._objects.erasure_files(erasures):
                self._hold.assure()
                self._objects.bucket.upload(path, content)

    def rewrite_version(self, version: StateVersion) -> None:
        with self._writing():
            self._hold.assure()
            path = f"{HISTORY}/{document_name(version.head.serial)}"
            self._objects.bucket.upload(path, dump(encode_state(version)))

    def purge(self) -> None:
        if named(self._objects.saved) is None:
            raise unreadable_version()
        self._remove_unnamed(self._around.now() + UNNAMED)

    def prune(self) -> None:
        self._remove_unnamed(self._around.now() - UNNAMED)

    def _remove_unnamed(self, since: datetime) -> None:
        """Remove the snapshots that nothing names and that were written before."""
        with self._writing():
            current = {digest for resource in self.resources() for digest in resource.snapshots} | self._fresh
            kept = named(self._objects.saved)
            if kept is None:
                return
            for name, written_at in self._objects.bucket.names(SNAPSHOTS).items():
                if name.removesuffix(SUM) not in current | kept and written_at < since:
                    self._hold.assure()
                    self._objects.bucket.remove(f"{SNAPSHOTS}/{name}")
                    self._stored = None

    def check_lock(self) -> None:
        self._hold.assure()

    def _keep_state(self, head: StateHead, resources: Iterable[ResourceState | None]) -> None:
        """Save and prune state versions, as long as the lease is held."""
        bucket, known = self._objects.bucket, [one for one in resources if one is not None]
        now = self._around.now()
        content = document(head, sorted(known, key=attrgetter("address")), now)
        self._hold.assure()
        bucket.upload(f"{HISTORY}/{document_name(head.serial)}", content)
        for name in superseded(bucket.names(HISTORY), self._around.keep, self._objects.saved_as, now):
            bucket.remove(f"{HISTORY}/{name}")

    def _current(self) -> HeadObject:
        """Return the head, read once; a head that does not exist yet has the version of nothing."""
        if self._head is None:
            self._head = self._ours(self._objects.head())
        if self._head is None:
            lineage = self._around.random_bytes(_LINEAGE_LENGTH).hex()
            head = StateHead(lineage, 0, self._objects.environment)
            self._head = HeadObject(head, self._hold.lease.token, frozenset(), NOWHERE)
        return self._head

    def _put(self, address: Address, resource: ResourceState | None) -> None:
        content, path = resource_bytes(resource, self._hold.lease.token), resource_path(address)
        with self._mine():
            known = self._version(address)
            if known is None:
                self._announce(address)
                self._versions[address] = self._objects.bucket.create(path, content)
            else:
                self._versions[address] = self._objects.bucket.replace(path, content, known)
        with self._writing():
            self._known[address] = resource

    def _version(self, address: Address) -> Version | None:
        if address not in self._versions and address in self._current().addresses:
            found = self._ours(self._objects.resource(address))
            if found is not None:
                self._versions[address] = found.version
        return self._versions.get(address)

    def _announce(self, address: Address) -> None:
        """List an address before its first resource state, so that the next holder fences us off there."""
        with self._writing():
            head = self._current()
            if address not in head.addresses:
                self._put_head(head, head.head, head.addresses | {address})

    def _put_head(self, old: HeadObject, head: StateHead, addresses: frozenset[Address]) -> HeadObject:
        token, bucket = self._hold.lease.token, self._objects.bucket
        content = head_bytes(head, token, addresses)
        nowhere = old.version == NOWHERE
        version = bucket.create(HEAD, content) if nowhere else bucket.replace(HEAD, content, old.version)
        self._head = HeadObject(head, token, addresses, version)
        return self._head

    def _fence(self, address: Address) -> None:
        token, path = self._hold.lease.token, resource_path(address)
        while True:
            if damaged := self._objects.damaged(address):
                with suppress(PreconditionFailedError):
                    self._objects.bucket.replace(path, with_new_version(damaged.content), damaged.version)
                    return
                continue
            found = self._ours(self._objects.resource(address))
            with suppress(PreconditionFailedError):
                if found is None:
                    self._objects.bucket.create(path, resource_bytes(None, token))
                else:
                    self._objects.bucket.replace(path, resource_bytes(found.resource, token), found.version)
                return

    def _ours(self, found: StoredT) -> StoredT:
        """Refuse an object that a later holder has written."""
        if found is not None and found.token > self._hold.lease.token:
            raise StorageError(TAKEN_OVER, remedy=RUN_AGAIN)
        return found

    @contextmanager
    def _mine(self) -> Iterator[None]:
        """Turn a lost race of a conditional write into an error: another run has taken over."""
        try:
            yield
        except PreconditionFailedError:
            raise StorageError(TAKEN_OVER, remedy=RUN_AGAIN) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._gate:
            if self._closed:
                raise AssertionError("the lock of this writer is gone")
            yield
