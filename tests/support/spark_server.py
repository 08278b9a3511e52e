"""A real server of Spark Connect with a cluster of two workers, which tests start and may hurt."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SPARK = REPOSITORY / ".spark"
"""Where `make spark` installs it."""
if (SPARK / ".ready").exists() and str(SPARK) not in sys.path:
    sys.path.append(str(SPARK))
_SPEC = find_spec("pyspark")
INSTALLED = bool(_SPEC and shutil.which("java"))
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Java machines that live for a minute need no code that is worth an hour."""
START = 120.0
"""Seconds that a busy machine may need."""


@dataclass
class SparkServer:
    """`url` is where it answers. `events` is the folder of Spark's event log."""

    url: str
    events: Path
    process: subprocess.Popen[bytes]

    def logged(self) -> str:
        """What Spark wrote into its event log until now."""
        return "".join(one.read_text("utf-8", "replace") for one in self.events.rglob("events_*"))

    def sent(self) -> int:
        """Return how many stages have sent all of their rows to a shuffle."""
        logged = self.logged()
        ended = re.findall(r'"SparkListenerStageCompleted","Stage Info":{"Stage ID":(\d+)', logged)
        sending = re.findall(r'"SparkListenerTaskEnd","Stage ID":(\d+),[^{]*"ShuffleMapTask"', logged)
        return len(set(ended) & set(sending))

    def executors(self) -> list[int]:
        """Return the process IDs of the executors, the oldest first."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "stat").read_text().rpartition(")")[2].split()
                parent, started, command = int(words[1]), int(words[19]), (entry / "cmdline").read_bytes()
                if parent == self.process.pid and b"CoarseGrainedExecutorBackend" in command:
                    found.append((started, int(entry.name)))
        return [process for _, process in sorted(found)]

    def kill_an_executor(self) -> None:
        os.kill(self.executors()[0], signal.SIGKILL)


@contextlib.contextmanager
def spark_server(folder: Path, token: str = "") -> Iterator[SparkServer]:
    """A server with two executors of one core. It ends with the block, and so do the executors.

    With a `token`, it runs all in one process, and refuses who does not send that token.
    """
    assert _SPEC
    assert _SPEC.origin
    events, port, log = folder / "events", _free_port(), folder / "server.log"
    events.mkdir()
    home = Path(_SPEC.origin).parent
    asked = {"spark.connect.authenticate.token": token} if token else {}
    settings = {
        **asked,
        "spark.ui.enabled": "false",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.executor.memory": "600m",
        "spark.driver.memory": "600m",
        "spark.driver.host": "127.0.0.1",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.extraJavaOptions": QUICK,
        "spark.executor.extraJavaOptions": QUICK,
        "spark.shuffle.io.retryWait": "1s",
        "spark.local.dir": str(folder / "local"),
    }
    command = [
        str(home / "bin" / "spark-submit"),
        *("--master", "local[1]" if token else "local-cluster[2,1,600]"),
        *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
        *(item for name, value in settings.items() for item in ("--conf", f"{name}={value}")),
        "spark-internal",
    ]
    environ = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests"), str(SPARK)]),
    }
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=environ, stdout=said, stderr=said, cwd=folder)
        try:
            _wait(process, port, log)
            yield SparkServer(f"sc://127.0.0.1:{port}", events, process)
        finally:
            process.terminate()
            process.wait(30)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"Spark did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
