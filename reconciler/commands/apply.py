"""`apply`: plans under the lock, shows the plan, and carries it out."""

import os
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Annotated, NoReturn

import click

from reconciler.apply import ApplyContext, Report, apply, run_concurrently
from reconciler.apply.readings import store_readings
from reconciler.clock import LONGEST_RENEWAL, StopSignal
from reconciler.commands.support.approvals import (
    ApprovalOptions,
    ApprovalRecorder,
    Terms,
    accept,
    check_place,
    check_terms,
    refills,
    terms_of,
)
from reconciler.commands.support.console import CommandConsole, screen
from reconciler.commands.support.options import (
    STANDARD_OUTPUT,
    CommonOptions,
    CountMembers,
    DeadlineTime,
    Environment,
    InputOptions,
    ReadSources,
    Yes,
    check_can_ask,
    confirm,
    stop_event,
    with_options,
)
from reconciler.commands.support.outputs import FormOptions, OutputFiles, output_files
from reconciler.commands.support.planning import PlanResult, earlier_readings, make_plan
from reconciler.commands.support.run import Run, record_run
from reconciler.core.errors import CancelledError, NotApprovedError, PartialApplyError, RefusedError
from reconciler.core.events import ChangeOutcome, addresses_blocked, apply_started, plan_made
from reconciler.core.model import Address
from reconciler.core.plan.model import Deadline, Plan
from reconciler.core.ports import StateWriter
from reconciler.core.series import PointKind, SeriesRun
from reconciler.operations.store_points import store_points
from reconciler.render.document.apply_report import ApplyReport, apply_report
from reconciler.render.document.model import DocumentType, with_error
from reconciler.render.numbers import ROUNDED, NumberFormat
from reconciler.render.terminal.apply_report import print_report
from reconciler.render.terminal.plan import print_plan
from reconciler.workspace import WRITING, Workspace, open_workspace

LAST_WORDS = 1.0
"""Seconds to write the last events of an interrupted run, while other threads may be writing."""


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """The changes that may be applied, their addresses, and the outputs."""

    environment: Environment
    yes: Yes
    events: Annotated[
        str | None,
        click.option(
            "--events",
            metavar="FILE",
            help="Write events to FILE as NDJSON; - is standard output, other output then goes to"
            " standard error.",
        ),
    ]
    approvals: ApprovalOptions
    statistics: CountMembers
    read_sources: ReadSources
    deadline: DeadlineTime
    forms: FormOptions
    inputs: InputOptions
    common: CommonOptions

    @property
    def files(self) -> tuple[str, ...]:
        """Return what is read or written beside the saved forms."""
        events = [self.events] if self.events and self.events != STANDARD_OUTPUT else []
        return (*self.approvals.approved, *events)


@click.command(name="apply")
@with_options(ApplyOptions)
@click.pass_obj
def command(stop: object, /, options: ApplyOptions) -> int:
    """Plan, show the plan, and apply it.

    The command holds the environment's lock from the first read to the last write. After an interruption,
    run the same command again: it resumes and does not resend acknowledged batches. Blocked addresses are
    reported and stay unchanged, and the other addresses are applied (exit 8; exit 5 if all are blocked).
    Changes that are not approved are skipped in the same way (exit 6 if there are no others).

    With --deadline, it sends the segments in the order in which most of them are complete before that
    computation. Removals of suppressed members stay first.
    """
    environment, inputs, events, asked = options.environment, options.inputs, options.events, stop_event(stop)
    settings = options.common.settings(data_root=inputs.data_root, emulate=inputs.emulate)
    check_can_ask(options.yes, "to apply the plan as it is shown")
    check_terms(options.approvals, inputs.data_root, settings.directory)
    if options.forms.as_json and events == STANDARD_OUTPUT:
        raise click.UsageError("--json and --events - both want standard output: give one of them a file")
    shown = screen(settings, taken=options.forms.as_json or events == STANDARD_OUTPUT)

    def work(run: Run, page: OutputFiles) -> int:
        terms = terms_of(options.approvals, settings.directory, environment)
        with open_workspace(settings, environment, asked, run.events, WRITING) as space:
            check_place(terms, space.desired.environment)
            run.start(space, settings.who)
            with ExitStack() as held:
                with shown.progress:
                    state = held.enter_context(space.store.lock(settings.who))
                    counted = None if options.statistics else refills(terms)
                    earlier = earlier_readings(state, read_sources=options.read_sources)
                    planned = make_plan(space, state, inputs.only, run.events, counted, earlier)
                job = ApplyRun(space, state, shown, run, page, asked, held, options.deadline)
                if planned.plan.problems or (planned.plan.all_blocked and not planned.plan.removals):
                    _show(job, planned)
                    return RefusedError.exit_code
                return _apply(job, planned, terms, yes=options.yes, whole=not inputs.only)

    with output_files(options.forms, settings, DocumentType.APPLY, environment, options.files) as page:
        page.code = record_run(events, settings, shown.progress, partial(work, page=page))
    return page.code


