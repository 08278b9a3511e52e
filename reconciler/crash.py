"""Report unexpected errors by type and place, without any message.

Exceptions, warnings and log records of libraries quote what they processed: members and secrets.
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
    """Replace every handler that writes text of libraries."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.unraisablehook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    warnings.showwarning = _warned
    logging.getLogger().handlers = [logging.NullHandler()]
    logging.setLogRecordFactory(_recorded)
    logging.raiseExceptions = False


def log_calls() -> None:
    """Send our log records, which have no data, to standard error; drop those of libraries."""
    ours, handler = logging.getLogger(OURS), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)


def report_crash(kind: type[BaseException], trace: TracebackType | None) -> None:
    """Report a bug: its frames, without the message of the exception."""
    lines = [f"This is a bug in reconciler {__version__}: {kind.__name__}"]
    lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(trace)]
    lines += ["Nothing is lost: run again. Please report the lines above; they hold no data."]
    with suppress(OSError, ValueError):  # if nobody listens, the interpreter must not speak instead
        print(*lines, sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - the last words of a process


def _recorded(name: str, level: int, path: str, line: int, *said: Any, **more: Any) -> logging.LogRecord:
    """Replace the log record factory: records of libraries keep their place and lose their content."""
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
