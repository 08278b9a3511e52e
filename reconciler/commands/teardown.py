"""`teardown`: removes the members of an environment, and forgets or deletes its segments."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import click

from reconciler.clock import StopSignal
from reconciler.commands.support.applying import ApplyRun, apply_or_refuse
from reconciler.commands.support.approvals import (
    ApprovalOptions,
    Approved,
    ApprovedBy,
    ApprovedDigest,
    Terms,
    check_place,
    check_terms,
    terms_of,
)
from reconciler.commands.support.audited import Caller, locked
from reconciler.commands.support.console import CommandConsole, screen
from reconciler.commands.support.notifying import notified
from reconciler.commands.support.options import (
    ActorName,
    CommonOptions,
    Environment,
    Only,
    Yes,
    check_can_ask,
    stop_event,
    with_options,
)
from reconciler.commands.support.outputs import FormOptions, OutputFiles, output_files
from reconciler.commands.support.planning import make_teardown
from reconciler.commands.support.run import Run, record_run
from reconciler.core.audit.model import RunCommand
from reconciler.core.errors import RefusedError
from reconciler.core.model import Environment as EnvironmentManifest
from reconciler.core.plan.observed import TeardownEnd
from reconciler.core.role_choice import WRITING
from reconciler.manifests import load_without_sources
from reconciler.render.document.model import DocumentType
from reconciler.render.numbers import ROUNDED
from reconciler.render.terminal.plan import print_plan
from reconciler.settings import Settings
from reconciler.workspace import Workspace, open_workspace


@dataclass(frozen=True, slots=True)
class TeardownOptions:
    """What becomes of the segments, whose, and the outputs."""

    environment: Environment
    delete: Annotated[
        bool,
        click.option(
            "--delete", is_flag=True, help="Delete the emptied segments. Default: they stay at Criteo."
        ),
    ]
    plan_only: Annotated[
        bool,
        click.option("--plan", "plan_only", is_flag=True, help="Show the plan; change nothing."),
    ]
    yes: Yes
    confirmed: Annotated[
        str | None,
        click.option(
            "--confirm",
            "confirmed",
            metavar="NAME",
            help="The name of the environment: required if it has no `sample`, as production.",
        ),
    ]
    actor: ActorName
    approved: Approved
    approved_digest: ApprovedDigest
    approved_by: ApprovedBy
    only: Only
    forms: FormOptions
    common: CommonOptions

    @property
    def end(self) -> TeardownEnd:
        return TeardownEnd.DELETE if self.delete else TeardownEnd.FORGET

    @property
    def approvals(self) -> ApprovalOptions:
        return ApprovalOptions(self.approved, self.approved_digest, self.approved_by, members_only=False)


@click.command(name="teardown")
@with_options(TeardownOptions)
@click.pass_obj
def command(stop: object, /, options: TeardownOptions) -> int:
    """Remove all known members of an environment from its segments, and forget or delete the segments.

    The command shows its plan and asks. It removes exactly the members that the state knows, in batches, as
    an apply does. An interrupted teardown resumes on the next run. The manifests stay: the next `apply` sends
    the members again. Segments of other environments and unconfirmed creates block their addresses (exit 8;
    exit 5 if all are blocked). With --delete, so do segments without their ownership tag, and segments that
    audiences at Criteo are built on.

    An environment without `sample` is not a test environment: pass its name with --confirm. To have a
    teardown approved, save it with --plan --out FILE, and pass it with --approved.
    """
    settings, asked = options.common.settings(), stop_event(stop)
    if options.plan_only and options.approved:
        raise click.UsageError("--plan changes nothing: leave out --approved")
    check_terms(options.approvals, None, settings.directory)
    if not options.plan_only:
        check_can_ask(options.yes, "to carry out the plan as it is shown, or --plan to see it")
    shown = screen(settings, taken=options.forms.as_json)
    work = _plan if options.plan_only else _tear_down
    kind, files = DocumentType.TEARDOWN, options.approved
    with output_files(options.forms, settings, kind, options.environment, files) as page:
        page.code = work(options, settings, shown, page, asked)
    return page.code


def _plan(
    options: TeardownOptions, settings: Settings, shown: CommandConsole, page: OutputFiles, asked: StopSignal
) -> int:
    with open_workspace(
        settings, options.environment, asked, shown.progress, read=load_without_sources
    ) as space:
        with shown.progress:
            planned = make_teardown(space, space.store.reader(), options.only, options.end, shown.progress)
        page.document = planned.document(space, ROUNDED, DocumentType.TEARDOWN)
        page.approved = planned.approvable(space)
        if not options.forms.as_json:
            print_plan(planned.document(space, shown.figures, DocumentType.TEARDOWN), shown.out, shown.detail)
    return RefusedError.exit_code if planned.plan.refused else 0


def _tear_down(
    options: TeardownOptions, settings: Settings, shown: CommandConsole, page: OutputFiles, asked: StopSignal
) -> int:
    kind, caller = DocumentType.TEARDOWN, Caller.of(RunCommand.TEARDOWN, settings, options.actor)

    def work(run: Run) -> int:
        name = options.environment
        terms = terms_of(options.approvals, settings.directory, name, kind)
        with open_workspace(settings, name, asked, run.events, WRITING, load_without_sources) as space:
            _check_name(options.confirmed, space.desired.environment)
            check_place(terms, space.desired.environment)
            run.start(space, settings.who)
            return notified(space, settings, "teardown", run, partial(send, run, space, terms))

    def send(run: Run, space: Workspace, terms: Terms) -> int:
        with ExitStack() as held:
            with shown.progress:
                state, entry = held.enter_context(locked(space, caller, run.id))
                planned = make_teardown(space, state, options.only, options.end, run.events)
            job = ApplyRun(space, state, shown, run, page, asked, held, entry, kind)
            return apply_or_refuse(job, planned, terms, yes=options.yes, whole=not options.only)

    return record_run(None, settings, shown.progress, work)


def _check_name(confirmed: str | None, environment: EnvironmentManifest) -> None:
    """Raise RefusedError unless the environment is a test environment, or named again."""
    if confirmed == environment.name or (confirmed is None and environment.sample_rows is not None):
        return
    if confirmed is not None:
        raise RefusedError(
            f"--confirm names another environment than {environment.name}; nothing was sent",
            remedy=f"to tear down {environment.name}, pass --confirm {environment.name}",
        )
    raise RefusedError(
        f"{environment.name} has no `sample`, so it may hold all customers; nothing was sent",
        remedy=f"if all of them are to be removed, pass --confirm {environment.name}",
    )
