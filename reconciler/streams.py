"""Standard streams: all three are open, and writing to standard error never fails."""

import io
import os
import sys
from contextlib import suppress
from typing import TextIO, cast


class _Forgiving(io.TextIOBase):
    """Drops output that can't be written: a full disk or a closed pipe must not change the exit code."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


def prepare_streams() -> None:
    """Opens closed streams on the null device, and replaces standard error with one that can't fail."""
    sys.stdin = sys.stdin or _null("r")
    sys.stdout = sys.stdout or _null("w")
    sys.stderr = forgiving(sys.stderr or _null("w"))


def _null(mode: str) -> TextIO:
    """Stays open until the process ends, as the standard streams do."""
    return cast("TextIO", open(os.open(os.devnull, os.O_RDWR), mode, closefd=False))


def forgiving(stream: TextIO) -> TextIO:
    """The same stream, on which writing never fails."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return cast("TextIO", _Forgiving(stream))
