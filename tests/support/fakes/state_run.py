"""One run over a local state that does everything a writer can, and a way to kill it at each step.

As a script: `state_run.py step DIRECTORY` forks a run for each call that changes the disk and kills it
there; `state_run.py forever DIRECTORY` writes until it is killed; `state_run.py small DIRECTORY` writes
under a limit on file sizes.
"""

import itertools
import os
import resource
import shutil
import signal
import sys
from pathlib import Path

from support.fakes.disk import watched

from reconciler.core.errors import StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.state.local_store import LocalStore

KEY = SegmentKey("1", "2", IdentifierType.EMAIL, Hashing.SHA256)
ONE, TWO = SnapshotRef("0001", 1), SnapshotRef("0002", 2)
OLD = ResourceState(Address("email", "lapsed"), SegmentState(KEY, confirmed=ONE))
NEW = ResourceState(Address("email", "lapsed"), SegmentState(KEY, confirmed=TWO))
GOING = ResourceState(Address("email", "going"), SegmentState(KEY, confirmed=ONE))


def members(snapshot: SnapshotRef) -> bytes:
    return snapshot.digest.encode() * 1000


def cache(directory: Path, snapshot: SnapshotRef) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / snapshot.digest
    file.write_bytes(members(snapshot))
    return str(file)


def begin(directory: Path) -> None:
    """Write the state of an earlier run."""
    with LocalStore(directory / "state", "sandbox").lock("an earlier run") as writer:
        writer.store_snapshot(ONE, cache(directory / "cache", ONE))
        writer.write(OLD)
        writer.write(GOING)


def go_on(directory: Path) -> None:
    """Continue from OLD and GOING, or from nothing, to NEW."""
    with LocalStore(directory / "state", "sandbox").lock("this run") as writer:
        writer.store_snapshot(TWO, cache(directory / "cache", TWO))
        writer.write(NEW)
        writer.drop(GOING)
        writer.prune()


def kill_at_each_step(directory: Path) -> None:
    """Copy `directory/begun` for each step, as a kill at that step left it."""
    for step in itertools.count(1):
        there = directory / str(step)
        shutil.copytree(directory / "begun", there)
        child = os.fork()
        if not child:
            _die_at(step, there)
        if os.waitpid(child, 0)[1] == 0:
            return


def _die_at(step: int, there: Path) -> None:
    steps = itertools.count(1)
    with watched(lambda call: os.kill(os.getpid(), signal.SIGKILL) if next(steps) == step else None):
        go_on(there)
    os._exit(0)


def write_forever(directory: Path) -> None:
    with LocalStore(directory / "state", "sandbox").lock("the run to kill") as writer:
        print("writing", flush=True)  # noqa: T201 - what the parent waits for
        for base in itertools.cycle((ONE, TWO)):
            writer.store_snapshot(base, cache(directory / "cache", base))
            writer.write(ResourceState(NEW.address, SegmentState(KEY, confirmed=base)))
            writer.prune()


def write_small(directory: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        with LocalStore(directory / "state", "sandbox").lock("a run with a limit") as writer:
            writer.store_snapshot(TWO, str(directory / "cache" / "0002"))
    except StorageError as error:
        print(error.problem, error.remedy)  # noqa: T201 - what the parent reads


if __name__ == "__main__":
    work = {"step": kill_at_each_step, "forever": write_forever, "small": write_small}
    work[sys.argv[1]](Path(sys.argv[2]))
