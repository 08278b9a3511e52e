"""The console that commands print to: width, colour, wrapping, and lines that CI cannot take for commands."""

import io
import os
import re
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.text import Text

LOG_WIDTH = 110
"""Columns if there is no terminal: CI logs are wide, and a wrapped table is hard to read."""


class _Console(Console):
    """A console that stops printing on a broken pipe (`| head`). The command itself continues."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


def console(stream: TextIO, color: bool | None, width: int | None = None) -> Console:
    """Return a console. `color` None: only on a terminal. `width` None: the terminal's width, or LOG_WIDTH.

    No text is interpreted as markup or emoji codes, or highlighted.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    terminal = stream.isatty()
    colored = terminal if color is None else color
    return _Console(
        file=stream,
        force_terminal=terminal,
        color_system="standard" if colored else None,
        no_color=not colored,
        width=width or (None if terminal else LOG_WIDTH),
        markup=False,
        emoji=False,
        highlight=False,
    )


def show(lines: Iterator[Text], out: Console) -> None:
    """Print lines as they are: not wrapped, without trailing spaces.

    A line that begins like a command of a CI runner gets a prefix.
    """
    for line in lines:
        line.rstrip()
        if line.plain.lstrip().startswith(("::", "##[")):
            line = Text.assemble("· ", line)
        out.print(line, soft_wrap=True)


_SNIPPET = re.compile(r"\w+: \{[^{}]*\}")
_GLUE = "\ue000"
"""Joins the parts of a YAML snippet that is meant to be pasted. Safe text has no such character."""


def wrapped(text: str, style: str, indent: int, out: Console, hang: int = 0) -> Iterator[Text]:
    """Yield the text as lines that fit. Lines after the first are indented by `hang` more."""
    room = max(20, out.width - indent - hang)
    whole = _SNIPPET.sub(lambda found: found[0].replace(" ", _GLUE), text)
    for number, line in enumerate(Text(whole).wrap(out, room)):
        yield Text(" " * (indent + (hang if number else 0)) + line.plain.replace(_GLUE, " "), style)
