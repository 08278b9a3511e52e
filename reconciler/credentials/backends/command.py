"""`command:LINE`: what a program prints. No shell starts it; its output and arguments are never shown."""

import os
import select
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

from reconciler.core.errors import AuthenticationError
from reconciler.core.secret import Secret

LIMIT = 60.0
TICK = 0.25
LARGEST = 65_536


class CommandBackend:
    """Secrets printed by a password manager or another command. The command has no terminal for questions."""

    def __init__(
        self, environ: Mapping[str, str], root: Path, check: Callable[[], None], limit: float = LIMIT
    ) -> None:
        """`check` is called a few times a second, and ends the program too by what it raises."""
        self._environ = environ
        self._root = root
        self._check = check
        self._limit = limit

    def fetch(self, name: str) -> Secret:
        line = _split(name)
        program = Path(line[0]).name
        try:
            code, output = self._run(line)
        except TimeoutError:
            raise _failed(program, f"did not end within {self._limit:g} seconds") from None
        except OSError as error:
            raise _failed(program, f"can't be started: {os.strerror(error.errno or 0)}") from None
        if len(output) > LARGEST:
            raise _failed(program, f"printed more than {LARGEST} bytes")
        if code:
            raise _failed(program, f"ended with {_meaning(code)}")
        return Secret(_text(program, output))

    def _run(self, line: list[str]) -> tuple[int, bytes]:
        """Run the command in its own process group, so that its child processes end with it."""
        end = monotonic() + self._limit
        with subprocess.Popen(  # noqa: S603 - the project's own line, and no shell
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._root,
            env=self._environ,
            start_new_session=True,
        ) as process:
            try:
                output = _read(process, end, self._check)
                return _wait(process, end, output), output
            finally:
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)


def _split(name: str) -> list[str]:
    try:
        line = shlex.split(name)
    except ValueError:
        line = []
    if not line or "\0" in name:
        raise AuthenticationError(
            "a `command:` is no command line",
            remedy="write it as in a shell, with every quote closed; no shell runs it",
        )
    return line


def _read(process: subprocess.Popen[bytes], end: float, check: Callable[[], None]) -> bytes:
    """All of it, or a little more than is allowed. Raises TimeoutError."""
    assert process.stdout  # noqa: S101 - a pipe, as asked for
    handle, output = process.stdout.fileno(), b""
    while len(output) <= LARGEST:
        check()
        if monotonic() >= end:
            raise TimeoutError
        if not select.select([handle], [], [], min(TICK, max(0.0, end - monotonic())))[0]:
            continue
        piece = os.read(handle, LARGEST)
        if not piece:
            break
        output += piece
    return output


def _wait(process: subprocess.Popen[bytes], end: float, output: bytes) -> int:
    """The exit code; that of one that prints too much doesn't matter."""
    if len(output) > LARGEST:
        return 0
    try:
        return process.wait(max(0.0, end - monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def _meaning(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


def _text(program: str, output: bytes) -> str:
    try:
        value = output.decode().strip()
    except UnicodeDecodeError:
        raise _failed(program, "printed something that is no text") from None
    if not value:
        raise _failed(program, "printed nothing")
    return value


def _failed(program: str, problem: str) -> AuthenticationError:
    return AuthenticationError(
        f"the command {program} {problem}",
        remedy=f"run it yourself: in the project's folder, the line with {program} in the manifest; "
        "it must print the secret and nothing else, ask nothing, and end with 0",
    )
