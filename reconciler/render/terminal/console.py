"""The console that commands print to: width, colour, wrapping, and lines that CI cannot take for commands."""

import io
import os
import re
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.text import Text

LOG_WIDTH = 110
"""Where there is no terminal to ask: logs of CI are wide, and a wrapped table is none."""


class _Console(Console):
    """A reader that leaves (`| head`) ends what is shown, never what is being done."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


def console(stream: TextIO, color: bool | None, width: int | None = None) -> Console:
    """Where text goes. `color` None: only on a terminal; `width` None: the terminal's, or LOG_WIDTH.

    Nothing printed here is read as markup, emoji codes or things to highlight.
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
    """Prints lines as they are: never wrapped again, no spaces at their ends.

    A line that begins so is an order to the runners of CI, and none of ours does.
    """
    for line in lines:
        line.rstrip()
        if line.plain.lstrip().startswith(("::", "##[")):
            line = Text.assemble("· ", line)
        out.print(line, soft_wrap=True)


_SNIPPET = re.compile(r"\w+: \{[^{}]*\}")
_GLUE = "\ue000"
"""Holds a snippet of YAML together that is there to be pasted; clean text has no such character."""


def wrapped(text: str, style: str, indent: int, out: Console, hang: int = 0) -> Iterator[Text]:
    """Text as lines that fit; those after the first stand `hang` further in."""
    room = max(20, out.width - indent - hang)
    whole = _SNIPPET.sub(lambda found: found[0].replace(" ", _GLUE), text)
    for number, line in enumerate(Text(whole).wrap(out, room)):
        yield Text(" " * (indent + (hang if number else 0)) + line.plain.replace(_GLUE, " "), style)
