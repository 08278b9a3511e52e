"""The output of a running apply: few lines in a log, bars on a terminal, escaped names."""

import io
import threading

import pytest
from golden import plan_cases as cases

from reconciler.commands.support.console import progress_on
from reconciler.core.events import (
    AddressWork,
    ApplyStarted,
    BatchAcknowledged,
    ChangeEnded,
    ChangeOutcome,
    Counts,
    RunStarted,
    SegmentCreated,
    SegmentDeleted,
    SegmentUpdated,
    SentTotals,
    TransferStarted,
    plan_made,
    run_ended,
)
from reconciler.core.model import Address
from reconciler.render.document.by_audience import Detail
from reconciler.render.numbers import EXACT
from reconciler.render.terminal.console import console
from reconciler.render.terminal.progress import Lines, Progress, Quiet
from reconciler.render.terminal.progress_bars import Bars

pytestmark = pytest.mark.promise("read-right")

A = Address("offsite-email", "lapsed-90d")


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logged(much: Detail = Detail.BY_ADDRESS) -> tuple[io.StringIO, Time, Progress]:
    stream, time = io.StringIO(), Time()
    return stream, time, progress_on(console(stream, color=None), time, EXACT, much, still=False)


def on_terminal(
    stream: io.StringIO, time: Time, width: int, much: Detail = Detail.BY_ADDRESS, *, still: bool = False
) -> Progress:
    return progress_on(console(stream, color=False, width=width), time, EXACT, much, still=still)


def started(number: int, calls: int = 10) -> ApplyStarted:
    addresses = (Address("offsite-email", f"a{at:03}") for at in range(number))
    work = tuple(AddressWork(one, "criteo", calls) for one in addresses)
    return ApplyStarted(work, (), {"criteo": 250}, 0.0)


def test_a_log_gets_a_line_every_ten_seconds_and_one_for_each_failure() -> None:
    stream, time, shown = logged(Detail.BY_AUDIENCE)
    work = started(100)
    shown.emit(work)
    for number, one in enumerate(work.changes):
        time.now += 0.25
        shown.emit(SegmentCreated(one.address, str(number)))
        shown.emit(TransferStarted(one.address, 100, 0))
        for _ in range(10):
            shown.emit(BatchAcknowledged(one.address, "add", 10, 0, 10, 100))
        shown.waiting("Criteo takes 250 calls a minute", 43)
        outcome = ChangeOutcome.FAILED if number == 50 else ChangeOutcome.APPLIED
        shown.emit(ChangeEnded(one.address, outcome, "no answer" if number == 50 else ""))
    assert stream.getvalue().splitlines() == [
        "39/100 segments · 39% · 250 calls/min · 3 min left",
        "offsite-email/a050: failed: no answer",
        "79/100 segments · 79% · 250 calls/min · <1 min left",
    ]


def test_a_log_says_what_an_apply_waits_for_before_it_starts() -> None:
    stream, _, shown = logged(Detail.BY_AUDIENCE)
    shown.waiting("another run holds the lock", 60)
    assert stream.getvalue() == "waiting 60 s: another run holds the lock\n"


def test_a_log_has_no_line_about_an_apply_that_has_ended() -> None:
    stream, time, shown = logged(Detail.BY_AUDIENCE)
    shown.emit(started(1))
    time.now += 60
    shown.emit(run_ended(0, Counts(1, 0, 0, 0, 0), SentTotals(0, 0, 0, 0), 1.0))
    shown.done_waiting()
    assert stream.getvalue() == ""


