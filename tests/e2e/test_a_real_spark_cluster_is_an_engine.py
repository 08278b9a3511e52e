"""A real cluster of Spark: the same targets as on one machine, whatever happens, and nobody in its event log.

Skipped without Java, or where `make spark` was not run.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.cli import Project as CommandProject
from support.nasty_project import KINDS, nasty_project
from support.same_people import FILES, in_csv, totals
from support.source_project import EMAIL, Project, build, make, sha256
from support.spark_server import INSTALLED, SparkServer, spark_server

from reconciler.cli import group
from reconciler.clock import StopSignal
from reconciler.core.errors import ConfigurationError
from reconciler.core.members import EMPTY_SNAPSHOT, Kind
from reconciler.core.model import Hashing, SegmentKey
from reconciler.core.state.resource import SegmentState, Transfer
from reconciler.members.spark.cluster import Answer, Receiver, Relay, Sender, Task
from reconciler.members.spark.session import SparkCluster, open_cluster, prove
from reconciler.members.spark.workplace import Workplace

pytestmark = pytest.mark.skipif(not INSTALLED, reason="Spark or Java is not installed: `make spark`")
ROWS = int(os.environ.get("SPARK_ROWS", "0"))
PLANTED = "planted@example.com"
KEY = b"k" * 32


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    with spark_server(tmp_path_factory.mktemp("spark")) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(server: SparkServer) -> Iterator[SparkCluster]:
    with open_cluster(server.url, server.events, lambda: None) as opened:
        yield opened


@dataclass
class HurtCluster:
    """A cluster that loses something before the work number `at` is sent."""

    cluster: SparkCluster
    hurt: Callable[[], None]
    at: int
    sent: int = 0

    def each(self, tasks: Sequence[Task]) -> list[Answer]:
        self._count()
        return self.cluster.each(tasks)

    def exchanged(self, senders: Sequence[Sender], words: int, receiver: Receiver) -> list[Answer]:
        self._count()
        return self.cluster.exchanged(senders, words, receiver)

    def sorted(self, senders: Sequence[Sender], relay: Relay, receiver: Receiver) -> list[Answer]:
        return self.cluster.sorted(senders, relay, receiver)

    def _count(self) -> None:
        self.sent += 1
        if self.sent == self.at:
            self.hurt()


def leaks(logged: str, project: Project) -> list[str]:
    """Return what stands in a log that must not: keys, identifiers and their digests."""
    known = {KEY.decode(), KEY.hex(), (b"e" * 32).hex(), PLANTED}
    for file in project.root.glob("*.csv"):
        known |= set(re.findall(r"\S+@\S+|[0-9a-f]{32,}", file.read_text()))
    known |= {f"person{number}@example.com" for number in range(50)}
    known |= {sha256(f"person{number}@example.com") for number in range(50)}
    return sorted(one for one in known if one in logged or json.dumps(one)[1:-1] in logged)


def test_it_builds_the_same_targets_and_its_event_log_holds_nobody(
    cluster: SparkCluster, server: SparkServer, tmp_path: Path
) -> None:
    project = nasty_project(tmp_path, ROWS)
    begun = time.monotonic()
    alone = project.build(*KINDS)
    halfway = time.monotonic()
    project.cluster = cluster
    assert project.build(*KINDS) == alone
    seconds = f"{halfway - begun:.1f} s on one machine, {time.monotonic() - halfway:.1f} s in the cluster"
    print(f"{alone[0][1].rows:,} rows, {alone[0][1].members.count:,} members: {seconds}")  # noqa: T201 # what a long run keeps
    logged = server.logged()
    assert "MapInArrow" in logged
    assert leaks(logged, project) == []


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


def test_an_executor_that_dies_midway_changes_nothing(
    cluster: SparkCluster, server: SparkServer, tmp_path: Path
) -> None:
    project = nasty_project(tmp_path, ROWS)
    alone = project.build(*KINDS)
    before = server.executors()
    project.cluster = HurtCluster(cluster, server.kill_an_executor, at=3)
    assert project.build(*KINDS) == alone
    assert set(before) - set(server.executors())


def test_it_sends_the_same_batches_and_its_event_log_holds_nobody(
    cluster: SparkCluster, server: SparkServer, tmp_path: Path
) -> None:
    project, kind = nasty_project(tmp_path), (EMAIL, Hashing.SHA256)
    alone = batches(project, kind)
    project.cluster = cluster
    assert batches(project, kind) == alone
    assert {operation for operation, _ in alone} == {"add", "remove"}
    logged = server.logged()
    assert "rangepartitioning" in logged
    assert set(leaks(logged, project)) <= {PLANTED}


def batches(project: Project, kind: Kind) -> list[tuple[str, list[str]]]:
    """Return the change from the people with few visits to those with many, in batches."""
    with project.engine() as engine:
        few, many = (
            build(engine, project.reads("*.parquet", where=where).audience, [kind])[kind].members
            for where in ("visits < 30", "visits > 20")
        )
        size = engine.delta(few, EMPTY_SNAPSHOT, many, EMPTY_SNAPSHOT)
        held = SegmentState(SegmentKey("1", "2", *kind), "7", confirmed=few)
        moving = replace(held, transfer=Transfer(many, EMPTY_SNAPSHOT, size))
        return [(one.operation, list(one.identifiers)) for one in engine.batches(moving, 3)]


def test_executors_must_see_the_folders_of_this_machine(cluster: SparkCluster, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="don't see the folders"):
        prove(cluster, Workplace(tmp_path / "elsewhere", tmp_path))


def test_engines_may_be_switched_between_runs(
    server: SparkServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = CommandProject.make(tmp_path)
    project.people(*range(300))
    home = project.root / "environments" / "sandbox" / "environment.yaml"
    here = home.read_text()
    there = f"{here}engine: {{spark: '{server.url}'}}\n"
    for before, after in ((here, there), (there, here)):
        home.write_text(before)
        assert run(project, "apply", "sandbox", "--yes", "--quiet") == 0
        home.write_text(after)
        capsys.readouterr()
        assert run(project, "plan", "sandbox", "--read-sources", "--detailed-exitcode", "--quiet") == 0
        assert "No changes." in capsys.readouterr().out
        project.people(*range(310))


def run(project: CommandProject, *arguments: str) -> int:
    with contextlib.chdir(project.root):
        code = group.main(arguments, prog_name="reconciler", standalone_mode=False, obj=StopSignal())
    return code if isinstance(code, int) else 0
