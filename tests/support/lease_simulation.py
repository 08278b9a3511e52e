"""Runs on several machines over one bucket, driven call by call, with clocks that disagree.

A machine that is not driven is paused, as by SIGSTOP: it does not know, and goes on where it was. Each call
to the bucket is such a place, and may fail before or after it took effect.
"""

import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from support.fakes.clock import NOON
from support.fakes.crash import Crash
from support.fakes.memory_bucket import MemoryBucket

from reconciler.buckets.connection import UnreachableError
from reconciler.core.errors import LockedError, StorageError
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.state import bucket_layout as objects
from reconciler.state import bucket_store as remote
from reconciler.state import lease as leasing
from reconciler.state.bucket_layout import HEAD, LEASE, RESOURCES, BucketLayout
from reconciler.state.bucket_reader import StoreContext
from reconciler.state.bucket_store import BucketStore
from reconciler.state.bucket_writer import BucketWriter
from reconciler.state.lease import BEAT, MARGIN, HeldLease, Lease, LeaseTiming

REQUEST = timedelta(seconds=60)
TIMING = LeaseTiming.of(REQUEST)
TOLERATED = REQUEST + 2 * MARGIN
"""Clocks that differ by no more, and a request that leaves no later, are made up for: both sides wait."""
HASTE = 200
"""More calls than any step of a run makes."""
SENDS = "sends"
KEY = SegmentKey("1", "2", IdentifierType.EMAIL, Hashing.SHA256)
ADDRESSES = [Address("email", name) for name in ("lapsed", "loyal", "new")]


class Task:
    """A thread that the test runs from one pause to the next."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self._work = work
        self._error: BaseException | None = None
        self.done = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._work()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised where the task is driven from
            self._error = error
        self.done = True
        self._back.release()

    def pause(self) -> None:
        """Called by the work at each pause."""
        self._back.release()
        self._go.acquire()

    def step(self) -> None:
        if not self.done:
            self._go.release()
            self._back.acquire()
            if self._error:
                raise self._error


class OneByOne:
    """Replaces ThreadPoolExecutor: runs calls one by one in this thread."""

    def __init__(self, _workers: int) -> None:
        self.map = map

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing is left to do."""


class View:
    """The bucket as seen by one machine."""

    def __init__(self, machine: "Machine", bucket: MemoryBucket) -> None:
        self.machine = machine
        self._bucket = bucket

    def __getattr__(self, call: str) -> Callable[..., Any]:
        def called(path: str, *given: object) -> object:
            self.machine.pause(path)
            trouble = self.machine.trouble_with(call)
            if trouble == "lost-before":
                raise UnreachableError(f"can't {call} {path}")
            with self.machine.world.acts(self.machine):
                answer = getattr(self._bucket, call)(path, *given)
            if trouble == "lost-after":
                raise UnreachableError(f"can't {call} {path}")
            return answer

        return called