def test_a_terminal_shows_how_far_the_whole_apply_is() -> None:
    stream, time = Terminal(), Time()
    shown = on_terminal(stream, time, 80, Detail.BY_AUDIENCE)
    work = started(40)
    with shown:
        shown.emit(work)
        time.now += 30
        for one in work.changes[:10]:
            shown.emit(TransferStarted(one.address, 100, 0))
            shown.emit(BatchAcknowledged(one.address, "add", 10, 0, 100, 100))
            shown.emit(ChangeEnded(one.address, ChangeOutcome.APPLIED))
        shown.emit(ChangeEnded(work.changes[10].address, ChangeOutcome.FAILED, "no answer"))
        shown._board.refresh()
    text = stream.getvalue()
    assert "27% · 11/40 segments · 20 of 250 calls/min · 15 min left" in text
    assert "offsite-email/a010: failed: no answer" in text
    assert "a009: applied" not in text


@pytest.mark.parametrize(("number", "much"), [(20, Detail.BY_AUDIENCE), (21, Detail.BY_ADDRESS)])
def test_a_terminal_keeps_each_step_of_few_changes_and_of_many_on_request(number: int, much: Detail) -> None:
    stream = Terminal()
    shown = on_terminal(stream, Time(), 80, much)
    with shown:
        shown.emit(started(number))
        shown.emit(SegmentCreated(A, "88121"))
        shown.emit(ChangeEnded(A, ChangeOutcome.APPLIED))
    assert "offsite-email/lapsed-90d: segment 88121 created" in stream.getvalue()
    assert "offsite-email/lapsed-90d: applied" in stream.getvalue()


def test_a_log_gets_steps_and_few_batches() -> None:
    stream, time, shown = logged()
    with shown:
        shown.emit(SegmentCreated(A, "88121"))
        shown.emit(SegmentUpdated(A))
        shown.emit(SegmentDeleted(A, "88121"))
        shown.emit(TransferStarted(A, 500_000, 50_000))
        for done in range(100_000, 500_001, 50_000):
            time.now += 2
            shown.emit(BatchAcknowledged(A, "add", 50_000, 0, done, 500_000))
        shown.emit(ChangeEnded(A, ChangeOutcome.APPLIED))
        shown.emit(ChangeEnded(A, ChangeOutcome.FAILED, "no answer", "run again"))
    at = "offsite-email/lapsed-90d"
    assert stream.getvalue().splitlines() == [
        f"{at}: segment 88121 created",
        f"{at}: name or description changed",
        f"{at}: segment 88121 deleted",
        f"{at}: 500,000 identifiers to send, 50,000 of them done already",
        f"{at}: 200,000 of 500,000 identifiers (40%)",
        f"{at}: 350,000 of 500,000 identifiers (70%)",
        f"{at}: 500,000 of 500,000 identifiers (100%)",
        f"{at}: applied",
        f"{at}: failed: no answer",
    ]


def test_a_log_mentions_long_waits_once_in_a_while() -> None:
    stream, time, shown = logged()
    shown.waiting("the rate limit", 3)
    for left in range(100, 0, -1):
        shown.waiting("an unconfirmed request may still take effect", left)
        time.now += 1
    shown.done_waiting()
    assert stream.getvalue().splitlines() == [
        "waiting 100 s: an unconfirmed request may still take effect",
        "waiting 70 s: an unconfirmed request may still take effect",
        "waiting 40 s: an unconfirmed request may still take effect",
        "waiting 10 s: an unconfirmed request may still take effect",
    ]


def test_a_wait_of_hours_gets_few_lines_and_is_written_in_hours() -> None:
    stream, time, shown = logged()
    for left in range(40_000, 0, -10):
        shown.waiting("Criteo has not computed 2 of 3 addresses yet", left)
        time.now += 10
    lines = stream.getvalue().splitlines()
    assert lines[0] == "waiting 11 hours 6 minutes: Criteo has not computed 2 of 3 addresses yet"
    assert lines[-1].startswith(("waiting 10 s", "waiting 20 s", "waiting 30 s"))
    assert len(lines) < 100


