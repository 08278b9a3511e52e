"""A project full of markers; all output of the commands run in it is kept.

A command runs as it does from a shell: `main` in a process of its own, with streams of its own. The
process is forked from one that has imported what commands need, so that hundreds of runs take seconds.
"""

import multiprocessing
import os
import pty
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import NoReturn

from leaks.markers import MARKERS, Markers

PATIENCE = 60.0
ASKED = b"browser ended at: "
"""Ends the only question that is answered here; from then on a terminal shows nothing."""
Injection = Callable[[], object]

PERSONAL = {
    ".reconciler/state": "the state: a removal must name whom it removes",
    ".reconciler/cache": "scratch of the engine: snapshots and spilled rows of the run, gone when it ends",
    ".reconciler/emulator": "stands for Criteo itself, which holds what it was sent and its credentials",
    "data": "the sources",
    "environments": "the manifests: tests write markers into them to see that they are refused",
}
"""Where people may be found in a project, with the reason; everywhere else is searched."""


@cache
def _forks() -> ForkServerContext:
    """Return the server of this process's forks, started where it finds what it preloads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["leaks.injections", "support.imported_program"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    try:
        ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        os.environ |= {"PYTHONPATH": before} if before is not None else {}
    return context


@dataclass(frozen=True)
class CapturedOutput:
    """The exit code of a command, and its output on both streams."""

    code: int
    said: bytes

    @property
    def text(self) -> str:
        return " ".join(self.said.decode(errors="replace").split())


@dataclass(frozen=True)
class Command:
    """The parameters of a forked process, pickled."""

    folder: Path
    arguments: tuple[str, ...]
    said: Path
    environ: Mapping[str, str]
    injections: tuple[Injection, ...]
    terminal: str = ""
    given: str = ""

    def __call__(self) -> NoReturn:
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environ)
        self._take_streams()
        sys.argv = ["reconciler", *self.arguments]
        for injection in self.injections:
            injection()
        from reconciler.cli import main

        try:
            main()
        except SystemExit:
            raise
        except BaseException:  # noqa: BLE001 - as the interpreter would; multiprocessing would print it its own way
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
            os._exit(1)

    def _take_streams(self) -> None:
        """Use a terminal as the controlling terminal for password prompts."""
        place = self.terminal or str(self.said)
        if self.terminal:
            os.setsid()
        stream = os.open(place, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(stream, number)
        os.dup2(stream if self.terminal else _piped(self.given), 0)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)


def _piped(text: str) -> int:
    """Return a pipe that yields `text`, without a file."""
    ear, mouth = os.pipe()
    os.write(mouth, text.encode())
    os.close(mouth)
    return ear


@dataclass
class LeakRunner:
    """A project. All its commands share a temporary folder and a home, which are searched."""

    root: Path
    markers: Markers = MARKERS
    _runs: list[Path] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.root / "project"

    def run(
        self,
        *arguments: str,
        injections: Sequence[Injection] = (),
        terminal: bool = False,
        given: str = "",
        **environ: str,
    ) -> CapturedOutput:
        """Run a command to its end. `given` is typed at the prompt, or piped in."""
        if terminal:
            return self._at_terminal(arguments, injections, environ, given)
        process, said = self.start(*arguments, injections=injections, given=given, **environ)
        process.join(PATIENCE)
        assert process.exitcode is not None, "it hangs"
        return CapturedOutput(process.exitcode, said.read_bytes())

    def start(
        self, *arguments: str, injections: Sequence[Injection] = (), given: str = "", **environ: str
    ) -> tuple[ForkServerProcess, Path]:
        """Start a command; return its process and the file with its output."""
        command = self._command(arguments, injections, environ, given=given)
        process = _forks().Process(target=command)
        process.start()
        return process, command.said

    def _command(
        self,
        arguments: Sequence[str],
        injections: Sequence[Injection],
        environ: Mapping[str, str],
        terminal: str = "",
        given: str = "",
    ) -> Command:
        said = self.root / "said" / f"{len(self._runs)}"
        self._runs.append(said)
        return Command(
            self.folder,
            tuple(arguments),
            said,
            self.surroundings(**environ),
            tuple(injections),
            terminal,
            given,
        )

    def surroundings(self, **environ: str) -> dict[str, str]:
        """Return the environment: only what a command needs, and the secrets of the manifests."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "CRITEO_ID": self.markers.client_id,
            "CRITEO_SECRET": self.markers.client_secret,
            "RECONCILER_STATE_KEY": self.markers.sealing_key,
            "RECONCILER_SNAPSHOT_KEY": self.markers.snapshot_key,
            "HTTPX_LOG_LEVEL": "trace",
            "COLUMNS": "160",
            **environ,
        }

    def _at_terminal(
        self,
        arguments: Sequence[str],
        injections: Sequence[Injection],
        environ: Mapping[str, str],
        given: str,
    ) -> CapturedOutput:
        ours, theirs = pty.openpty()
        environ = {"TERM": "xterm", **environ}
        command = self._command(arguments, injections, environ, os.ttyname(theirs))
        process = _forks().Process(target=command)
        process.start()
        said = b"".join(_typed(ours, theirs, process, given))
        command.said.write_bytes(said)
        return CapturedOutput(process.exitcode or 0, said)

    def leaks(self) -> set[str]:
        """Return each trace of a marker outside the state, as file and kind; never the value.

        File names are searched everywhere, also in the state, except the names of injected sources.
        """
        found = {f"{what} in a name under {place}" for place, what in self._names()}
        for file in self._files():
            place = file.relative_to(self.root)
            received = self.markers.found_in(self._read(file)) - self._kept_in(file)
            found |= {f"{what} in {place}" for what in received}
        return found

    def kept_in_state(self) -> set[str]:
        """Return each trace of a marker in the state, which is sealed; some refusals plant markers there."""
        state = (one for one in (self.folder / ".reconciler/state").rglob("*") if one.is_file())
        return {
            f"{what} in {file.relative_to(self.root)}"
            for file in state
            for what in self.markers.found_in(file.read_bytes())
        }

    def open_to_others(self) -> list[str]:
        """Return folders with personal data that other users can enter."""
        homes = [self.folder / home for home in PERSONAL if home.startswith(".")]
        folders = [one for home in homes for one in (home, *home.rglob("*"))]
        return [str(one) for one in folders if one.exists() and stat.S_IMODE(one.stat().st_mode) & 0o077]

    def _names(self) -> Iterator[tuple[str, str]]:
        planted = self.folder / "data"
        for file in (one for one in self.root.rglob("*") if not one.is_relative_to(planted)):
            name = os.fsencode(file.name)
            for what in self.markers.found_in(name):
                yield str(file.parent.relative_to(self.root)), what

    def _read(self, file: Path) -> bytes:
        return file.read_bytes()

    def _kept_in(self, file: Path) -> AbstractSet[str]:
        """Return the kinds of markers that belong in this file."""
        return frozenset()

    def _files(self) -> Iterator[Path]:
        homes = [self.folder / home for home in PERSONAL]
        for file in self.root.rglob("*"):
            if file.is_file() and not any(file.is_relative_to(home) for home in homes):
                yield file


def _typed(ours: int, theirs: int, process: ForkServerProcess, given: str) -> Iterator[bytes]:
    """Return the output of a terminal until the process ends; type the answer once `ASKED` appears."""
    deadline = time.monotonic() + PATIENCE
    os.set_blocking(ours, False)
    seen = b""
    while time.monotonic() < deadline:
        ended = not process.is_alive()
        try:
            while piece := os.read(ours, 65_536):
                yield piece
                seen += piece
                if given and seen.endswith(ASKED):
                    os.write(ours, given.encode())
                    given = ""
        except OSError:
            pass
        if ended:
            break
        process.join(0.02)
    else:
        process.kill()
        raise AssertionError("it hangs")
    os.close(ours)
    os.close(theirs)


def stopped(process: ForkServerProcess, number: signal.Signals) -> int:
    """Send a signal and wait for the end."""
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(PATIENCE)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode
