"""What the process says when something unforeseen happens: what kind of thing and where, never its words.

Exceptions, warnings and log records of libraries quote what they were working on: people and secrets.
"""

import logging
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

from reconciler import __version__

OURS = "reconciler"


def install_handlers() -> None:
    """From here on nothing but our own words is written, whatever fails and wherever."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.unraisablehook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    warnings.showwarning = _warned
    logging.getLogger().handlers = [logging.NullHandler()]
    logging.setLogRecordFactory(_recorded)
    logging.raiseExceptions = False


def log_calls() -> None:
    """Records of ours, which hold no data, go to standard error; those of libraries go nowhere."""
    ours, handler = logging.getLogger(OURS), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)


def report_crash(kind: type[BaseException], trace: TracebackType | None) -> None:
    """A bug, as it may be reported: frames, and not a word of the exception."""
    lines = [f"This is a bug in reconciler {__version__}: {kind.__name__}"]
    lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(trace)]
    lines += ["Nothing is lost: run again. Please report the lines above; they hold no data."]
    with suppress(OSError, ValueError):  # if nobody listens, the interpreter must not speak instead
        print(*lines, sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - the last words of a process


def _recorded(name: str, level: int, path: str, line: int, *said: Any, **more: Any) -> logging.LogRecord:
    """Libraries log requests and answers, tokens included: a listener gets the place, not the content."""
    if name == OURS or name.startswith(f"{OURS}."):
        return logging.LogRecord(name, level, path, line, *said, **more)
    return logging.LogRecord(name, level, path, line, "not shown", None, None)


def _uncaught(kind: type[BaseException], _error: BaseException | None, trace: TracebackType | None) -> None:
    report_crash(kind, trace)


def _warned(
    message: Warning | str,  # noqa: ARG001 - the interpreter passes it by name
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - the same
    line: str | None = None,  # noqa: ARG001 - the same
) -> None:
    print(f"warning: {category.__name__} at {filename}:{lineno}", file=sys.stderr)  # noqa: T201 - the same
