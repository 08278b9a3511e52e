"""Checkouts on separate machines with one state in a bucket, and a recorder in front of the emulator."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from support import forked_command
from support.cli import Ended, Project, surroundings
from support.fakes import wsgi_server as loopback
from support.fakes.object_stores import Served, in_a_short_bucket
from support.forked_command import Setup
from support.hurried import MARGIN
from support.large_project import hashed, write_people
from support.object_store_proxy import StoreProxy

from reconciler.emulator import Emulator, Switches
from reconciler.emulator.wsgi import application

MEMBERS = re.compile(r"/audience-segments/(\d+)/contact-list/add-remove$")
PATIENCE = 120.0
POLL = 0.02
LOCKED = 7
TESTS = Path(__file__).parents[1]
APPLY = ("apply", "sandbox", "--yes")
PROGRAM = """\
import sys
sys.path.append({tests!r})
from support.hurried import hurry
hurry({beat})
from reconciler.cli import main
main()
"""


@dataclass(frozen=True)
class Pace:
    """Seconds: `timeout` is the longest call to Criteo, `quiet` the grace period.

    A lease always outlasts a pause of three beats.
    """

    timeout: int = 2
    quiet: int = 1
    beat: float = 0.8

    @property
    def life(self) -> float:
        return self.timeout + MARGIN + 4 * self.beat

    @property
    def grace(self) -> float:
        return self.timeout + MARGIN


AT_EASE = Pace()


@dataclass(frozen=True)
class Sent:
    """A call on members, as received by Criteo. Members stay in the memory of the test."""

    who: str
    run: int
    began: float
    ended: float
    segment: str
    action: str
    people: frozenset[str]
    status: int


@dataclass
class Witness:
    """A recorder in front of the emulator, with a port for each machine."""

    sent: list[Sent] = field(default_factory=list)
    cut_off: list[str] = field(default_factory=list)
    """Who broke off a call on members before its last byte: it is passed on as it came."""
    runs: dict[str, int] = field(default_factory=dict)
    _gate: threading.Lock = field(default_factory=threading.Lock)

    def door(self, who: str, app: Callable[..., Any]) -> Callable[..., Any]:
        def enter(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            found = MEMBERS.search(environ["PATH_INFO"])
            if found is None:
                return app(environ, start)
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length)
            environ["wsgi.input"], began, status = BytesIO(body), time.monotonic(), [0]
            if len(body) < length:
                self.cut_off.append(who)
                return app(environ, start)

            def begin(line: str, *rest: Any) -> Any:
                status.append(int(line.split()[0]))
                return start(line, *rest)

            run = self.runs.get(who, 0)
            try:
                return app(environ, begin)
            finally:
                attributes = json.loads(body)["data"]["attributes"]
                people = frozenset(attributes["identifiers"])
                one = Sent(
                    who, run, began, time.monotonic(), found[1], attributes["operation"], people, status[-1]
                )
                with self._gate:
                    self.sent.append(one)

        return enter


@dataclass
class World:
    """One Criteo, one bucket, any number of machines."""

    folder: Path
    emulator: Emulator
    served: Served
    batch: int
    pace: Pace
    witness: Witness
    _open: ExitStack

    @classmethod
    @contextmanager
    def gathered(cls, folder: Path, batch: int, latency: float, pace: Pace = AT_EASE) -> Iterator["World"]:
        with ExitStack() as stack:
            emulator = stack.enter_context(Emulator.open(folder / "criteo.sqlite"))
            emulator.ensure_account("368477501993431040", ["3239117063738827231"])
            served = stack.enter_context(in_a_short_bucket())
            world = cls(folder, emulator, served, batch, pace, Witness(), stack)
            world.slow(latency)
            yield world

    def slow(self, latency: float) -> None:
        self.emulator.configure(Switches(latency=latency, rate_limit=10_000))

    def machine(self, name: str, people: Iterable[int]) -> "Machine":
        """Create a checkout with manifests and a source."""
        door = self._open.enter_context(
            loopback.serving(self.witness.door(name, application(self.emulator.pipeline)))
        )
        proxy = self._open.enter_context(StoreProxy.before(self.served.environ["AWS_ENDPOINT_URL"]))
        project = Project.make(self.folder / name, endpoint=f'"{door}"', batch_size=self.batch)
        file = project.root / "environments" / "sandbox" / "environment.yaml"
        text = file.read_text().replace("file:.reconciler/state/sandbox", self.served.url)
        text = text.replace("maxShrink: 20%, maxGrowth: 100%", "maxShrink: 100%, maxGrowth: 10000%")
        file.write_text(
            text.replace(
                "batchSize:", f"timeout: {self.pace.timeout}s, gracePeriod: {self.pace.quiet}s, batchSize:"
            )
        )
        issued = self.emulator.credentials
        environ = {
            **self.served.environ,
            "AWS_ENDPOINT_URL": proxy.url,
            "AWS_TIMEOUT": "5 seconds",
            "ID": issued.client_id,
            "SECRET": issued.client_secret,
        }
        machine = Machine(name, project, proxy, environ, self)
        machine.people(people)
        return machine

    # -- what Criteo holds ----------------------------------------------------------------------------

    def holds_exactly(self, people: Iterable[int]) -> bool:
        """Return whether Criteo has exactly these members, in two segments."""
        numbers = list(people)
        wanted = {
            "Buyers (customer)": frozenset(f"c{number}" for number in numbers),
            "Buyers (email)": frozenset(map(hashed, numbers)),
        }
        segments = {one.name: one.id for one in self.emulator.segments()}
        return segments.keys() == wanted.keys() and all(
            self.emulator.members(segments[name]) == members for name, members in wanted.items()
        )

    def carried_out(self) -> int:
        return sum(1 for call in self.emulator.history() if call.action and call.committed_at is not None)

    def first_of(self, who: str, after: float = 0) -> float:
        """Return when a machine sent its first members after an instant."""
        return min(call.began for call in self.witness.sent if call.who == who and call.began > after)

    def repeated(self) -> dict[str, int]:
        """Return the batches that arrived again, by segment, from the emulator's history."""
        calls = Counter(
            (call.segment_id, call.action, call.digest)
            for call in self.emulator.history()
            if call.segment_id and call.action and call.committed_at is not None
        )
        found = {segment.id: 0 for segment in self.emulator.segments()}
        for (segment, _, _), times in calls.items():
            found[segment] += times - 1
        return found

    def repeats_at_most(self, times: int) -> bool:
        return all(found <= times for found in self.repeated().values())

    # -- what the bucket holds ------------------------------------------------------------------------

    def objects(self) -> dict[str, bytes]:
        store = self.served.store
        return {one["path"]: bytes(store.get(one["path"]).bytes()) for one in store.list().collect()}

    def put(self, contents: Mapping[str, bytes | None]) -> None:
        """Change an object like an administrator; None removes it."""
        for path, content in contents.items():
            if content is None:
                self.served.store.delete(path)
            else:
                self.served.store.put(path, content)


