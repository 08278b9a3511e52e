"""The events of one run: connects progress, totals, and the event stream."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from uuid import uuid4

import click

from reconciler import __version__
from reconciler.commands.support.options import STANDARD_OUTPUT
from reconciler.core.errors import CancelledError
from reconciler.core.events import EventFanout, RunStarted, run_ended
from reconciler.disk.line_writer import LineWriter
from reconciler.render.document.apply_report import RunTotals
from reconciler.render.json.event_stream import BEGINNING, EventStream
from reconciler.render.terminal.progress import Progress
from reconciler.settings import Settings
from reconciler.system_errors import BUG, known_error
from reconciler.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Run:
    """`events` takes all events; `tally` has counted them. `id` is the one in the event stream."""

    id: str
    events: EventFanout
    tally: RunTotals
    _file: LineWriter | None
    _since: float

    def start(self, space: Workspace, who: str) -> None:
        """Begin the stream. StorageError if it is not writable, before any request to Criteo."""
        self.events.emit(RunStarted(space.desired.environment.name, __version__, who, space.emulated))
        if self._file:
            self._file.check()

    def end(self, exit_code: int) -> None:
        self.events.emit(run_ended(exit_code, self.tally.counts, self.tally.work, self.seconds))

    @property
    def seconds(self) -> float:
        return monotonic() - self._since


def record_run(events: str | None, settings: Settings, shown: Progress, work: Callable[[Run], int]) -> int:
    """Run the work. Its last event states how it ended, unless the process is killed.

    A broken stream does not stop the work; it is reported at the end.
    """
    file, tally = _opened(events, settings), RunTotals()
    number = uuid4().hex
    streams = [_stream(number, file)] if file else []
    run, code = (
        Run(number, EventFanout((*streams, tally, settings.telemetry, shown)), tally, file, monotonic()),
        BUG,
    )
    try:
        code = work(run)
    except BaseException as error:
        code = exit_code_of(error)
        raise
    finally:
        run.end(code)
        if file:
            _close(file)
    return code


def _opened(events: str | None, settings: Settings) -> LineWriter | None:
    if events is None:
        return None
    if events == STANDARD_OUTPUT:
        return LineWriter.on(sys.stdout.fileno())
    return LineWriter.at(settings.directory / events, BEGINNING)


def _stream(number: str, file: LineWriter) -> EventStream:
    return EventStream(number, file.write, partial(datetime.now, UTC), monotonic)


def exit_code_of(error: BaseException) -> int:
    """Return the exit code that the process is about to end with."""
    if isinstance(error, click.exceptions.Abort):
        return CancelledError.exit_code
    known = known_error(error)
    return known.exit_code if known else BUG


def _close(file: LineWriter) -> None:
    file.close()
    if file.lost and file.lines:
        click.echo(f"Warning: the events break off ({file.lost}); the run went on without them.", err=True)
