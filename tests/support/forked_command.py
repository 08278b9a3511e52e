"""Command lines in their own processes, forked from a process that has imported the program.

A fork skips start-up: hundreds of commands take as long as they work. Tests of start-up itself, of
signals and of kills start an interpreter instead.

    test or shell ── Unix socket: arguments, folder, environment, three streams ──> server ── fork ──> command
                  <────────────────────── exit code ──────────────────────────────
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import socket
import struct
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

PATIENCE = 120.0
"""Seconds after which a command counts as hanging."""

LONGEST = 1024 * 1024
ON_THE_WAY = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.kdf.hkdf",
    "deepdiff",
    "encodings.utf_8_sig",
    "jsonschema.validators",
    "jsonschema_rs",
    "rich._unicode_data.unicode17-0-0",
)
"""What the program imports only when it runs."""
CLIENT = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    asked = {"arguments": sys.argv[2:], "folder": os.getcwd(), "environ": dict(os.environ)}
    socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
    server.shutdown(socket.SHUT_WR)
    ended = server.recv(4)
sys.exit(int.from_bytes(ended, "little") if ended else 70)
"""


@dataclass(frozen=True)
class Setup:
    """A function that the process of a command calls with a number before the command begins."""

    module: str
    function: str
    number: int


@dataclass(frozen=True)
class Streams:
    """The exit code of a command, and what it wrote to each stream."""

    code: int
    out: str
    err: str


def run(
    folder: Path,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    setup: Setup | None = None,
    given: bytes = b"",
) -> tuple[int, str]:
    """Return the exit code of a command, and what it wrote to both streams, away from a terminal.

    `given` is its standard input.
    """
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as output, ThreadPoolExecutor(1) as reader:
        said = reader.submit(output.read)
        code = _ended(folder, arguments, environ, setup, given, (theirs, theirs))
        return code, said.result(PATIENCE).decode()


def streams(
    folder: Path, arguments: Sequence[str], environ: Mapping[str, str], given: bytes = b""
) -> Streams:
    """Return the end of a command like `run`, with its two streams apart."""
    pipes = [os.pipe() for _ in range(2)]
    with ThreadPoolExecutor(2) as readers:
        said = [readers.submit(_content, ours) for ours, _ in pipes]
        code = _ended(folder, arguments, environ, None, given, (pipes[0][1], pipes[1][1]))
        out, err = (one.result(PATIENCE).decode() for one in said)
    return Streams(code, out, err)


def _content(pipe: int) -> bytes:
    with os.fdopen(pipe, "rb") as output:
        return output.read()


def _ended(
    folder: Path,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    setup: Setup | None,
    given: bytes,
    outputs: tuple[int, int],
) -> int:
    """Run a command to its end; close its two outputs here, and return its exit code."""
    asked: dict[str, object] = {
        "arguments": list(arguments),
        "folder": str(folder),
        "environ": dict(environ),
        "setup": astuple(setup) if setup else None,
    }
    with tempfile.TemporaryFile() as entered, socket.socket(socket.AF_UNIX) as server:
        entered.write(given)
        entered.seek(0)
        server.settimeout(PATIENCE)
        server.connect(str(_server()))
        socket.send_fds(server, [json.dumps(asked).encode()], [entered.fileno(), *outputs])
        for one in {*outputs}:
            os.close(one)
        server.shutdown(socket.SHUT_WR)
        try:
            ended = server.recv(4)
        except TimeoutError:
            raise AssertionError(f"it hangs: {arguments}") from None
    assert ended, f"no exit code: {arguments}"
    return int.from_bytes(ended, "little")


def write_program(file: Path) -> None:
    """Write a program `reconciler` that passes its streams, folder and environment to the server."""
    client = file.with_name(f".{file.name}.py")
    client.write_text(CLIENT)
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{client}" "{_server()}" "$@"\n')
    file.chmod(0o755)


@cache
def _server() -> Path:
    """Return the socket of this process's server, which ends with this process."""
    folder = tempfile.TemporaryDirectory(prefix="forks-")
    place = Path(folder.name) / "socket"
    process = subprocess.Popen(
        [sys.executable, __file__, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(folder.cleanup)
    atexit.register(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return place


# -- the server ---------------------------------------------------------------------------------------


def serve(place: str) -> None:
    """Serve until the starting process has ended."""
    sys.path.append(str(Path(__file__).parents[1]))  # for setups
    import_program()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(64)
        os.write(1, b"ready\n")
        if not os.fork():
            _end_with_parent()
        while True:
            connection, _ = listener.accept()
            with connection:
                _reap()
                if not os.fork():
                    listener.close()
                    _attend(connection)


def import_program() -> None:
    """Import the program and what it imports on its way, and compile what each command compiles."""
    import reconciler

    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    sys.modules.setdefault("polars", None)  # type: ignore[arg-type] # for benchmarks; deepdiff would import it
    for name in ON_THE_WAY:
        importlib.import_module(name)
    from reconciler.core.state import codec
    from reconciler.core.state.model import StateHead
    from reconciler.core.state.resource import ResourceState
    from reconciler.manifests import schema

    for kind in schema.KINDS:
        schema._quick_validator(kind)
    for kept in (StateHead, ResourceState, codec.ReadRecords):
        codec._CONVERTER.get_structure_hook(kept)
        codec._CONVERTER.get_unstructure_hook(kept)
    gc.collect()
    gc.freeze()  # a collection in a fork would visit, and so copy, all of it


def _end_with_parent() -> NoReturn:
    os.read(0, 1)
    os.kill(os.getppid(), 9)
    os._exit(0)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _attend(connection: socket.socket) -> NoReturn:
    """Fork the command, wait for it, and return its exit code like a shell."""
    content, streams, _, _ = socket.recv_fds(connection, LONGEST, 3)
    while more := connection.recv(LONGEST):
        content += more
    command = os.fork()
    if not command:
        connection.close()
        _become(json.loads(content), streams)
    ended = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    with contextlib.suppress(OSError):
        connection.send(struct.pack("<i", ended if ended >= 0 else 128 - ended))
    os._exit(0)


def _become(asked: dict[str, object], streams: Sequence[int]) -> NoReturn:
    os.chdir(str(asked["folder"]))
    os.environ.clear()
    os.environ.update(asked["environ"])  # type: ignore[arg-type]
    if os.environ.get("PYTHONWARNINGS") == "error":
        warnings.simplefilter("error")
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    sys.argv = ["reconciler", *asked["arguments"]]  # type: ignore[misc]
    if asked.get("setup"):
        module, function, number = asked["setup"]  # type: ignore[misc]
        getattr(importlib.import_module(module), function)(number)
    from reconciler.cli import main

    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter would
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    atexit._run_exitfuncs()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve(sys.argv[1])
