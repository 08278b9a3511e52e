"""`apply`: plans under the lock, shows the plan, and carries it out."""

import os
import sys
import threading
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn

import click

from reconciler.apply import Report, Tools, apply, side_by_side
from reconciler.clock import LONGEST_RENEWAL, Stop
from reconciler.commands.options import OUTPUT, WORLD, answering, settings_of, stop_event, with_options
from reconciler.commands.planning import Planned, Screen, make_plan, screen
from reconciler.commands.recording import STANDARD_OUTPUT, Run, recorded
from reconciler.core.errors import CancelledError, PartlyAppliedError, RefusedError
from reconciler.core.events import Outcome, plan_made
from reconciler.core.ports import StateWriter
from reconciler.render.report import apply_report, print_report
from reconciler.render.terminal import print_plan
from reconciler.wiring import WRITING, Workspace, workspace

WORKERS = 8
LAST_WORDS = 1.0
"""Seconds for the last event of a run that is ended while others may be speaking."""


@click.command(name="apply")
@click.argument("environment", metavar="ENV")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")
@click.option(
    "--events",
    metavar="FILE",
    help="Write what happens to FILE as NDJSON; - for standard output, and the rest to standard error.",
)
@with_options(WORLD, OUTPUT)
@click.pass_obj
def command(stop: object, /, environment: str, yes: bool, events: str | None, **flags: Any) -> int:
    """Plan, show the plan, and carry it out.

    Holds the environment's lock from the first look to the last write. What an interrupted run has
    sent is not sent again: run the same command, and it goes on where it stopped. A plan that a guard
    stands against is refused before the first write (exit 5).
    """
    settings, asked = settings_of(flags), stop_event(stop)
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: pass --yes to apply the plan as it is shown")
    shown = screen(settings, taken=events == STANDARD_OUTPUT)

    def work(run: Run) -> int:
        with workspace(settings, environment, asked, run.told, WRITING) as space:
            run.start(space, settings.who)
            with ExitStack() as held:
                with shown.progress:
                    state = held.enter_context(space.store.lock(settings.who))
                    planned = make_plan(space, state, flags["only"], run.told)
                run.told.emit(plan_made(planned.plan))
                print_plan(planned.document(space, shown.figures), shown.out)
                if planned.plan.blocked:
                    return RefusedError.exit_code
                if planned.plan.changes:
                    _confirm(space, yes)
                    return _carry_out(space, state, planned, shown, run, asked)
        return 0

    return recorded(events, settings, shown.progress, work)


def _confirm(space: Workspace, yes: bool) -> None:
    if yes:
        return
    name = space.desired.environment.name
    where = "the emulator" if space.emulated else space.desired.environment.api.endpoint
    with answering():
        click.confirm(f"Apply this plan to {name} ({where})?", abort=True, err=True)
    space.clock.check()


def _carry_out(
    space: Workspace, state: StateWriter, planned: Planned, shown: Screen, run: Run, asked: Stop
) -> int:
    tools = Tools(
        api=space.desired.environment.api,
        state=state,
        engine=planned.engine,
        readers=space.readers(),
        writers=space.writers(),
        clock=space.clock,
        emit=run.told.emit,
    )
    run_jobs = side_by_side(WORKERS, asked, partial(_stuck, run, asked))
    with shown.progress:
        report = apply(planned.plan, planned.observed.receipts, tools, run_jobs)
    name, seconds = space.desired.environment.name, timedelta(seconds=run.seconds)
    print_report(apply_report(name, run.tally, seconds, space.clock.now(), shown.figures), shown.out)
    return _exit_code(report)


def _stuck(run: Run, asked: Stop) -> NoReturn:
    """The lock ends with the process, and so do the calls that would not end in time."""
    asked.calm(LONGEST_RENEWAL)
    click.echo("Stopped: a call in flight did not end in time. The state says that it may have", err=True)
    click.echo("happened. Run the same command again: it goes on where it stopped.", err=True)
    last = threading.Thread(target=run.end, args=(CancelledError.exit_code,), daemon=True)
    last.start()
    last.join(LAST_WORDS)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(CancelledError.exit_code)


def _exit_code(report: Report) -> int:
    """Applied in part once anything was written or may have been; before that, what failed first."""
    if report.stopped is not None:
        raise report.stopped
    if not report.errors:
        return 0
    if report.wrote or report.count(Outcome.APPLIED):
        return PartlyAppliedError.exit_code
    return next(iter(report.errors.values())).exit_code
