"""A large project on an emulator process, and command lines to kill during a run."""

import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from support.cli import Ended, Project, surroundings

from reconciler.emulator import Emulator, Request, Switches

PATIENCE = 240.0
"""Seconds after which a command counts as hanging: far longer than any, far shorter than quiet time."""

POLL = 0.02


@dataclass
class LargeProject:
    """One environment with one source and two segments, `email` and `customer`, on a socket."""

    project: Project
    batch: int
    log: Path
    _port: int
    _emulator: Emulator
    _server: list[subprocess.Popen[str]] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def gathered(cls, root: Path, people: Iterable[int], batch: int, latency: float) -> Iterator[Self]:
        port = _free_port()
        project = Project.make(
            root,
            endpoint=f'"http://127.0.0.1:{port}"',
            client_id="file:.reconciler/emulator/sandbox.client-id",
            client_secret="file:.reconciler/emulator/sandbox.client-secret",
            batch_size=batch,
        )
        write_people(project, people)
        crowd = cls(project, batch, root / "log", port, _opened(project))
        crowd.slow(latency)
        try:
            crowd.serve()
            yield crowd
        finally:
            crowd.end_server(signal.SIGKILL)
            crowd._emulator.close()

    def api(self, setting: str) -> None:
        """Add `timeout: 1s` or similar to the environment's `api`."""
        file = self.project.root / "environments" / "sandbox" / "environment.yaml"
        file.write_text(file.read_text().replace("batchSize:", f"{setting}, batchSize:"))

    # -- the emulator -------------------------------------------------------------------------

    def slow(self, latency: float) -> None:
        self._emulator.configure(Switches(latency=latency, rate_limit=10_000))

    def serve(self) -> None:
        command = self.project.command("emulator", "serve", "sandbox", "--port", str(self._port))
        server = subprocess.Popen(
            command,
            cwd=self.project.root,
            env=surroundings(PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            text=True,
        )
        self._server.append(server)
        if not (server.stdout and re.search(r"http://\S+", server.stdout.readline())):
            raise AssertionError("the emulator did not start")

    def end_server(self, number: signal.Signals) -> None:
        for server in self._server:
            server.send_signal(number)
            server.wait(timeout=PATIENCE)
            if server.stdout:
                server.stdout.close()
        self._server.clear()

    # -- the witness --------------------------------------------------------------------------

    def carried_out(self) -> list[Request]:
        """Return the calls on members that took effect."""
        return [call for call in self._emulator.history() if call.action and call.committed_at is not None]

    def distinct(self) -> int:
        """Return the distinct batches that arrived, in all segments."""
        return len({(call.segment_id, call.digest) for call in self.carried_out()})

    def repeated(self) -> Counter[str]:
        """Return the batches that arrived again, by segment."""
        calls = Counter((call.segment_id, call.digest) for call in self.carried_out())
        repeated: Counter[str] = Counter()
        for (segment_id, _), times in calls.items():
            repeated[segment_id] += times - 1
        return repeated

    def holds_exactly(self, people: Iterable[int]) -> bool:
        """Return whether Criteo has exactly these members, in two segments."""
        numbers = list(people)
        wanted = {
            "customer": frozenset(f"c{number}" for number in numbers),
            "email": frozenset(map(hashed, numbers)),
        }
        segments = {segment.name: segment.id for segment in self._emulator.segments()}
        return segments.keys() == {f"Buyers ({one})" for one in wanted} and all(
            self._emulator.members(segments[f"Buyers ({one})"]) == members for one, members in wanted.items()
        )

    # -- commands -----------------------------------------------------------------------------

    def start(self, *arguments: str) -> "Running":
        return Running(self, self.project.command(*arguments or ("apply", "sandbox", "--yes")))

    def finish(self, *arguments: str, code: int = 0) -> Ended:
        """Run a command to its end, and check that no bug is shown."""
        ended = self.project.run(*arguments or ("apply", "sandbox", "--yes"), code=code)
        assert "bug in reconciler" not in ended.said
        assert "Traceback" not in ended.said
        return ended

    def state(self) -> dict[str, tuple[int, int]]:
        """Return each file of the state with size and time of change, without lock and advisory records."""
        folder = self.project.root / ".reconciler" / "state" / "sandbox"
        renewed = {"lock", "sources.json"}
        every = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "audit")
        files = (path for path in every if path.name not in renewed)
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}

    def is_at_rest(self) -> bool:
        """Return whether a plan has no changes, and applying it writes nothing."""
        before, calls = self.state(), len(self.project.writes())
        planned = "No changes." in self.finish("plan", "sandbox", "--detailed-exitcode").said
        applied = "No changes." in self.finish("apply", "sandbox", "--yes").said
        return planned and applied and self.state() == before and len(self.project.writes()) == calls

    def leftovers(self) -> list[str]:
        """Return files of killed runs that no later run removed."""
        home = self.project.root / ".reconciler"
        return [str(path) for pattern in ("state/**/.*", "cache/sandbox/*") for path in home.glob(pattern)]


class Running:
    """A running command. Its output goes to a file, so that it never blocks."""

    def __init__(self, crowd: LargeProject, command: list[str]) -> None:
        self._crowd = crowd
        self._calls = len(crowd.carried_out())
        with crowd.log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=crowd.project.root,
                env=surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def calls(self) -> int:
        """Return the calls on members that took effect since this command started."""
        return len(self._crowd.carried_out()) - self._calls

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait for a condition while the command runs."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert self._process.poll() is None, f"it ended before it could be struck: {self._said()}"
            assert time.monotonic() < deadline, f"it hangs: {self._said()}"
            time.sleep(POLL)

    def signal(self, number: signal.Signals) -> None:
        assert self._process.poll() is None, f"it ended before it could be struck: {self._said()}"
        self._process.send_signal(number)

    def kill(self) -> Ended:
        """Send SIGKILL, and check that it ended the process."""
        self.signal(signal.SIGKILL)
        return self.ended(-signal.SIGKILL)

    def ended(self, code: int, within: float = PATIENCE) -> Ended:
        """Wait for the end; check the exit code, and that no bug is shown."""
        try:
            found = self._process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"it goes on after {within:.0f} s: {self._said()}") from None
        said = self._said()
        assert found == code, said
        assert "bug in reconciler" not in said
        assert "Traceback" not in said
        return Ended(found, said)

    def _said(self) -> str:
        return self._crowd.log.read_text()


def write_people(project: Project, people: Iterable[int]) -> None:
    """Replace the source as a whole."""
    file = project.root / "data" / "people.csv"
    with file.with_suffix(".new").open("w") as new:
        new.write("email,id\n")
        new.writelines(f"person{number}@example.com,c{number}\n" for number in people)
    file.with_suffix(".new").replace(file)


def hashed(number: int) -> str:
    """Hash a member as sent to Criteo, independently of the code under test."""
    return hashlib.sha256(f"person{number}@example.com".encode()).hexdigest()


def _opened(project: Project) -> Emulator:
    folder = project.root / ".reconciler" / "emulator"
    folder.mkdir(mode=0o700, parents=True)
    return project.emulator()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def number_from(variable: str, otherwise: int) -> int:
    """Return a number for longer runs, such as `KILLS=200 MEMBERS=1000000`."""
    return int(os.environ.get(variable, otherwise))