@dataclass
class Machine:
    """Runs one after another. `main` is the work of a run, `beat` its heartbeat."""

    world: "LeaseSimulation"
    name: str
    offset: float = 0.0
    troubles: list[tuple[int, str]] = field(default_factory=list)
    main: Task | None = None
    beat: Task | None = None
    hold: HeldLease | None = None
    writer: BucketWriter | None = None
    known: dict[Address, ResourceState] = field(default_factory=dict)
    before: str = ""
    dead: bool = False

    def __post_init__(self) -> None:
        self.view = View(self, self.world.bucket)
        around = StoreContext(
            self.now, self.wait, lambda: self.world.folder / "cache", self.world.folder / self.name
        )
        self.store = BucketStore(self.view, "test", TIMING, around)

    def now(self) -> datetime:
        return self.world.now() + timedelta(seconds=self.offset)

    def wait(self, seconds: float, _reason: str, shown: float = 0.0) -> None:
        self.pause("")
        self.world.time_passes(seconds)

    @property
    def busy(self) -> bool:
        return self.main is not None and not self.main.done

    @property
    def beating(self) -> bool:
        return self.beat is not None and not self.beat.done

    def pause(self, path: str) -> None:
        task = self.beat if self.beating and path == LEASE else self.main
        if not self.dead and task:
            self.before = path if task is self.main else self.before
            task.pause()
        if self.dead:
            raise Crash

    def trouble_with(self, call: str) -> str | None:
        if self.troubles and call != "remove":
            (calm, what), *rest = self.troubles
            self.troubles = [(calm - 1, what), *rest] if calm else rest
            return None if calm else what
        return None

    # ---- what a run does

    def begin(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except LockedError:
                pass
            except StorageError:
                if self.writer:
                    self.leave()

        self.before = ""
        self.main = Task(run)

    def go(self, calls: int) -> None:
        while self.busy and calls:
            assert self.main
            self.main.step()
            calls -= 1

    def go_until(self, what: str) -> None:
        """Run until just before a call to the bucket, or before the last check of the lock (SENDS)."""
        for _ in range(HASTE):  # it may be waiting for a beat that is paused as well
            if self.busy and not self.before.startswith(what):
                self.go(1)

    def lock_and_plan(self) -> None:
        self._lock = self.store.lock(self.name)
        writer = self._lock.__enter__()
        self.writer = writer
        assert self.hold
        self.world.entered(self.hold.lease.token)
        self.known = {one.address: one for one in writer.resources()}
        self.world.planned(self)

    def write(self, address: Address) -> None:
        assert self.writer
        resource = ResourceState(address, SegmentState(KEY, segment_id=self.world.number()))
        self.world.based_on[resource.current.segment_id] = self.known.get(address)
        self.writer.write(resource)
        self.known[address] = resource

    def drop(self, address: Address) -> None:
        assert self.writer
        if address in self.known:
            self.writer.drop(self.known[address])
            del self.known[address]

    def send(self, address: Address, lag: float) -> None:
        """Send after recording. `lag`: the time between the check of the clock and the request."""
        assert self.writer
        assert self.hold
        self.write(address)
        self.pause(SENDS)
        self.writer.check_lock()
        request = self.world.sent(self.hold.lease.token, lag)
        self.pause("")
        self.world.time_passes(max(0.0, (request.begin - self.world.now()).total_seconds()))
        request.end = min(request.end, self.world.now())

    def leave(self, error: BaseException | None = None) -> None:
        self.writer = None
        given = (type(error), error, None) if error else (None, None, None)
        with suppress(Crash, StorageError):
            self._lock.__exit__(*given)
        self.hold = None

    def start_beat(self) -> None:
        hold = self.hold

        def once() -> None:
            assert hold
            with suppress(StorageError):
                hold.renew()

        if hold and not self.beating:
            self.beat = Task(once)

    def go_on_beating(self, calls: int) -> None:
        while self.beating and calls:
            assert self.beat
            self.beat.step()
            calls -= 1
        if self.hold and not self.beating:
            self.world.beaten(self.hold)

    def die(self) -> None:
        """Stop the machine without running any `finally`."""
        self.dead = True
        for task in (self.beat, self.main):
            while task and not task.done:
                task.step()
        if self.writer:
            self.leave(Crash())


@contextmanager
def beaten_by_hand(hold: HeldLease) -> Iterator[None]:
    """Replace the heartbeat's thread by calls of the test."""
    machine: Machine = hold._place.bucket.machine
    machine.hold = hold
    try:
        yield
    finally:
        while machine.beating and not machine.dead and machine.busy:
            machine.pause("")
        machine.hold = None


@dataclass
class Send:
    """`end` is the latest time of its response or timeout: a paused run may never see it."""

    token: int
    begin: datetime
    end: datetime


class LeaseSimulation:
    """The bucket, real time, and the invariants at each accepted write and each request to Criteo."""

    def __init__(self, machines: int = 3) -> None:
        self._patches = ExitStack()
        self.folder = Path(self._patches.enter_context(tempfile.TemporaryDirectory()))
        self._patches.enter_context(patch.object(remote, "_beating", beaten_by_hand))
        self._patches.enter_context(patch.object(objects, "ThreadPoolExecutor", OneByOne))
        self.time = 0.0
        self.bucket = MemoryBucket(self.now, after=self._accepted)
        self.machines = [Machine(self, f"run {number}") for number in range(machines)]
        self.offsets = {0.0}
        self.lag = 0.0
        self.broken: set[int] = set()
        self.sends: list[Send] = []
        self.tokens: dict[str, int] = {}
        self.landed: dict[Address, ResourceState] = {}
        self.based_on: dict[str, ResourceState | None] = {}
        self.lease: Lease | None = None
        self.fenced = 0
        self._actor: Machine | None = None
        self._numbers = iter(range(1, 1_000_000))

    def close(self) -> None:
        for machine in self.machines:
            machine.die()
        self._patches.close()

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.time)

    def number(self) -> str:
        return str(next(self._numbers))

    def time_passes(self, seconds: float) -> None:
        self.time += seconds

    def peace(self, seconds: float, beating: list[Machine]) -> None:
        """Let time pass while these machines renew their leases."""
        step = BEAT.total_seconds()
        while seconds > 0:
            self.time_passes(min(step, seconds))
            seconds -= step
            for machine in beating:
                machine.start_beat()
                machine.go_on_beating(-1)

    def set_clock(self, machine: Machine, offset: float) -> None:
        machine.offset = offset
        self.offsets.add(offset)

    @property
    def spread(self) -> timedelta:
        return timedelta(seconds=max(self.offsets) - min(self.offsets))

    @contextmanager
    def acts(self, machine: Machine) -> Iterator[None]:
        self._actor = machine
        try:
            yield
        finally:
            self._actor = None

    def another(self) -> Machine:
        """Add a machine with an exact clock."""
        self.machines.append(Machine(self, f"run {len(self.machines)}"))
        return self.machines[-1]

    def reboot(self, machine: Machine) -> None:
        machine.die()
        at = self.machines.index(machine)
        self.machines[at] = Machine(self, machine.name, machine.offset)

    def break_lock(self) -> None:
        """Break the lock like `reconciler state lock break`; an active run may send until it notices."""
        place = leasing.LeaseLocation(self.bucket, LEASE, "apply", "test")
        if self.lease and not self.lease.released:
            self.broken.add(self.lease.token)
            leasing.break_lease(place, self.lease.id, self.now())

    def lose_lease(self) -> None:
        """Remove the lease object while no run is active: then the head has the token."""
        for machine in self.machines:
            self.reboot(machine)
        self.bucket.remove(LEASE)
        self.lease, self.fenced = None, self.tokens.get(HEAD, 0)

    # ---- what must hold

    def entered(self, token: int) -> None:
        """From here on, no write with a lower token is accepted."""
        self.fenced = max(self.fenced, token)

    def beaten(self, hold: HeldLease) -> None:
        """Renew the lease; lost responses are not a failure."""
        mine = self.lease and self.lease.id == hold.lease.id
        given_up = mine and hold._lost and hold.lease.token not in self.broken
        assert not given_up, "a lease is given up that nobody has taken"

    def planned(self, machine: Machine) -> None:
        assert machine.hold
        if self.lease and machine.hold.lease.token == self.lease.token:
            assert machine.known == self.landed, "an accepted resource state is lost"

    def sent(self, token: int, lag: float) -> Send:
        begin = self.now() + timedelta(seconds=lag)
        self.lag = max(self.lag, lag)
        new = Send(token, begin, begin + REQUEST)
        self.sends.append(new)
        calm = self.spread + timedelta(seconds=self.lag) <= TOLERATED
        for one in self.sends if calm else ():
            earlier, later = (one, new) if one.token < token else (new, one)
            free = one.token == token or earlier.token in self.broken
            assert free or earlier.end <= later.begin, "two runs send at the same time"
        return new

    def _accepted(self, call: str, path: str) -> None:
        if call not in {"create", "replace"} or path not in self.bucket.held:
            return
        content = self.bucket.held[path].content
        if path == LEASE:
            self._leased(leasing.decode(content))
        elif path == HEAD or path.startswith(RESOURCES):
            token = json.loads(content)["token"]
            assert token >= self.fenced, f"{path} is written by a run that was fenced off"
            assert token >= self.tokens.get(path, 0), f"{path}: tokens go back"
            self.tokens[path] = token
            if path != HEAD:
                self._received(path)

    def _leased(self, new: Lease) -> None:
        old, self.lease = self.lease, new
        if old is None or new.id == old.id:
            assert old is None or new.token == old.token
            return
        assert new.token > old.token, "two runs hold one token"
        if not old.released:
            latest = self.now() + timedelta(seconds=max(self.offsets))
            assert latest >= old.expires_at + TIMING.grace, "a lease is taken from a run that may be sending"

    def _received(self, path: str) -> None:
        address = next(one for one in ADDRESSES if objects.resource_path(one) == path)
        found = BucketLayout(MemoryBucket(held=dict(self.bucket.held)), "test").resource(address)
        assert found
        before, now = self.landed.get(address), found.resource
        if now != before:
            assert self._actor
            known = self.based_on[now.current.segment_id] if now else self._actor.known.get(address)
            assert known == before, f"{path} is overwritten unread"
        self.landed.pop(address, None)
        if now:
            self.landed[address] = now


def long_enough(world: LeaseSimulation) -> float:
    """Return the time after which any run may take the lock."""
    return (TIMING.life + TIMING.grace + world.spread).total_seconds()
