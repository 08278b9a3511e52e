"""`apply`: plans under the lock, shows the plan, and carries it out."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import click

from reconciler.commands.support.applying import ApplyRun, apply_or_refuse
from reconciler.commands.support.approvals import (
    ApprovalOptions,
    Terms,
    check_place,
    check_terms,
    refills,
    terms_of,
)
from reconciler.commands.support.audited import Caller, locked
from reconciler.commands.support.console import screen
from reconciler.commands.support.erasing import resume_erasure
from reconciler.commands.support.notifying import notified
from reconciler.commands.support.options import (
    STANDARD_OUTPUT,
    ActorName,
    CommonOptions,
    CountMembers,
    DeadlineTime,
    Environment,
    InputOptions,
    ReadSources,
    Yes,
    check_can_ask,
    stop_event,
    with_options,
)
from reconciler.commands.support.outputs import FormOptions, OutputFiles, output_files
from reconciler.commands.support.overrides import accepted_overrides
from reconciler.commands.support.planning import earlier_readings, make_plan
from reconciler.commands.support.run import Run, record_run
from reconciler.core.audit.model import RunCommand
from reconciler.core.model import RepairMode
from reconciler.core.role_choice import WRITING
from reconciler.render.document.model import DocumentType
from reconciler.workspace import Workspace, open_workspace


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """The changes that may be applied, their addresses, and the outputs."""

    environment: Environment
    yes: Yes
    actor: ActorName
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

    An incomplete erasure is resumed first: it was confirmed when it was requested. What prevents it is noted
    (exit 8) and stops no other change.

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
    caller = Caller.of(RunCommand.APPLY, settings, options.actor)

    def work(run: Run, page: OutputFiles) -> int:
        terms = terms_of(options.approvals, settings.directory, environment)
        with open_workspace(settings, environment, asked, run.events, WRITING) as space:
            check_place(terms, space.desired.environment)
            run.start(space, settings.who)
            return notified(space, settings, "apply", run, partial(send, run, page, terms, space))

    def send(run: Run, page: OutputFiles, terms: Terms, space: Workspace) -> int:
        with ExitStack() as held:
            with shown.progress:
                state, entry = held.enter_context(locked(space, caller, run.id))
                unerased = resume_erasure(space, state, entry, shown.progress.emit)
                counted = None if options.statistics or _counts(options, space) else refills(terms)
                earlier = earlier_readings(state, read_sources=options.read_sources)
                accepts = partial(accepted_overrides, terms, space)
                planned = make_plan(
                    space, state, inputs.only, run.events, counted, earlier, accepts, unerased
                )
            kind, deadline = DocumentType.APPLY, options.deadline
            job = ApplyRun(space, state, shown, run, page, asked, held, entry, kind, deadline, unerased)
            return apply_or_refuse(job, planned, terms, yes=options.yes, whole=not inputs.only)

    with output_files(options.forms, settings, DocumentType.APPLY, environment, options.files) as page:
        page.code = record_run(events, settings, shown.progress, partial(work, page=page))
    return page.code


def _counts(options: ApplyOptions, space: Workspace) -> bool:
    """Return whether every apply counts members at Criteo. A members-only apply repairs nothing."""
    auto = space.desired.environment.repair is RepairMode.AUTO
    return auto and not options.approvals.members_only
