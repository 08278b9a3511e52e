"""A process asked to stop ends within a limit, whatever it waits for, and removes its private folders."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from reconciler.core.errors import CancelledError
from reconciler.members.stopping import stoppable

pytestmark = pytest.mark.promise("killed-processes")

DEAF = """
import sys, threading
from pathlib import Path
from reconciler import cli
from reconciler.clock import StopSignal
from reconciler.disk.scratch_dir import ScratchDir

cli.LONGEST_STOP = float(sys.argv[2])
cli._listen(StopSignal())
scratch = ScratchDir(Path(sys.argv[1]))
(scratch.folder / "people").write_text("somebody")
print("ready", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("longest", "signals"), [("0.3", 1), ("3600", 2)], ids=["by time", "by a second signal"]
)
def test_an_unresponsive_process_is_killed_without_leftovers(tmp_path, longest, signals):
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF, str(tmp_path), longest], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == "ready\n"
        assert list(tmp_path.rglob("people"))
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)  # two that arrive as one are one
        assert process.wait(timeout=60) == 130
    assert list(tmp_path.iterdir()) == []


class Asked:
    """A stop request at the third check."""

    looks = 0

    def __call__(self) -> None:
        self.looks += 1
        if self.looks >= 3:
            raise CancelledError("stopped on request")


def test_a_query_ends_after_a_stop_request():
    database = duckdb.connect()
    with pytest.raises(CancelledError) as cancelled, stoppable(database, Asked()) as cursor:
        cursor.execute(
            "SELECT count(DISTINCT sha256(a.i || ':' || b.i)) FROM range(1000000) a(i), range(1000000) b(i)"
        )
    assert cancelled.value.__suppress_context__
    assert database.execute("SELECT 1").fetchone() == (1,)


def test_whatever_fails_once_it_is_to_stop_is_a_request_to_stop(tmp_path: Path):
    """Errors of an interrupted query may have been understood as something else on their way."""
    asked = Asked()
    asked.looks = 3
    with pytest.raises(CancelledError), stoppable(duckdb.connect(), asked):
        raise ValueError("as a file that can't be read")


def test_what_fails_by_itself_is_reported_as_it_is():
    with pytest.raises(duckdb.BinderException), stoppable(duckdb.connect(), lambda: None) as cursor:
        cursor.execute("SELECT nothing")
