"""The state of one environment in a bucket; a writer holds its lease."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from reconciler.buckets.bucket import Bucket
from reconciler.core.audit.model import AuditLog
from reconciler.core.errors import StorageError
from reconciler.core.ports import SecretStore, StateReader, StateWriter
from reconciler.core.state.model import LockHolder
from reconciler.state import lease as leasing
from reconciler.state.audit_log import BucketAuditLog
from reconciler.state.bucket_layout import LEASE, BucketLayout
from reconciler.state.bucket_reader import BucketReader, StoreContext
from reconciler.state.bucket_writer import BucketWriter
from reconciler.state.lease import BEAT, HeldLease, LeaseTiming
from reconciler.state.secret_store import BucketSecretStore


class BucketStore:
    """Any number of machines may read; one machine writes."""

    def __init__(self, bucket: Bucket, environment: str, timing: LeaseTiming, around: StoreContext) -> None:
        self._objects = BucketLayout(bucket, environment, around.seal)
        self._timing = timing
        self._around = around

    def reader(self) -> StateReader:
        return BucketReader(self._objects, self._around)

    def holder(self) -> LockHolder | None:
        lease = leasing.read_lease(self._lease_place())
        return LockHolder(lease.id, leasing.describe(lease)) if lease and not lease.released else None

    def break_lock(self, holder_id: str) -> None:
        leasing.break_lease(self._lease_place(), holder_id, self._around.now())

    def _lease_place(self) -> leasing.LeaseLocation:
        held = f"{self._objects.environment}: another run holds the state"
        return leasing.LeaseLocation(self._objects.bucket, LEASE, "apply", held)

    def audit(self) -> AuditLog:
        return BucketAuditLog(self._objects.bucket)

    def sealed(self) -> SecretStore:
        return BucketSecretStore(self._objects.bucket, self._around.now)

    @contextmanager
    def lock(self, who: str) -> Iterator[StateWriter]:
        objects, around = self._objects, self._around
        around.seal.check()
        place, head = self._lease_place(), objects.head()
        least = head.token if head else 0
        hold, orphaned = leasing.acquire(place, self._timing, around.now, around.wait, who, least)
        fenced = not orphaned
        try:
            with _beating(hold):
                writer = BucketWriter(objects, around, hold)
                if orphaned:
                    writer.fence()
                    fenced = True
                writer.flush_outbox()
                try:
                    yield writer
                finally:
                    writer.close()
        finally:
            if fenced:  # else the next holder must take over, and fence in our place
                with suppress(StorageError):
                    hold.release()


@contextmanager
def _beating(hold: HeldLease) -> Iterator[None]:
    """Renew the lease from a thread; retry if the store is unreachable for a while."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT.total_seconds()):
            with suppress(StorageError):
                hold.renew()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