@dataclass(frozen=True, slots=True)
class ApplyRun:
    """The inputs of an apply. `held` ends before the lock: its callbacks are the last writes of the run."""

    space: Workspace
    state: StateWriter
    shown: CommandConsole
    run: Run
    page: OutputFiles
    asked: StopSignal
    held: ExitStack
    deadline: str | None


def _apply(work: ApplyRun, planned: PlanResult, terms: Terms, *, yes: bool, whole: bool) -> int:
    """What is not allowed is shown all the same, and refused. `whole`: of all addresses."""
    space, marks = work.space, ApprovalRecorder(planned, work.state, work.space)
    try:
        may = accept(terms, planned, space, whole=whole)
    except NotApprovedError as error:
        _show(work, planned, refused=error)
        raise
    going = may.planned.before(work.deadline, space)
    _show(work, going, may.digests)
    code = 0
    if going.plan.changes or going.plan.removals:
        _confirm(space, yes)
        marks.begin(may.digests)
        code = _carry_out(work, going)
    else:
        _store_readings(work, going, {})
    if code == 0:
        marks.complete(may.finished)
    return code or _of_blocked(going.plan)


def _of_blocked(plan: Plan) -> int:
    """Healthy addresses are as they should be now: the blocked ones are not passed over."""
    if plan.all_blocked and not plan.removals:
        return RefusedError.exit_code
    return PartialApplyError.exit_code if plan.blocked else 0


def _show(
    work: ApplyRun,
    planned: PlanResult,
    approvals: tuple[str, ...] = (),
    refused: NotApprovedError | None = None,
) -> None:
    work.run.events.emit(plan_made(planned.plan, approvals))
    for blocked in addresses_blocked(planned.plan):
        work.run.events.emit(blocked)
    document = planned.document(work.space, ROUNDED, DocumentType.APPLY)
    work.page.document = replace(document, approvals=approvals)
    subject = DocumentType.APPLY if refused else DocumentType.PLAN
    shown = planned.document(work.space, work.shown.figures, subject)
    print_plan(with_error(shown, refused) if refused else shown, work.shown.out, work.shown.detail)


def _confirm(space: Workspace, yes: bool) -> None:
    name = space.desired.environment.name
    where = "the emulator" if space.emulated else space.desired.environment.api.endpoint
    confirm(yes, f"Apply this plan to {name} ({where})?", space.desired.environment)
    space.clock.check()


def _carry_out(work: ApplyRun, planned: PlanResult) -> int:
    space, run = work.space, work.run
    tools = ApplyContext(
        api=space.desired.environment.api,
        state=work.state,
        engine=planned.engine,
        readers=space.readers(),
        writers=space.writers(),
        clock=space.clock,
        emit=run.events.emit,
    )
    work.page.outcome = partial(_report, work, ROUNDED, planned.plan.deadline)
    run_jobs = run_concurrently(work.asked, partial(_stuck, run, work.page, work.asked))
    run.events.emit(apply_started(planned.plan, tools.api, space.clock.now()))
    with work.shown.progress:
        report = apply(planned.plan, planned.observed.resources, tools, run_jobs)
    points = SeriesRun(run.id, PointKind.APPLY, space.clock.now(), report.points)
    work.held.callback(store_points, work.state, points)
    if report.stopped is None:
        _store_readings(work, planned, report.outcomes)
    print_report(_report(work, work.shown.figures, planned.plan.deadline), work.shown.out)
    return _exit_code(report)


def _store_readings(work: ApplyRun, planned: PlanResult, outcomes: Mapping[Address, ChangeOutcome]) -> None:
    declared = work.space.desired.segments
    store_readings(work.state, declared, planned.observed.records, planned.plan, outcomes)


def _report(work: ApplyRun, figures: NumberFormat, deadline: Deadline | None) -> ApplyReport:
    name, seconds = work.space.desired.environment.name, timedelta(seconds=work.run.seconds)
    return apply_report(name, work.run.tally, seconds, work.space.clock.now(), figures, deadline)


def _stuck(run: Run, page: OutputFiles, asked: StopSignal) -> NoReturn:
    """The lock ends with the process, and so do the calls that would not end in time."""
    asked.wait_until_idle(LONGEST_RENEWAL)
    click.echo("Stopped: a call in flight did not end in time. The state says that it may have", err=True)
    click.echo("happened. Run the same command again to resume.", err=True)
    stopped = CancelledError("stopped while a call was in flight", remedy="run the same command again")
    last = [
        threading.Thread(target=run.end, args=(stopped.exit_code,), daemon=True),
        threading.Thread(target=page.fail, args=(stopped,), daemon=True),
    ]
    for one in last:
        one.start()
    for one in last:
        one.join(LAST_WORDS)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(CancelledError.exit_code)


def _exit_code(report: Report) -> int:
    """Applied in part once anything was written or may have been; before that, what failed first."""
    if report.stopped is not None:
        raise report.stopped
    if not report.errors:
        return 0
    if report.wrote or report.count(ChangeOutcome.APPLIED):
        return PartialApplyError.exit_code
    return next(iter(report.errors.values())).exit_code