@dataclass
class Machine:
    """One checkout and its connection to the store."""

    name: str
    project: Project
    proxy: StoreProxy
    environ: dict[str, str]
    world: World
    runs: int = 0

    def people(self, numbers: Iterable[int]) -> None:
        write_people(self.project, numbers)

    def start(self, *arguments: str, **environ: str) -> "Running":
        """Start a command in a process of its own, which can be stopped and killed."""
        self._counted()
        program = PROGRAM.format(tests=str(TESTS), beat=self._beat)
        return Running(self, [sys.executable, "-c", program, *(arguments or APPLY)], environ)

    def run(self, *arguments: str, code: int = 0, **environ: str) -> str:
        """Run a command to its end; return its output with single spaces."""
        found = self._ended(*arguments, **environ)
        assert found.code == code, f"{found.code}, not {code}: {found.said}"
        return found.said

    def unlocked(self, *arguments: str, within: float = 60.0) -> str:
        """Run a command again and again as long as the lock is in its way."""
        deadline = time.monotonic() + within
        while (found := self._ended(*arguments)).code == LOCKED:
            assert time.monotonic() < deadline, found.said
            time.sleep(0.25)
        assert found.code == 0, found.said
        return found.said

    def _ended(self, *arguments: str, **environ: str) -> Ended:
        self._counted()
        code, said = forked_command.run(
            self.project.root,
            arguments or APPLY,
            surroundings(**self.environ, **environ),
            Setup("support.hurried", "hurry", self._beat),
        )
        return checked(Ended(code, " ".join(said.split())))

    def _counted(self) -> None:
        self.runs += 1
        self.world.witness.runs[self.name] = self.runs

    @property
    def _beat(self) -> int:
        return round(self.world.pace.beat * 1000)

    def holders(self) -> list[str]:
        """Return the ID of the lock's holder, as `state lock break` takes it."""
        return re.findall(r"\(id (\w+)\)", self.run("state", "lock", "list", "sandbox"))

    @property
    def home(self) -> Path:
        return self.project.root / ".reconciler"

    def leftovers(self) -> list[str]:
        folder = self.home / "outbox" / "sandbox"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def checked(ended: Ended) -> Ended:
    """Return the end of a command that shows no bug."""
    assert "bug in reconciler" not in ended.said, ended.said
    assert "Traceback" not in ended.said, ended.said
    return ended


class Running:
    """A running command on a machine."""

    def __init__(self, machine: Machine, command: list[str], environ: dict[str, str]) -> None:
        self._machine = machine
        self._log = machine.project.root.parent / f"{machine.name}.log"
        self._before = machine.world.carried_out()
        self.began = time.monotonic()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=machine.project.root,
                env=surroundings(**machine.environ, **environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    @property
    def calls(self) -> int:
        """Return the calls on members that took effect since it started."""
        return self._machine.world.carried_out() - self._before

    def until(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert not self.is_over, f"it ended before that: {self.said}"
            assert time.monotonic() < deadline, f"it hangs: {self.said}"
            time.sleep(POLL)

    def until_calls(self, number: int) -> None:
        self.until(lambda: self.calls >= number)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to a process that may have ended."""
        if not self.is_over:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.end().code == -signal.SIGKILL, self.said

    def ended(self, code: int) -> str:
        found = self.end()
        assert found.code == code, f"{found.code}, not {code}: {found.said}"
        return found.said

    def end(self, within: float = PATIENCE) -> Ended:
        """Wait for the end; check that no bug is shown."""
        try:
            code = self._process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"it goes on after {within:.0f} s: {self.said}") from None
        return checked(Ended(code, self.said))

    @property
    def said(self) -> str:
        return " ".join(self._log.read_text().split())
