"""After a full disk or a kill, the state is complete, old or new, and the next run resumes."""

import itertools
import random
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest
from support.fakes import state_run
from support.fakes.disk import Fault, watched
from support.fakes.state_run import GOING, KEY, NEW, OLD, ONE, TWO, begin, cache, go_on, members

from reconciler.core.errors import StorageError
from reconciler.core.model import Address
from reconciler.core.state.model import StateVersion
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.disk.atomic import replace_file
from reconciler.state.local_layout import LocalLayout
from reconciler.state.local_store import LocalStore

pytestmark = pytest.mark.promise("state")

WAYS = [(), (GOING, OLD), (GOING, NEW), (NEW,)]


def check_whole(directory: Path, serials: set[int]) -> None:
    """Old or new, every resource state with its members, and the next run ends where this one should have."""
    reader = LocalStore(directory / "state", "sandbox").reader()
    resources = reader.resources()
    assert resources in WAYS
    for resource in resources:
        assert Path(reader.snapshot_file(resource.current.confirmed)).read_bytes() == members(
            resource.current.confirmed
        )
    head = reader.head()
    assert (head.serial if head else 0) in serials
    key = reader.key()
    go_on(directory)
    after = LocalStore(directory / "state", "sandbox").reader()
    assert after.resources() == (NEW,)
    kept = {digest for one in after.versions() for digest in digests(after.version(one.serial))}
    assert {path.name for path in (directory / "state" / "snapshots").iterdir()} == {"0002"} | kept
    assert not [path for path in directory.rglob(".*") if path.is_file() and path.name != ".gitignore"]
    if head:
        assert after.key() == key
        renewed = after.head()
        assert renewed is not None
        assert renewed.lineage == head.lineage


def digests(kept: StateVersion) -> set[str]:
    return {ref.digest for ref in kept.references}


@pytest.mark.parametrize("calls", [1, 10**9], ids=["a moment", "for good"])
@pytest.mark.parametrize("begun", [True, False], ids=["a state", "no state"])
def test_a_disk_that_is_full_at_any_step_loses_nothing(tmp_path: Path, begun: bool, calls: int) -> None:
    for first in itertools.count(1):
        there = tmp_path / str(first)
        cache(there / "cache", TWO)
        if begun:
            begin(there)
        fault = Fault(first, calls)
        with watched(fault):
            reported = go_on_or_tell(there)
        if not fault.happened:
            break
        if reported:
            assert "the disk is full" in reported.problem
            assert "free disk space" in reported.remedy
        else:
            assert LocalStore(there / "state", "sandbox").reader().resources() == (NEW,)
        check_whole(there, serials={0, 1, 2})
    assert first > 20


def go_on_or_tell(directory: Path) -> StorageError | None:
    try:
        go_on(directory)
    except StorageError as error:
        return error
    return None


@pytest.mark.parametrize("begun", [True, False], ids=["a state", "no state"])
def test_a_run_killed_at_any_step_loses_nothing(tmp_path: Path, begun: bool) -> None:
    cache(tmp_path / "begun" / "cache", TWO)
    if begun:
        begin(tmp_path / "begun")
    run("step", tmp_path)
    steps = sorted(tmp_path.glob("[0-9]*"))
    assert len(steps) > 20
    for there in steps:
        check_whole(there, serials={1, 2} if begun else {0, 1})


def test_a_run_killed_at_any_time_leaves_a_state_that_was_whole_all_along(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    for _ in range(8):
        command = [sys.executable, state_run.__file__, "forever", str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline()
            end = time.monotonic() + chance.uniform(0.01, 0.15)
            while time.monotonic() < end:
                read_once(tmp_path)
            writer.kill()
        for resource in read_once(tmp_path):
            snapshot = (
                LocalStore(tmp_path / "state", "sandbox").reader().snapshot_file(resource.current.confirmed)
            )
            assert Path(snapshot).read_bytes() == members(resource.current.confirmed)
    with LocalStore(tmp_path / "state", "sandbox").lock("the next run"):
        pass
    assert not list((tmp_path / "state").rglob(".*.tmp"))


def read_once(directory: Path) -> tuple[ResourceState, ...]:
    reader = LocalStore(directory / "state", "sandbox").reader()
    reader.head()
    resources = reader.resources()
    assert all(resource.current.confirmed in (ONE, TWO) for resource in resources)
    return resources


def test_a_file_over_the_limit_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    begin(tmp_path)
    cache(tmp_path / "cache", TWO)
    assert "larger than this process may write" in run("small", tmp_path)
    assert {path.name for path in (tmp_path / "state" / "snapshots").iterdir()} == {"0001"}
    check_whole(tmp_path, serials={1})


ENVIRONMENT = {"PYTHONPATH": str(Path(state_run.__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}


def run(what: str, directory: Path) -> str:
    command = [sys.executable, state_run.__file__, what, str(directory)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_content_is_durable_before_the_name_and_the_name_before_the_return(tmp_path: Path) -> None:
    calls: list[str] = []
    with watched(calls.append):
        replace_file(tmp_path / "file", b"x")
    assert calls == ["create", "fchmod", "write", "fsync", "replace", "fsync directory"]


def test_threads_write_their_own_addresses_side_by_side(tmp_path: Path) -> None:
    resources = [
        ResourceState(Address("email", f"a{number}"), SegmentState(KEY, confirmed=ONE)) for number in range(8)
    ]
    file = cache(tmp_path / "cache", ONE)
    with LocalStore(tmp_path / "state", "sandbox").lock("me") as writer:

        def work(resource: ResourceState) -> None:
            for _ in range(5):
                writer.store_snapshot(ONE, file)
                writer.prune()
                writer.write(resource)

        threads = [Thread(target=work, args=(resource,)) for resource in resources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        head = writer.head()
        assert head is not None
        assert head.serial == 1
        assert writer.resources() == tuple(resources)
        assert writer.snapshot_file(ONE)


def test_a_resource_state_dropped_since_it_was_listed_is_not_missed(tmp_path: Path) -> None:
    begin(tmp_path)
    files = LocalLayout(tmp_path / "state", "sandbox")
    listed = files.resource_files()
    with LocalStore(tmp_path / "state", "sandbox").lock("me") as writer:
        writer.drop(GOING)
    assert [files.resource(file) for file in listed] == [None, OLD]
