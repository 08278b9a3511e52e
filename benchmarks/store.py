"""What it costs an apply that its state lives in a bucket: 20 segments, and a store that takes 20 ms a call.

Runs the same first apply with local state and with state in a bucket in memory, each call of which is held
back, in turns and in one process, and prints how long each took and their ratio. Criteo is the emulator on a
socket, with its documented limit of 250 calls a minute and an answer after 200 ms.

    python benchmarks/store.py --rounds 3
"""

import argparse
import contextlib
import io
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.fakes.memory_bucket import MemoryBucket

from reconciler.cli import group
from reconciler.clock import StopSignal
from reconciler.core.model import Environment
from reconciler.core.ports import Clock, StateStore
from reconciler.emulator import Emulator, Switches
from reconciler.state.bucket_reader import StoreContext
from reconciler.state.bucket_store import BucketStore
from reconciler.state.lease import LeaseTiming
from reconciler.state.local_store import LocalStore

AUDIENCES, PEOPLE, BATCH = 10, 10_000, 400
"""500 batches: what two minutes take at the documented limit, which is what bounds a large apply."""
ENVIRONMENT = """\
kind: Environment
name: sandbox
api: {{endpoint: "{url}", batchSize: {batch}}}
state: {{url: "file:.reconciler/state/sandbox"}}
data: {{root: data}}
seats:
  acme: {{accountId: "1", retailerId: "2"}}
---
kind: Credential
name: criteo
grant: clientCredentials
clientId: env:ID
clientSecret: env:SECRET
---
kind: Destination
name: email
credential: criteo
seat: acme
identifierType: Email
hashing: sha256
---
kind: Destination
name: customer
credential: criteo
seat: acme
identifierType: CustomerId
"""
AUDIENCE = """\
kind: Audience
name: a{number}
title: Audience {number}
destinations: [email, customer]
source: {{files: ["people{number}.csv"]}}
columns: {{Email: email, CustomerId: id}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds that each call of the store takes")
    given = parser.parse_args()
    times: dict[str, list[float]] = {"local": [], "bucket": []}
    for _ in range(given.rounds):
        for kind, taken in times.items():
            taken.append(one_apply(kind, given.delay))
            print(f"{kind:<8}{taken[-1]:8.2f} s", flush=True)
    local, bucket = (statistics.median(times[kind]) for kind in ("local", "bucket"))
    batches = 2 * AUDIENCES * PEOPLE // BATCH
    print(f"20 segments, {batches} batches, {given.delay * 1000:.0f} ms a call of the store")
    print(f"median: local {local:.2f} s, bucket {bucket:.2f} s, ratio {bucket / local:.3f}")


def one_apply(kind: str, delay: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        switches = Switches(latency=0.2)
        with Emulator.open(root / "criteo.sqlite", switches=switches) as emulator, emulator.serving() as url:
            emulator.ensure_account("1", ["2"])
            make_project(root, url)
            issued = emulator.credentials
            environ = {"ID": issued.client_id, "SECRET": issued.client_secret}
            with mock.patch.dict("os.environ", environ), stored(kind, delay):
                at_the_start_of_a_minute()
                started = time.perf_counter()
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    code = group.main(
                        ["apply", "sandbox", "--yes", "-C", folder], standalone_mode=False, obj=StopSignal()
                    )
                taken = time.perf_counter() - started
            if code:
                raise SystemExit(f"the apply ended with {code}")
        shutil.rmtree(root / ".reconciler")
        return taken


def at_the_start_of_a_minute() -> None:
    """Wait for a full minute: the limit is per calendar minute, so both applies must start alike."""
    time.sleep((61 - time.time() % 60) % 60)


def make_project(root: Path, url: str) -> None:
    manifests, data = root / "environments" / "sandbox", root / "data"
    manifests.mkdir(parents=True)
    data.mkdir()
    (manifests / "environment.yaml").write_text(ENVIRONMENT.format(url=url, batch=BATCH))
    for number in range(AUDIENCES):
        (manifests / f"a{number}.yaml").write_text(AUDIENCE.format(number=number))
        rows = (f"p{number}-{person}@example.com,c{number}-{person}" for person in range(PEOPLE))
        (data / f"people{number}.csv").write_text("\n".join(["email,id", *rows]) + "\n")


@contextlib.contextmanager
def stored(kind: str, delay: float) -> Iterator[None]:
    """Return the state backend of the next apply."""

    def held_back(_call: str, _path: str) -> None:
        time.sleep(delay)

    def bucket(
        environment: Environment, _root: Path, snapshots: Callable[[], Path], leftovers: Path, clock: Clock
    ) -> StateStore:
        around = StoreContext(clock.now, clock.wait, snapshots, leftovers)
        timing = LeaseTiming.of(environment.api.timeout)
        return BucketStore(MemoryBucket(before=held_back), environment.name, timing, around)

    def local(environment: Environment, root: Path, *_: object) -> StateStore:
        return LocalStore(root / ".reconciler" / "state", environment.name)

    with mock.patch("reconciler.workspace.open_store", bucket if kind == "bucket" else local):
        yield


if __name__ == "__main__":
    main()
