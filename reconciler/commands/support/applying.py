"""Apply a plan: show it, ask, send it, and report. `apply` and `teardown` share it."""

import os
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import NoReturn

import click

from reconciler.apply import ApplyContext, Report, apply, run_concurrently
from reconciler.apply.readings import store_readings
from reconciler.clock import LONGEST_RENEWAL, StopSignal
from reconciler.commands.support.approvals import (
    ApprovalRecorder,
    Terms,
    accept,
    approvers_of,
)
from reconciler.commands.support.audited import AuditedRun
from reconciler.commands.support.console import CommandConsole
from reconciler.commands.support.options import (
    confirm,
)
from reconciler.commands.support.outputs import OutputFiles
from reconciler.commands.support.planning import PlanResult
from reconciler.commands.support.run import Run
from reconciler.core.audit.changes import audited_changes
from reconciler.core.errors import (
    CancelledError,
    Finding,
    NotApprovedError,
    PartialApplyError,
    ReconcilerError,
    RefusedError,
)
from reconciler.core.events import ChangeOutcome, addresses_blocked, apply_started, plan_made
from reconciler.core.model import Address
from reconciler.core.plan.model import Deadline, Plan
from reconciler.core.ports import StateWriter
from reconciler.core.series import PointKind, SeriesRun
from reconciler.core.telemetry import Telemetry
from reconciler.operations.erase_again import request_again
from reconciler.operations.store_points import store_points
from reconciler.render.document.apply_report import ApplyReport, apply_report
from reconciler.render.document.model import DocumentType, with_error
from reconciler.render.numbers import ROUNDED, NumberFormat
from reconciler.render.terminal.apply_report import print_report
from reconciler.render.terminal.plan import print_plan
from reconciler.workspace import Workspace

LAST_WORDS = 1.0
"""Seconds to write the last events of an interrupted run, while other threads may be writing."""


@dataclass(frozen=True, slots=True)
class ApplyRun:
    """The inputs of an apply or a teardown (`kind`).

    `held` ends before the lock: its callbacks are the last writes of the run, but for its `entry` in the
    audit log. `unerased` prevents an incomplete erasure.
    """

    space: Workspace
    state: StateWriter
    shown: CommandConsole
    run: Run
    page: OutputFiles
    asked: StopSignal
    held: ExitStack
    entry: AuditedRun
    kind: DocumentType
    deadline: str | None = None
    unerased: tuple[Finding, ...] = ()


def apply_or_refuse(work: ApplyRun, planned: PlanResult, terms: Terms, *, yes: bool, whole: bool) -> int:
    """Show the plan, ask, and apply what the terms allow. Return the exit code.

    What is not allowed is shown all the same, and refused. `whole`: of all addresses.
    """
    code = _decide(work, planned, terms, yes=yes, whole=whole)
    work.entry.ended(code)
    return code


def _decide(work: ApplyRun, planned: PlanResult, terms: Terms, *, yes: bool, whole: bool) -> int:
    if planned.plan.problems or (planned.plan.all_blocked and not planned.plan.removals):
        _show(work, planned)
        return RefusedError.exit_code
    space, marks = work.space, ApprovalRecorder(planned, work.state, work.space, terms)
    try:
        may = accept(terms, planned, space, whole=whole)
    except (NotApprovedError, RefusedError) as error:
        _show(work, planned, refused=error)
        raise
    going = may.planned.before(work.deadline, space)
    _show(work, going, may.digests)
    work.entry.planned(going.approvable(space), may.digests, approvers_of(terms))
    code = 0
    if going.plan.changes or going.plan.removals:
        _confirm(work, yes)
        marks.begin(may.digests)
        code = _carry_out(work, going, may.admin_approved)
    else:
        _store_readings(work, going, {})
    if code == 0:
        marks.complete(may.finished)
    return code or _of_blocked(going.plan) or (PartialApplyError.exit_code if work.unerased else 0)


def _of_blocked(plan: Plan) -> int:
    """Healthy addresses are as they should be now: the blocked ones are not passed over."""
    if plan.all_blocked and not plan.removals:
        return RefusedError.exit_code
    return PartialApplyError.exit_code if plan.blocked else 0


def _show(
    work: ApplyRun,
    planned: PlanResult,
    approvals: tuple[str, ...] = (),
    refused: ReconcilerError | None = None,
) -> None:
    work.run.events.emit(plan_made(planned.plan, approvals))
    for blocked in addresses_blocked(planned.plan):
        work.run.events.emit(blocked)
    document = planned.document(work.space, ROUNDED, work.kind)
    work.page.document = replace(document, approvals=approvals)
    planning = work.kind is DocumentType.APPLY and not refused
    subject = DocumentType.PLAN if planning else work.kind
    shown = planned.document(work.space, work.shown.figures, subject)
    print_plan(with_error(shown, refused) if refused else shown, work.shown.out, work.shown.detail)


def _confirm(work: ApplyRun, yes: bool) -> None:
    space = work.space
    name = space.desired.environment.name
    where = "the emulator" if space.emulated else space.desired.environment.api.endpoint
    what = f"Tear down {name}" if work.kind is DocumentType.TEARDOWN else f"Apply this plan to {name}"
    confirm(yes, f"{what} ({where})?", space.desired.environment)
    space.clock.check()


def _carry_out(work: ApplyRun, planned: PlanResult, admin_approved: frozenset[Address]) -> int:
    space, run = work.space, work.run
    tools = ApplyContext(
        api=space.desired.environment.api,
        state=work.state,
        engine=planned.engine,
        readers=space.readers(),
        writers=space.writers(),
        clock=space.clock,
        emit=run.events.emit,
        admin_approved=admin_approved,
        telemetry=space.telemetry,
    )
    work.page.outcome = partial(_report, work, ROUNDED, planned.plan.deadline)
    request_again(planned.plan, planned.observed, work.state, planned.engine, space.clock.now())
    run_jobs = run_concurrently(work.asked, partial(_stuck, run, work.page, work.asked, space.telemetry))
    run.events.emit(apply_started(planned.plan, tools.api, space.clock.now()))
    with work.shown.progress:
        report = apply(planned.plan, planned.observed.resources, tools, run_jobs)
    changes = audited_changes(planned.plan.changes, report.outcomes, report.points)
    work.entry.applied(changes, run.tally.work)
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


def _stuck(run: Run, page: OutputFiles, asked: StopSignal, telemetry: Telemetry) -> NoReturn:
    """The lock ends with the process, and so do the calls that would not end in time."""
    asked.wait_until_idle(LONGEST_RENEWAL)
    click.echo("Stopped: a call in flight did not end in time. The state says that it may have", err=True)
    click.echo("happened. Run the same command again to resume.", err=True)
    stopped = CancelledError("stopped while a call was in flight", remedy="run the same command again")
    last = [
        threading.Thread(target=run.end, args=(stopped.exit_code,), daemon=True),
        threading.Thread(target=page.fail, args=(stopped,), daemon=True),
        threading.Thread(target=telemetry.end, args=(stopped.exit_code,), daemon=True),
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
