"""The crash property's histories with the state in a bucket, whose lock outlives a crash."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule
from support.fakes.clock import FakeClock
from support.fakes.crash import Crash
from support.fakes.criteo import FakeCriteo
from support.fakes.members import MemoryEngine
from support.fakes.memory_bucket import MemoryBucket
from support.history_parts import parts
from support.in_memory_environment import InMemoryEnvironment
from support.lease_simulation import OneByOne
from support.regressions import EXAMPLES, History, ends_well
from support.simulation import Simulation, Step, flights, some_edits

from reconciler.buckets.connection import UnreachableError
from reconciler.core.errors import StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Address
from reconciler.core.ports import StateReader, StateWriter
from reconciler.core.state.resource import InFlightBatch, ResourceState
from reconciler.state import bucket_layout as objects
from reconciler.state import bucket_store as remote
from reconciler.state import bucket_writer as writer
from reconciler.state.bucket_layout import LEASE, RESOURCES, SNAPSHOTS, BucketLayout, resource_path
from reconciler.state.bucket_reader import StoreContext
from reconciler.state.bucket_store import BucketStore
from reconciler.state.lease import BEAT, HeldLease, LeaseTiming
from reconciler.state.outbox import Outbox

pytestmark = pytest.mark.promise("converges")

TIMING = LeaseTiming.of(timedelta(seconds=1))
"""A grace shorter than a late call needs to land, so that it may land in the next run."""


class BeatingClock(FakeClock):
    """The lease is renewed as time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.holds: list[HeldLease] = []

    def advance(self, seconds: float) -> None:
        while seconds > 0:
            step = min(seconds, BEAT.total_seconds())
            super().advance(step)
            seconds -= step
            for hold in self.holds:
                with suppress(StorageError):
                    hold.renew()

    @contextmanager
    def beating(self, hold: HeldLease) -> Iterator[None]:
        self.holds.append(hold)
        try:
            yield
        finally:
            self.holds.remove(hold)


