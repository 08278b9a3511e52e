"""The screen of a command: where results go, where progress goes, and how counts are written."""

import sys
from dataclasses import dataclass
from time import monotonic

from rich.console import Console

from reconciler.crash import log_calls
from reconciler.render.numbers import EXACT, ROUNDED, NumberFormat
from reconciler.render.progress import Progress, Quiet, progress
from reconciler.render.terminal import console
from reconciler.settings import Settings


@dataclass(frozen=True, slots=True)
class CommandConsole:
    """Results go to standard output; progress, waits and errors to standard error."""

    out: Console
    progress: Progress
    figures: NumberFormat


def screen(settings: Settings, *, taken: bool = False) -> CommandConsole:
    """Exact counts are for a person at a terminal; whatever is kept or passed on gets rounded ones.

    `taken`: standard output is for machines, and people read all on standard error.
    """
    err = console(sys.stderr, settings.colour)
    if settings.verbose:
        log_calls()
    out = err if taken else console(sys.stdout, settings.colour)
    figures = EXACT if out.is_terminal and not settings.ci else ROUNDED
    shown = (
        Quiet() if settings.quiet else progress(err, monotonic, figures, still=settings.ci or settings.dumb)
    )
    return CommandConsole(out, shown, figures)
