"""`apply`: plans under the lock, shows the plan, and carries it out."""

import os
import sys
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any, NoReturn

import click

from reconciler.apply import Report, Tools, apply, side_by_side
from reconciler.clock import LONGEST_RENEWAL, Stop
from reconciler.commands.options import OUTPUT, WORLD, answering, settings_of, stop_event, with_options
from reconciler.commands.planning import Planned, Screen, make_plan, screen
from reconciler.core.errors import CancelledError, PartlyAppliedError, RefusedError
from reconciler.core.events import Event, Outcome
from reconciler.core.ports import StateWriter
from reconciler.render.report import Tally, Work, apply_report, print_report
from reconciler.render.terminal import print_plan
from reconciler.wiring import WRITING, Workspace, workspace

WORKERS = 8


@click.command(name="apply")
@click.argument("environment", metavar="ENV")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")
@with_options(WORLD, OUTPUT)
@click.pass_obj
def command(stop: object, /, environment: str, yes: bool, **flags: Any) -> int:
    """Plan, show the plan, and carry it out.

    Holds the environment's lock from the first look to the last write. What an interrupted run has
    sent is not sent again: run the same command, and it goes on where it stopped. A plan that a guard
    stands against is refused before the first write (exit 5).
    """
    settings, asked = settings_of(flags), stop_event(stop)
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: pass --yes to apply the plan as it is shown")
    shown = screen(settings)
    with (
        workspace(settings, environment, asked, shown.progress, WRITING) as space,
        space.store.lock(settings.who) as state,
    ):
        with shown.progress:
            planned = make_plan(space, state, flags["only"], shown)
        print_plan(planned.document(space, shown.figures), shown.out)
        if planned.plan.blocked:
            return RefusedError.exit_code
        if planned.plan.changes:
            _confirm(space, yes)
            return _carry_out(space, state, planned, shown, asked)
    return 0


def _confirm(space: Workspace, yes: bool) -> None:
    if yes:
        return
    name = space.desired.environment.name
    where = "the emulator" if space.emulated else space.desired.environment.api.endpoint
    with answering():
        click.confirm(f"Apply this plan to {name} ({where})?", abort=True, err=True)
    space.clock.check()


def _carry_out(space: Workspace, state: StateWriter, planned: Planned, shown: Screen, asked: Stop) -> int:
    started, tally = monotonic(), Tally()

    def emit(event: Event) -> None:
        tally.emit(event)
        shown.progress.emit(event)

    tools = Tools(
        api=space.desired.environment.api,
        state=state,
        engine=planned.engine,
        readers=space.readers(),
        writers=space.writers(),
        clock=space.clock,
        emit=emit,
    )
    run_jobs = side_by_side(WORKERS, asked, partial(_stuck, asked))
    with shown.progress:
        report = apply(planned.plan, planned.observed.receipts, tools, run_jobs)
    work = Work(report.acknowledged, tally.added, tally.removed, report.rejected)
    print_report(
        apply_report(
            space.desired.environment.name,
            report.outcomes,
            report.errors,
            report.unchanged,
            work,
            timedelta(seconds=monotonic() - started),
            space.clock.now(),
            shown.figures,
        ),
        shown.out,
    )
    return _exit_code(report)


def _stuck(asked: Stop) -> NoReturn:
    """The lock ends with the process, and so do the calls that would not end in time."""
    asked.calm(LONGEST_RENEWAL)
    click.echo("Stopped: a call in flight did not end in time. The state says that it may have", err=True)
    click.echo("happened. Run the same command again: it goes on where it stopped.", err=True)
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
