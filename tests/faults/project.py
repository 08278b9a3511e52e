"""An applied project for one fault each; the real command line, run in this process."""

import contextlib
import hashlib
import io
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

from support.cli import WRITES, Ended, Project
from support.faulty_proxy import AUTHORITY, FaultyProxy, Planned, Strike

from reconciler import cli
from reconciler.clock import SystemClock
from reconciler.emulator import Emulator, Request

BEFORE, AFTER = range(60), range(20, 80)
STATE = ".reconciler/state"


def email(number: int) -> str:
    return f"person{number:05}@private.example"


def customer(number: int) -> str:
    return f"loyal-{number:05}"


def rows(numbers: range | list[int]) -> str:
    return "email,id\n" + "".join(f"{email(one)},{customer(one)}\n" for one in numbers)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def personal() -> frozenset[str]:
    everyone = range(max(AFTER) + 1)
    plain = {text for one in everyone for text in (email(one), customer(one))}
    return frozenset(plain | {sha256(email(one)) for one in everyone})


PERSONAL = personal()


@dataclass
class World:
    """Waits take no time: both clocks jump. `skew`: how far our clock is ahead of Criteo's."""

    root: Path
    waited: timedelta = timedelta(0)
    skew: timedelta = timedelta(0)
    environ: dict[str, str] = field(default_factory=dict)
    sound: dict[str, str] = field(default_factory=dict)
    hostile: FaultyProxy | None = None
    during: list[Callable[["World"], object]] = field(default_factory=list)
    disk: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _kept: Path | None = None
    _spoilt: bool = False

    @property
    def project(self) -> Project:
        return Project(self.root)

    # -- what can be broken -------------------------------------------------------------------

    @property
    def manifests(self) -> Path:
        return self.root / "environments" / "sandbox"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def people(self) -> Path:
        return self.data / "people.csv"

    @property
    def state(self) -> Path:
        return self.root / ".reconciler" / "state" / "sandbox"

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a manifest, which must exist."""
        text = (self.manifests / name).read_text()
        assert old in text
        (self.manifests / name).write_text(text.replace(old, new))

    def corrupt(self) -> Path:
        """Return the state to damage; the repair restores it from a backup."""
        self._spoilt = True
        return self.state

    def strikes(self, operation: str, strike: Strike, times: int = 1_000, after: int = 0) -> None:
        assert self.hostile is not None
        self.hostile.planned.append(Planned(operation, strike, times, after))

    # -- what is asked and proved -------------------------------------------------------------

    def run(self, *arguments: str) -> Ended:
        """Run one command with debug logs; return its exit code, and its output on both streams."""
        said = io.StringIO()
        with _process(self, said, ["reconciler", *arguments]), self.disk():
            try:
                cli.main()
            except SystemExit as end:
                return Ended(int(end.code or 0), said.getvalue())
        raise AssertionError("a command always exits")

    def history(self) -> tuple[Request, ...]:
        with Emulator.open(self.root / ".reconciler" / "emulator" / "sandbox.sqlite") as emulator:
            return emulator.history()

    def writes(self) -> list[Request]:
        """Return the writes that took effect."""
        return [one for one in self.history() if one.operation in WRITES and one.committed_at is not None]

    def seen(self) -> list[tuple[str, str]]:
        """Return operation and credential of each call on the socket."""
        return self.hostile.seen if self.hostile else []

    def members(self, channel: str) -> frozenset[str]:
        return self.project.members(channel)

    # -- broken, and put back -----------------------------------------------------------------

    def keep(self, beside: Path) -> None:
        """Save all files, to restore them in the repair."""
        for name in ("environments", "data", STATE):
            if (self.root / name).exists():
                shutil.copytree(self.root / name, beside / name, symlinks=True)
        self._kept = beside

    def put_back(self) -> None:
        """Restore manifests, sources, variables and clocks, and the state after `corrupts_state`."""
        assert self._kept is not None
        self.environ, self.skew, self.disk = dict(self.sound), timedelta(0), contextlib.nullcontext
        for name in ("environments", "data", *([STATE] if self._spoilt else [])):
            remove(self.root / name)
            if (self._kept / name).exists():
                shutil.copytree(self._kept / name, self.root / name, symlinks=True)


def made(root: Path, start: str) -> Path:
    """Return a project to copy: new, or applied with the earlier members."""
    project = Project.make(root, batch_size=50)
    world = World(root)
    world.edit("environment.yaml", "maxShrink: 20%", "maxShrink: 50%")
    world.edit("environment.yaml", "batchSize: 50", "batchSize: 50, timeout: 1s")
    world.people.write_text(rows(BEFORE))
    if start == "applied":
        ended = world.run("apply", "sandbox", "--yes")
        assert ended.code == 0, ended.said
    with project.emulator() as emulator:
        emulator.ensure_account("368477501993431040", ["3239117063738827231"])
    return root


def opened(template: Path, folder: Path, way: str, stack: contextlib.ExitStack) -> World:
    """Return a copy with twenty members to remove and twenty to add."""
    world = World(folder / "project", stack=stack.enter_context(contextlib.ExitStack()))
    shutil.copytree(template, world.root)
    world.people.write_text(rows(AFTER))
    if way != "emulator":
        _serve(world, "" if way == "http" else way, stack)
    return world


def _serve(world: World, certificate: str, stack: contextlib.ExitStack) -> None:
    file = world.root / ".reconciler" / "emulator" / "sandbox.sqlite"
    clock = lambda: time.time() + world.waited.total_seconds()  # noqa: E731 - handed on at once
    emulator = stack.enter_context(Emulator.open(file, clock=clock))
    world.hostile = stack.enter_context(FaultyProxy(emulator, certificate).serving())
    world.edit("environment.yaml", "endpoint: emulator", f"endpoint: {world.hostile.url!r}")
    world.sound = {"ID": emulator.credentials.client_id, "SECRET": emulator.credentials.client_secret}
    world.sound |= {"SSL_CERT_FILE": str(AUTHORITY)} if certificate else {}
    world.environ = dict(world.sound)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def lying(folder: Path) -> Mapping[str, bytes | str]:
    """Return every file below a folder by content, or by type if it is not a file.

    Without locks, and without the audit log: each run appends to it.
    """
    if not folder.is_dir():
        return {str(folder): _content(folder)}
    paths = (path for path in sorted(folder.rglob("*")) if path.name not in ("lock", "audit"))
    paths = (path for path in paths if path.parent.name != "audit")
    return {str(path.relative_to(folder)): _content(path) for path in paths}


def _content(path: Path) -> bytes | str:
    return path.read_bytes() if path.is_file() else ("folder" if path.is_dir() else "nothing")


@contextlib.contextmanager
def _process(world: World, said: io.StringIO, argv: list[str]) -> Iterator[None]:
    """Restore the folder, variables, streams and arguments of a process."""
    log, logger = logging.StreamHandler(said), logging.getLogger()
    with (
        contextlib.chdir(world.root),
        mock.patch.dict(
            os.environ,
            {"PATH": os.environ["PATH"], "HOME": "/nowhere", "COLUMNS": "400", **world.environ},
            clear=True,
        ),
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "stdin", io.StringIO()),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        mock.patch.object(cli, "_listen"),  # no signals are caught: they belong to the tests
        mock.patch("reconciler.workspace.SystemClock", _jumping(world)),
    ):
        logger.addHandler(log)
        try:
            yield
        finally:
            logger.removeHandler(log)


def _jumping(world: World) -> type[SystemClock]:
    lock = threading.Lock()

    class Jumping(SystemClock):
        def now(self) -> datetime:
            return super().now() + world.waited + world.skew

        def wait(self, seconds: float, reason: str, shown: float = 0.0) -> None:
            with lock:
                world.waited += timedelta(seconds=max(0.0, seconds))
            super().wait(0, reason)

    return Jumping
