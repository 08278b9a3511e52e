"""Command lines in their own processes, forked from a process that has imported the program.

A fork skips start-up: hundreds of commands take as long as they work. Tests of start-up itself, of
signals and of kills start the interpreter instead.
"""

import multiprocessing
import os
import pkgutil
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import reconciler

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        module.name
        for module in pkgutil.walk_packages(reconciler.__path__, "reconciler.")
        if not module.name.endswith("__main__")
    ]
)
PATIENCE = 120.0
"""Seconds after which a command counts as hanging."""


@dataclass(frozen=True)
class ForkedCommand:
    """What a forked process needs to become a command; it is pickled on its way there."""

    folder: Path
    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    output: str
    """The file that takes both streams."""

    def __call__(self) -> NoReturn:
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environ)
        if self.environ.get("PYTHONWARNINGS") == "error":
            warnings.simplefilter("error")
        self._open_streams()
        sys.argv = ["reconciler", *self.arguments]
        from reconciler.cli import main

        try:
            main()
        except SystemExit:
            raise
        except BaseException:  # noqa: BLE001 - as the interpreter would; multiprocessing prints it in another way
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
            os._exit(1)
        sys.exit(0)

    def _open_streams(self) -> None:
        for number, name, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, self.output, os.O_WRONLY | os.O_APPEND),
        ):
            stream = os.open(name, flags)
            os.dup2(stream, number)
            os.close(stream)
        os.dup2(1, 2)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)


def run(folder: Path, arguments: tuple[str, ...], environ: Mapping[str, str]) -> tuple[int, str]:
    """The exit code of a command, and what it wrote to both streams, away from a terminal."""
    with tempfile.NamedTemporaryFile() as output:
        process = FORKS.Process(target=ForkedCommand(folder, arguments, environ, output.name))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"it hangs: {arguments}")
        return process.exitcode, Path(output.name).read_text(encoding="utf-8")
