"""Progress bars on a terminal: for each running transfer and the whole apply, and the current wait."""

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self, assert_never

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reconciler.core.events import (
    ActivityStarted,
    AddressBlocked,
    ApplyStarted,
    BatchAcknowledged,
    BatchSizeLowered,
    ChangeEnded,
    ChangeOutcome,
    Event,
    PlanCreated,
    ProgressReporter,
    RunEnded,
    RunStarted,
    SegmentCreated,
    SegmentDeleted,
    SegmentUpdated,
    TransferStarted,
    WaitEnded,
    Waiting,
)
from reconciler.core.model import Address
from reconciler.render.document.apply_pace import ApplyPace, Pace, budget_text
from reconciler.render.document.by_audience import FOLDED, Detail
from reconciler.render.numbers import NumberFormat, counted
from reconciler.render.terminal.progress import step_text, wait_text
from reconciler.render.text import name, sentence

_STYLES = {
    ChangeOutcome.APPLIED: "green",
    ChangeOutcome.FAILED: "red",
    ChangeOutcome.INTERRUPTED: "yellow",
    ChangeOutcome.SKIPPED: "yellow",
}


_SHOWN = 8
"""Bars of transfers: an apply has up to 96 at a time, and a terminal may have 24 lines."""
_COLOR = "cyan"
_OVERALL = 12
"""Columns of the bar of the whole apply: with its text, it fits in 80."""


class Bars(ProgressReporter):
    """Adds a bar when a transfer starts. When its change ends, a line replaces the bar.

    Of many changes, only those that are not applied get a line. `now` is a monotonic clock in seconds.
    """

    def __init__(self, out: Console, now: Callable[[], float], figures: NumberFormat, much: Detail) -> None:
        self._now = now
        self._much = much
        self._every = True
        self._pace: ApplyPace | None = None
        self._board = _Board(
            _Words(),
            BarColumn(bar_width=24, complete_style=_COLOR),
            _Identifiers(figures),
            console=out,
            get_time=now,
            transient=True,
            redirect_stdout=False,  # what a command writes there may be for machines
        )
        self._bars: dict[Address, TaskID] = {}
        self._waits: dict[int, tuple[float, str]] = {}
        self._doing = ""
        self._changing = threading.RLock()

    def __enter__(self) -> Self:
        self._board.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._board.stop()

    def emit(self, event: Event) -> None:
        with self._changing:
            self._follow(event)
            match event:
                case TransferStarted():
                    self._start(event)
                case BatchAcknowledged():
                    self._board.update(self._bars[event.address], completed=event.done)
                case SegmentCreated() | SegmentUpdated() | SegmentDeleted():
                    if self._every:
                        self._say(step_text(event), "")
                case ChangeEnded():
                    if event.outcome is ChangeOutcome.APPLIED:
                        self._fill(event.address)
                    self._drop(event.address)
                    if self._every or event.outcome is not ChangeOutcome.APPLIED:
                        self._say(step_text(event), _STYLES[event.outcome])
                case ActivityStarted() | Waiting() | WaitEnded():
                    self._wait(event)
                case (
                    RunStarted()
                    | PlanCreated()
                    | AddressBlocked()
                    | ApplyStarted()
                    | BatchSizeLowered()
                    | RunEnded()
                ):
                    pass  # shown by the plan or the report
                case _:
                    assert_never(event)

    def _follow(self, event: Event) -> None:
        if isinstance(event, ApplyStarted):
            self._pace = ApplyPace(event, self._now())
            self._every = self._much is Detail.BY_ADDRESS or len(event.changes) <= FOLDED
        elif self._pace:
            self._pace.take(event, self._now())
        self._board.pace = self._pace.at(self._now()) if self._pace else None

    def _start(self, event: TransferStarted) -> None:
        self._drop(event.address)
        words = name(str(event.address))
        self._bars[event.address] = self._board.add_task(words, total=event.total, completed=event.done)

    def _fill(self, address: Address) -> None:
        """Fill the bar before it is removed, because some terminals keep every frame."""
        if address in self._bars:
            bar = self._bars[address]
            self._board.update(bar, completed=self._board.tasks[self._board.task_ids.index(bar)].total)
            self._board.refresh()

    def _drop(self, address: Address) -> None:
        if address in self._bars:
            self._board.remove_task(self._bars.pop(address))

    def _wait(self, event: ActivityStarted | Waiting | WaitEnded) -> None:
        """Show one line for all threads: the wait that ends first, or the current activity."""
        match event:
            case ActivityStarted():
                self._doing = sentence(event.activity)
            case Waiting():
                self._waits[threading.get_ident()] = (event.seconds_left, event.reason)
            case WaitEnded():
                self._waits.pop(threading.get_ident(), None)
            case _:
                assert_never(event)
        self._board.wait = self._doing
        if self._waits:
            seconds, reason = min(self._waits.values())
            self._board.wait = wait_text(seconds, reason)

    def _say(self, line: str, style: str) -> None:
        self._board.console.print(Text(line, style))


class _Board(Progress):
    """The bars, with that of the whole apply and the line about waiting below them.

    Of many transfers, it shows a few: those with an acknowledged batch first.
    """

    wait = ""
    pace: Pace | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        begun = sorted(self.tasks, key=lambda task: not task.completed)
        yield self.make_tasks_table(begun[:_SHOWN])
        if (more := len(begun) - _SHOWN) > 0:
            yield Text(counted(more, "more transfer"), "dim")
        if self.pace:
            overall = Table.grid(padding=(0, 1))
            text = Text(budget_text(self.pace), no_wrap=True, overflow="ellipsis")
            overall.add_row(
                ProgressBar(total=1.0, completed=self.pace.done, width=_OVERALL, complete_style=_COLOR), text
            )
            yield overall
        if self.wait:
            yield Text(self.wait, "yellow", no_wrap=True, overflow="ellipsis")


class _Words(ProgressColumn):
    """The address, never interpreted as markup."""

    def render(self, task: Task) -> Text:
        return Text(task.description, "bold", overflow="ellipsis")


class _Identifiers(ProgressColumn):
    """The identifiers sent and their total."""

    def __init__(self, figures: NumberFormat) -> None:
        super().__init__()
        self._figures = figures

    def render(self, task: Task) -> Text:
        total = int(task.total or 0)
        return Text(f"{self._figures.count(int(task.completed))} of {self._figures.count(total)}")
