"""The console of a command: streams for results and progress, and the format of counts."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from rich.console import Console

from reconciler.crash import log_calls
from reconciler.render.document.by_audience import Detail
from reconciler.render.numbers import EXACT, ROUNDED, NumberFormat
from reconciler.render.terminal.console import console
from reconciler.render.terminal.progress import Lines, Progress, Quiet, StepLines
from reconciler.render.terminal.progress_bars import Bars
from reconciler.settings import Settings


@dataclass(frozen=True, slots=True)
class CommandConsole:
    """Results go to standard output; progress, waits and errors to standard error."""

    out: Console
    progress: Progress
    figures: NumberFormat
    detail: Detail


def screen(settings: Settings, *, taken: bool = False) -> CommandConsole:
    """Return the console. Counts are exact only on a terminal outside CI; elsewhere they are rounded.

    `taken`: standard output carries JSON, so results go to standard error.
    """
    err = console(sys.stderr, settings.colour)
    if settings.verbose:
        log_calls()
    out = err if taken else console(sys.stdout, settings.colour)
    figures = EXACT if out.is_terminal and not settings.ci else ROUNDED
    still = settings.ci or settings.dumb
    much = detail(settings)
    shown = Quiet() if settings.quiet else progress_on(err, monotonic, figures, much, still=still)
    return CommandConsole(out, shown, figures, much)


def detail(settings: Settings) -> Detail:
    """Return how much of a long plan and its apply is shown."""
    return Detail.BY_ADDRESS if settings.verbose else Detail.BY_AUDIENCE


def progress_on(
    out: Console, now: Callable[[], float], figures: NumberFormat, much: Detail, *, still: bool
) -> Progress:
    """Return bars on a terminal, and lines elsewhere or if nothing may move (`still`).

    `now` is a monotonic clock in seconds.
    """
    if out.is_terminal and not still:
        return Bars(out, now, figures, much)
    return StepLines(out, now, figures) if much is Detail.BY_ADDRESS else Lines(out, now)
