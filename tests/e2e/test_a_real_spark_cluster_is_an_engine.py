"""A real cluster of Spark: the same targets as on one machine, whatever happens, and nobody in its event log.

Skipped without Java, or where `make spark` was not run. `SPARK_ROWS` adds so many dirty rows.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.cli import Project as CommandProject
from support.nasty_project import KINDS, nasty_project
from support.same_people import FILES, in_csv, totals
from support.source_project import Project, build, make, sha256
from support.spark_server import INSTALLED, SparkServer, spark_server

from reconciler.cli import group
from reconciler.clock import StopSignal
from reconciler.core.errors import ConfigurationError
from reconciler.core.members import EMPTY_SNAPSHOT, Kind, SnapshotRef, TargetMembers
from reconciler.core.model import SegmentKey
from reconciler.core.state.resource import SegmentState, Transfer
from reconciler.members.engine import DuckDbEngine
from reconciler.members.spark.cluster import Answer, Receiver, Relay, Sender, Task
from reconciler.members.spark.session import SparkCluster, open_cluster, prove
from reconciler.members.spark.workplace import Workplace

pytestmark = pytest.mark.skipif(not INSTALLED, reason="Spark or Java is not installed: `make spark`")
ROWS = int(os.environ.get("SPARK_ROWS", "0"))
PLANTED = "planted@example.com"
KEY = b"k" * 32
FEW, MANY = "visits < 30", "visits < 20 OR visits > 30"
GUARDS = "guards: {maxShrink: 100%, maxGrowth: 1000%, maxInvalid: 100%}"
AUDIENCE = """\
kind: Audience
name: buyers
title: Buyers
destinations: [email, customer]
source: {{files: ["*.parquet"], where: "{where}"}}
columns: {{Email: email, CustomerId: id}}
exclude:
  - {{files: ["out.csv"], columns: {{Email: email}}, maxShrink: 100%}}
  - {{files: ["ids.csv"], columns: {{CustomerId: id}}, maxShrink: 100%}}
"""
Targets = list[tuple[frozenset[str], TargetMembers]]


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took, which is what a long run keeps."""
    begun = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - begun:.1f} s")  # noqa: T201


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    with spark_server(tmp_path_factory.mktemp("spark")) as running:
        yield running


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return nasty_project(tmp_path_factory.mktemp("nasty"), ROWS)


@pytest.fixture(scope="module")
def alone(nasty: Project) -> Targets:
    """What one machine builds."""
    with timed("targets on one machine"):
        return nasty.build(*KINDS)


@pytest.fixture(scope="module")
def cluster(server: SparkServer) -> Iterator[SparkCluster]:
    with open_cluster(server.url, server.events, lambda: None) as opened:
        yield opened


@dataclass
class HurtCluster:
    """A cluster that loses an executor before a piece of work, and one while members are exchanged."""

    cluster: SparkCluster
    server: SparkServer
    at: int
    sent: int = 0

    def each(self, tasks: Sequence[Task]) -> list[Answer]:
        self.sent += 1
        if self.sent == self.at:
            self.server.kill_an_executor()
        return self.cluster.each(tasks)

    def exchanged(self, senders: Sequence[Sender], words: int, receiver: Receiver) -> list[Answer]:
        """Kill when all members were sent and not yet received: Spark must send some of them again."""
        before = self.server.sent()
        with ThreadPoolExecutor(1) as pool:
            answers = pool.submit(self.cluster.exchanged, senders, words, receiver)
            while self.server.sent() == before and not answers.done():
                time.sleep(0.01)
            assert not answers.done()
            self.server.kill_an_executor()
            return answers.result()

    def sorted(self, senders: Sequence[Sender], relay: Relay, receiver: Receiver) -> list[Answer]:
        return self.cluster.sorted(senders, relay, receiver)


def leaks(logged: str, project: Project) -> list[str]:
    """Return what stands in a log that must not: keys, identifiers and their digests."""
    known = {KEY.decode(), KEY.hex(), (b"e" * 32).hex(), PLANTED}
    for file in project.root.glob("*.csv"):
        known |= set(re.findall(r"\S+@\S+|[0-9a-f]{32,}", file.read_text()))
    known |= {f"person{number}@example.com" for number in range(50)}
    known |= {sha256(f"person{number}@example.com") for number in range(50)}
    return sorted(one for one in known if one in logged or json.dumps(one)[1:-1] in logged)


