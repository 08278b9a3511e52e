"""A session of Apache Spark: in this process's own Java machine, or of a server by Spark Connect.

Spark's errors quote values and statements: none of their texts is shown.
"""

import contextlib
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL
from typing import Any
from urllib.parse import urlsplit

import duckdb

import reconciler
from reconciler.core.errors import CancelledError, ConfigurationError, StorageError
from reconciler.core.secret import Secret
from reconciler.members.spark.cluster import Answer, Cluster, Receiver, Relay, Sender, Task, opened
from reconciler.members.spark.functions import ANSWER, Each, Pass, Receive, Send
from reconciler.members.spark.probe import Probe, shared_folder
from reconciler.members.spark.tasks import columns
from reconciler.members.spark.workplace import Workplace

LOCAL = "local"
"""Instead of the URL of a Spark Connect server: Spark on this machine."""
PORT = 15002
"""Of Spark Connect."""
REACH = 10.0
"""Seconds until a server that doesn't answer is out of reach."""
NO_TOKEN = Secret("")
LOOK = 0.2
"""Seconds between two looks whether to stop."""


@dataclass(frozen=True, slots=True)
class SparkCluster:
    """Runs work in a session. `cancel` ends what runs there, `check` raises when somebody asks to stop."""

    session: Any
    cancel: Callable[[], None]
    check: Callable[[], None]

    def each(self, tasks: Sequence[Task]) -> list[Answer]:
        return self._answers(self._numbers(tasks).mapInArrow(Each(tasks), ANSWER)) if tasks else []

    def exchanged(self, senders: Sequence[Sender], words: int, receiver: Receiver) -> list[Answer]:
        sent = self._numbers(senders).mapInArrow(Send(senders), _members(words))
        return self._answers(sent.repartition("query", "member").mapInArrow(Receive(receiver), ANSWER))

    def sorted(self, senders: Sequence[Sender], relay: Relay, receiver: Receiver) -> list[Answer]:
        sent = self._numbers(senders).mapInArrow(Send(senders), _members(1))
        moved = sent.repartition("member").mapInArrow(Pass(relay), _members(1))
        return self._answers(
            moved.repartitionByRange("query", "member").mapInArrow(Receive(receiver), ANSWER)
        )

    def _numbers(self, work: Sequence[object]) -> Any:
        """The numbers of pieces of work, each in a partition of its own."""
        return self.session.range(0, len(work), 1, len(work))

    def _answers(self, frame: Any) -> list[Answer]:
        with ThreadPoolExecutor(1) as pool:
            collected = pool.submit(frame.toArrow)
            try:
                while not wait_for([collected], timeout=LOOK).done:
                    self.check()
            except CancelledError:
                self.cancel()
                raise
            try:
                rows = collected.result().to_pylist()
            except Exception as error:  # noqa: BLE001 # Spark's errors have many families, and quote values
                raise _failed(error) from None
        return [opened(row["answer"]) for row in sorted(rows, key=lambda row: row["part"])]


def _failed(error: Exception) -> StorageError:
    return StorageError(
        f"engine.spark: the cluster gave up ({type(error).__name__})",
        remedy="look at the executors' logs and disks, and run again: what was sent is written down",
    )


def _members(words: int) -> str:
    return ", ".join(["query int", "member binary", *(f"{one} bigint" for one in columns(words))])


@contextlib.contextmanager
def open_cluster(
    where: str, scratch: Path, check: Callable[[], None], token: Secret = NO_TOKEN
) -> Iterator[SparkCluster]:
    """A cluster; Spark on this machine writes below `scratch`. Raises ConfigurationError."""
    if find_spec("pyspark") is None:
        raise ConfigurationError(
            "engine.spark: the Python package of Apache Spark is not installed",
            remedy="pip install 'criteo-reconciler[spark]'",
        )
    with _local(scratch) if where == LOCAL else _connected(where, token) as (session, cancel):
        yield SparkCluster(session, cancel, check)


@contextlib.contextmanager
def _local(scratch: Path) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Spark in a Java machine of this process, which writes to our folder and says nothing."""
    home = os.environ.get("JAVA_HOME")
    if not shutil.which("java", path=f"{home}/bin" if home else None):
        raise ConfigurationError(
            "engine.spark: there is no Java, which `local` runs on",
            remedy="install Java 17 or 21, or set JAVA_HOME",
        )
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    conf = SparkConf().setMaster("local[*]").setAppName("reconciler")
    conf.setAll([("spark.local.dir", str(scratch / "spark")), ("spark.ui.enabled", "false")])
    gateway = launch_gateway(conf=conf, popen_kwargs={"stdin": -1, "stdout": DEVNULL, "stderr": DEVNULL})
    try:
        context = SparkContext(gateway=gateway, conf=conf)
        try:
            yield SparkSession(context), context.cancelAllJobs
        finally:
            context.stop()
    finally:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001 # nothing else lets a process begin again


@contextlib.contextmanager
def _connected(where: str, token: Secret) -> Iterator[tuple[Any, Callable[[], None]]]:
    url = urlsplit(where)
    try:
        socket.create_connection((url.hostname or "", url.port or PORT), REACH).close()
    except (OSError, UnicodeError):  # UnicodeError: a label of the name is empty or too long
        raise ConfigurationError(
            f"engine.spark: no server answers at {url.hostname}:{url.port or PORT}",
            remedy="start Spark's Connect server there, or check `spark` under `engine`, and the firewall",
        ) from None
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.session import SparkSession

    channel, session = DefaultChannelBuilder(where), None
    if token.reveal():  # not in the URL, which Spark keeps in its settings
        channel.set(DefaultChannelBuilder.PARAM_TOKEN, token.reveal())
    try:
        try:
            session = SparkSession.builder.channelBuilder(channel).create()
            _ = session.version  # the first question to the server
        except Exception as error:  # noqa: BLE001 # as above
            raise _unopened(url.hostname or "", error) from None
        yield session, session.interruptAll
    finally:
        with contextlib.suppress(Exception):
            if session is not None:
                session.stop()


def _unopened(host: str, error: Exception) -> ConfigurationError:
    status = getattr(getattr(error, "getGrpcStatusCode", lambda: None)(), "name", "")
    if status in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return ConfigurationError(
            f"engine.spark: {host} refused the token, or needs one ({status})",
            remedy="check `token` under `engine`",
        )
    return ConfigurationError(
        f"engine.spark: {host} opens no session ({type(error).__name__})",
        remedy="is it a Spark Connect server, of a version that the installed pyspark speaks to?",
    )


def prove(cluster: Cluster, place: Workplace) -> None:
    """Raise ConfigurationError unless an executor runs what this machine runs, in the same folders."""
    remedy = (
        f"install criteo-reconciler {reconciler.__version__}, duckdb {duckdb.__version__} and Python "
        f"{sys.version_info[0]}.{sys.version_info[1]} on each executor"
    )
    with shared_folder(place) as mark:
        try:
            [answer] = cluster.each([Probe(place, mark)])
        except StorageError:
            raise ConfigurationError(
                "engine.spark: executors can't run reconciler's functions", remedy=remedy
            ) from None
    if answer["versions"] != Probe.versions():
        raise ConfigurationError("engine.spark: executors have other versions", remedy=remedy)
    if not answer["shared"]:
        raise ConfigurationError(
            "engine.spark: executors don't see the folders of this machine",
            remedy="keep the project and the data root on a disk that all executors see under the same path",
        )
