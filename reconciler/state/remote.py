"""The state of one environment in a bucket; who may write it holds its lease."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from reconciler.buckets.bucket import Bucket
from reconciler.core.errors import StorageError
from reconciler.core.ports import Holder, SealedStore, StateReader, StateWriter
from reconciler.state import lease as leasing
from reconciler.state.lease import BEAT, Hold, Timing
from reconciler.state.objects import (
    LEASE,
    Objects,
)
from reconciler.state.reader import RemoteReader, Surroundings
from reconciler.state.sealed import BucketSealed
from reconciler.state.writer import RemoteWriter


class RemoteStore:
    """Any number of machines may read; one writes."""

    def __init__(self, bucket: Bucket, environment: str, timing: Timing, around: Surroundings) -> None:
        self._objects = Objects(bucket, environment)
        self._timing = timing
        self._around = around

    def reader(self) -> StateReader:
        return RemoteReader(self._objects, self._around)

    def holder(self) -> Holder | None:
        lease = leasing.look(self._lease_place())
        return Holder(lease.id, leasing.describe(lease)) if lease and not lease.released else None

    def break_lock(self, holder_id: str) -> None:
        leasing.end(self._lease_place(), holder_id, self._around.now())

    def _lease_place(self) -> leasing.Place:
        held = f"{self._objects.environment}: another run holds the state"
        return leasing.Place(self._objects.bucket, LEASE, "apply", held)

    def sealed(self) -> SealedStore:
        return BucketSealed(self._objects.bucket, self._around.now)

    @contextmanager
    def lock(self, who: str) -> Iterator[StateWriter]:
        objects, around = self._objects, self._around
        place, head = self._lease_place(), objects.head()
        least = head.token if head else 0
        hold, orphaned = leasing.take(place, self._timing, around.now, around.wait, who, least)
        fenced = not orphaned
        try:
            with _beating(hold):
                writer = RemoteWriter(objects, around, hold)
                if orphaned:
                    writer.fence()
                    fenced = True
                writer.bring_home()
                try:
                    yield writer
                finally:
                    writer.close()
        finally:
            if fenced:  # else the next holder must know that somebody vanished, and fence in our place
                with suppress(StorageError):
                    hold.release()


@contextmanager
def _beating(hold: Hold) -> Iterator[None]:
    """Renews the lease from a thread; a store that can't be reached for a while is tried again."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT.total_seconds()):
            with suppress(StorageError):
                hold.beat()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