def test_it_builds_the_same_targets_and_its_event_log_holds_nobody(
    cluster: SparkCluster, server: SparkServer, nasty: Project, alone: Targets
) -> None:
    with timed(
        f"the same from {alone[0][1].rows:,} rows, {alone[0][1].members.count:,} members, in the cluster"
    ):
        assert replace(nasty, cluster=cluster).build(*KINDS) == alone
    logged = server.logged()
    assert "MapInArrow" in logged
    assert leaks(logged, nasty) == []


@pytest.mark.parametrize("name", FILES)
def test_the_same_people_give_one_digest_from_every_file(
    cluster: SparkCluster, tmp_path: Path, name: str
) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    expected = totals(in_csv(make(tmp_path / "here")))
    project = FILES[name](make(tmp_path / "there"))
    project.cluster = cluster
    assert totals(project) == expected


def test_a_planted_leak_is_found_in_the_event_log(
    cluster: SparkCluster, server: SparkServer, tmp_path: Path
) -> None:
    def quoting(numbers: Iterator[object]) -> Iterator[object]:
        raise ValueError(PLANTED)

    with contextlib.suppress(Exception):
        cluster.session.range(1).mapInArrow(quoting, "answer string").toArrow()
    assert leaks(server.logged(), nasty_project(tmp_path)) == [PLANTED]


def test_executors_that_die_midway_change_nothing(
    cluster: SparkCluster, server: SparkServer, nasty: Project, alone: Targets
) -> None:
    before = server.executors()
    with timed("the same while two executors are killed"):
        assert replace(nasty, cluster=HurtCluster(cluster, server, at=3)).build(*KINDS) == alone
    assert not set(before) & set(server.executors())


def test_it_sends_the_same_batches_and_its_event_log_holds_nobody(
    cluster: SparkCluster, server: SparkServer, nasty: Project
) -> None:
    with timed("changes on one machine"):
        expected = batches(nasty)
    with timed(f"the same changes, {sum(one.end - one.start for one in expected):,} members, in the cluster"):
        assert batches(replace(nasty, cluster=cluster)) == expected
    assert {one.operation for one in expected} == {"add", "remove"}
    logged = server.logged()
    assert "rangepartitioning" in logged
    assert set(leaks(logged, nasty)) <= {PLANTED}


@dataclass(frozen=True)
class Sent:
    """A batch. `digest` is of its identifiers in their order."""

    kind: Kind
    operation: str
    start: int
    end: int
    digest: str


def batches(project: Project) -> list[Sent]:
    """Return the changes from the people with few visits to those with many."""
    with project.engine() as engine:
        few, many = (
            build(engine, replace(project).reads("*.parquet", where=where).audience, KINDS)
            for where in (FEW, MANY)
        )
        return [one for kind in KINDS for one in changes(engine, kind, few[kind].members, many[kind].members)]


def changes(engine: DuckDbEngine, kind: Kind, held: SnapshotRef, target: SnapshotRef) -> Iterator[Sent]:
    size = engine.delta(held, EMPTY_SNAPSHOT, target, EMPTY_SNAPSHOT)
    holding = SegmentState(SegmentKey("1", "2", *kind), "7", confirmed=held)
    moving = replace(holding, transfer=Transfer(target, EMPTY_SNAPSHOT, size))
    for one in engine.batches(moving, 50_000 if ROWS else 3):
        yield Sent(kind, one.operation, one.start, one.end, sha256("\n".join(one.identifiers)))


def test_executors_must_see_the_folders_of_this_machine(cluster: SparkCluster, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="don't see the folders"):
        prove(cluster, Workplace(tmp_path / "elsewhere", tmp_path))


def test_engines_may_be_switched_between_runs(
    server: SparkServer, nasty: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = CommandProject.make(tmp_path)
    folder = project.root / "environments" / "sandbox"
    home, audience = folder / "environment.yaml", folder / "buyers.yaml"
    here = re.sub("guards: .*", GUARDS, home.read_text()).replace("root: data", f"root: {nasty.root}")
    there = f"{here}engine: {{spark: '{server.url}'}}\n"
    for before, after, where in ((here, there, FEW), (there, here, MANY)):
        audience.write_text(AUDIENCE.format(where=where))
        home.write_text(before)
        assert run(project, "apply", "sandbox", "--yes", "--quiet") == 0
        home.write_text(after)
        capsys.readouterr()
        assert run(project, "plan", "sandbox", "--read-sources", "--detailed-exitcode", "--quiet") == 0
        assert "No changes." in capsys.readouterr().out


def run(project: CommandProject, *arguments: str) -> int:
    with contextlib.chdir(project.root):
        code = group.main(arguments, prog_name="reconciler", standalone_mode=False, obj=StopSignal())
    return code if isinstance(code, int) else 0