def test_bars_are_for_terminals() -> None:
    stream = Terminal()
    shown = progress_on(
        console(stream, color=False, width=100), Time(), EXACT, Detail.BY_ADDRESS, still=False
    )
    assert isinstance(shown, Bars)
    with shown:
        shown.emit(TransferStarted(A, 1_000, 250))
        shown.emit(TransferStarted(A, 1_000, 250))
        shown.emit(BatchAcknowledged(A, "add", 250, 0, 500, 1_000))
        shown._board.refresh()
        shown.waiting("[red]the rate limit[/]", 12)
        shown._board.refresh()
        shown.done_waiting()
        shown.done_waiting()
        shown.doing("reading segments")
        shown._board.refresh()
        shown.emit(SegmentCreated(A, "88121"))
        shown.emit(ChangeEnded(A, ChangeOutcome.APPLIED))
    text = stream.getvalue()
    assert "500 of 1,000" in text
    assert "waiting 12 s: [red]the rate limit[/]" in text
    assert "reading segments" in text
    assert "offsite-email/lapsed-90d: applied" in text
    assert text.rindex("1,000 of 1,000") > text.rindex("500 of 1,000")


def test_nothing_moves_where_nothing_may() -> None:
    """A terminal of CI keeps every frame, and a dumb one shows the orders to its cursor."""
    stream = Terminal()
    with progress_on(
        console(stream, color=False, width=100), Time(), EXACT, Detail.BY_ADDRESS, still=True
    ) as shown:
        shown.emit(TransferStarted(A, 1_000, 250))
        shown.emit(ChangeEnded(A, ChangeOutcome.APPLIED))
    assert "\x1b" not in stream.getvalue()
    assert "offsite-email/lapsed-90d: applied" in stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_what_the_plan_and_the_report_say_is_not_said_twice(stream: io.StringIO) -> None:
    shown = progress_on(
        console(stream, color=False, width=100), Time(), EXACT, Detail.BY_ADDRESS, still=False
    )
    shown.emit(RunStarted("production", "1.0", "ada@laptop", emulated=False))
    shown.emit(plan_made(cases.plan()))
    shown.emit(run_ended(0, Counts(0, 0, 0, 0, 0), SentTotals(0, 0, 0, 0), 1.0))
    assert stream.getvalue() == ""


def test_many_transfers_leave_room_for_the_bar_of_the_whole_apply() -> None:
    stream = Terminal()
    addresses = [Address("offsite-email", f"a{number:02}") for number in range(80)]
    with Bars(console(stream, color=False, width=100), Time(), EXACT, Detail.BY_AUDIENCE) as shown:
        shown.emit(started(80))
        for one in addresses:
            shown.emit(TransferStarted(one, 100, 0))
        shown.emit(BatchAcknowledged(addresses[70], "add", 50, 0, 50, 100))
        stream.truncate(0)
        shown._board.refresh()
        frame = stream.getvalue()
    assert [name for name in ("a70", "a00", "a06", "a07") if name in frame] == ["a70", "a00", "a06"]
    assert "72 more transfers" in frame
    assert "0/80 segments" in frame


def test_bars_show_the_wait_that_ends_first() -> None:
    shown = Bars(console(Terminal(), color=False, width=100), Time(), EXACT, Detail.BY_ADDRESS)
    shown.waiting("late", 60)
    other = threading.Thread(target=shown.waiting, args=("soon", 5.0))
    other.start()
    other.join()
    assert shown._board.wait == "waiting 5 s: soon"


def test_events_come_from_many_threads() -> None:
    stream, _, shown = logged()
    addresses = [Address("offsite-email", f"a{number}") for number in range(20)]
    threads = [
        threading.Thread(target=shown.emit, args=(ChangeEnded(one, ChangeOutcome.APPLIED),))
        for one in addresses
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stream.getvalue().splitlines()) == sorted(f"{one}: applied" for one in addresses)


def test_quiet_is_quiet() -> None:
    with Quiet() as shown:
        shown.emit(ChangeEnded(A, ChangeOutcome.APPLIED))
        shown.waiting("anything", 100)
        shown.done_waiting()
    assert isinstance(logged()[2], Lines)