class FileEngine(MemoryEngine):
    """Sets that can be uploaded."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def file(self, snapshot: SnapshotRef) -> str:
        file = self._folder / snapshot.digest
        file.write_text("\n".join(sorted(self.members(snapshot))))
        return str(file)


class BucketState:
    """Seen from two machines. The hooks of the fake are around all that changes it, but for the lease."""

    def __init__(self, folder: Path, clock: BeatingClock) -> None:
        self._clock = clock
        self.bucket = MemoryBucket(clock.now, self._before, self._after)
        self._machines = [folder / machine for machine in ("one", "two")]
        self._stores = [self._on(machine) for machine in self._machines]
        self.before_write = self.after_write = lambda _step: None
        self._dead = False
        self._waits = 0
        self._read_at: dict[str, object] = {}
        self._read: dict[Address, ResourceState] = {}

    def _on(self, machine: Path) -> BucketStore:
        around = StoreContext(
            self._clock.now,
            self._clock.wait,
            lambda: machine / "cache",
            machine / "outbox",
            random_bytes=lambda size: b"k" * size,
        )
        return BucketStore(self.bucket, "test", TIMING, around)

    @property
    def _store(self) -> BucketStore:
        return self._stores[0]

    def another_machine(self) -> None:
        """The next run is there."""
        self._stores.reverse()

    @property
    def saved_resources(self) -> dict[Address, ResourceState]:
        """Decode the resources only if the bucket has changed since."""
        held = {path: one for path, one in self.bucket.held.items() if path != LEASE}
        if held != self._read_at:
            self._read, self._read_at = self._decoded(), held
        return self._read

    def _decoded(self) -> dict[Address, ResourceState]:
        there = BucketLayout(MemoryBucket(held=self.bucket.held), "test")
        head = there.head()
        addresses = head.addresses if head else frozenset()
        assert {resource_path(one) for one in addresses} >= {
            path for path in self.bucket.held if path.startswith(RESOURCES)
        }, "a resource state lies where nobody looks"
        found = (there.resource(one) for one in addresses)
        return {one.address: one.resource for one in found if one and one.resource}

    def left_over(self) -> list[ResourceState]:
        return [one.after for machine in self._machines for one in Outbox(machine / "outbox").all()]

    def reader(self) -> StateReader:
        return self._store.reader()

    @contextmanager
    def lock(self, who: str) -> Iterator[StateWriter]:
        with self._store.lock(who) as writer:
            try:
                yield writer
            except Crash:
                self._dead = True  # not even the lock is given back
                raise

    def crash(self) -> None:
        """The next run is elsewhere."""
        self._dead = False
        self.another_machine()
        self.wait_for_the_lock()

    def wait_for_the_lock(self) -> None:
        """The holder no longer exists. Every second lock is broken; the others expire."""
        holder = self._store.holder()
        self._waits += bool(holder)
        if holder and self._waits % 2:
            self._store.break_lock(holder.id)
        elif holder:
            self._clock.advance(TIMING.life.total_seconds())

    def _before(self, call: str, path: str) -> None:
        self._hooked(self.before_write, call, path)

    def _after(self, call: str, path: str) -> None:
        self._hooked(self.after_write, call, path)

    def _hooked(self, hook: Callable[[str], None], call: str, path: str) -> None:
        if self._dead:
            raise Crash
        if call not in {"read", "list"} and path != LEASE:
            try:
                hook(f"{call} {path}")
            except Crash:
                self._dead = True
                raise


class BucketWorld(InMemoryEnvironment):
    """Close it: it has a folder for what is uploaded."""

    def __init__(self) -> None:
        self._open = ExitStack()
        super().__init__(clock=BeatingClock())

    def __post_init__(self) -> None:
        self.folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        self._open.enter_context(patch.object(remote, "_beating", self.clock.beating))
        self._open.enter_context(patch.object(objects, "ThreadPoolExecutor", OneByOne))
        self._open.enter_context(patch.object(writer, "UNNAMED", timedelta(minutes=10)))
        self.criteo = FakeCriteo(self.clock, account_ids=("1001", "1002"))
        self.store = BucketState(self.folder, self.clock)
        self.engine = FileEngine(self.folder)

    def close(self) -> None:
        self._open.close()

    def die(self) -> None:
        """Continue on another machine, which knows members only from the bucket."""
        self.store.crash()
        self.store.before_write = self.store.after_write = lambda _step: None
        survivor, reader = FileEngine(self.folder), self.store.reader()
        whole = (name for name in self.store.bucket.names(SNAPSHOTS) if name.endswith(".sha256"))
        for digest in (name.removesuffix(".sha256") for name in whole):
            members = Path(reader.snapshot_file(SnapshotRef(digest, 1))).read_text().splitlines()
            assert survivor.snapshot(members).digest == digest
        self.engine = survivor


class BucketHistories(Simulation):
    def made(self) -> BucketWorld:
        return BucketWorld()

    def _flights(self) -> dict[str, tuple[InFlightBatch, int]]:
        """What is left over on a machine announces as well what it could not announce in the bucket."""
        return flights(self.world.store.left_over()) | super()._flights()

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.world.close()

    @rule(
        made=some_edits,
        number=st.integers(1, 20),
        after=st.booleans(),
        lasting=st.booleans(),
        elsewhere=st.booleans(),
    )
    def run_and_lose_the_store(
        self, made: list[Step], number: int, after: bool, lasting: bool, elsewhere: bool
    ) -> None:
        """Its n-th write fails, before or after it takes place; `lasting`: all that follow as well.

        `elsewhere`: the next run can't bring home what was left over.
        """
        self._do(made)
        seen = 0

        def before(step: str) -> None:
            nonlocal seen
            seen += 1
            if (seen == number and not after) or (seen > number and lasting):
                raise UnreachableError(step)

        def behind(step: str) -> None:
            if seen == number and after:
                raise UnreachableError(step)

        self.world.store.before_write, self.world.store.after_write = before, behind
        flights = self._flights()
        with suppress(UnreachableError):
            self._run()
        self.world.store.wait_for_the_lock()
        if seen >= number:
            self.all_answered = False
            self._doubt_what_was_under_way(flights)
        if elsewhere:
            self.world.store.another_machine()

    @rule()
    def another_machine(self) -> None:
        self.world.store.another_machine()


LIMITS = settings(
    stateful_step_count=10,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestBucketHistories1, TestBucketHistories2, TestBucketHistories3, TestBucketHistories4 = parts(
    BucketHistories, int(os.environ.get("BUCKET_HISTORIES", "100")), LIMITS
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_it_still_holds_that(example: History) -> None:
    example(BucketHistories)


def test_an_unrecorded_batch_may_be_sent_once_more() -> None:
    """The bucket did not take its announcement, so it never left; the machine remembers it all the same."""
    lapsed = Address("offsite", "lapsed")
    history = BucketHistories()
    history.begin([("declare", lapsed, frozenset({"p0"}))], 1, merges=False, invalid="nobody", run=False)
    history.run_and_lose_the_store([], 8, after=False, lasting=False, elsewhere=False)
    history.run_in_peace([("change_source", 0, frozenset({"p1"}))])
    ends_well(history)
