"""`plan`: shows what would change at Criteo, with counts and the estimate. It has no write methods."""

from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.options import (
    CommonOptions,
    CountMembers,
    DeadlineTime,
    Environment,
    InputOptions,
    ReadSources,
    stop_event,
    with_options,
)
from reconciler.commands.support.outputs import FormOptions, output_files
from reconciler.core.errors import RefusedError

CHANGES = 2


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The addresses to plan, the revision to compare, and the format."""

    environment: Environment
    detailed_exitcode: Annotated[
        bool, click.option("--detailed-exitcode", is_flag=True, help="Exit 2 if there are changes.")
    ]
    base: Annotated[
        str | None,
        click.option(
            "--base",
            metavar="REVISION",
            help="Exit 5 if a blocked address changed since this Git revision; warn about others.",
        ),
    ]
    statistics: CountMembers
    read_sources: ReadSources
    deadline: DeadlineTime
    forms: FormOptions
    inputs: InputOptions
    common: CommonOptions


@click.command(name="plan")
@with_options(PlanOptions)
@click.pass_obj
def command(stop: object, /, options: PlanOptions) -> int:
    """Show what would change at Criteo, for how many members, and the estimated calls and time.

    The command reads manifests, state, sources and Criteo's segments once each. It writes only a private
    cache and the files of --out, --markdown and --html, also when it fails. A blocked address is shown
    with its fix, and the other addresses are planned (exit 5 if all are blocked). Sources that are unchanged
    since the last apply are not read again, unless you pass --read-sources.

    With --deadline, it states which segments will not be complete before that computation. The last hour
    before it does not count, because a change sent then may be missing.

    With --statistics, it asks Criteo to count each segment's members and plans to refill segments that
    lost members. With --base, it exits 5 if a blocked address changed since that revision. It warns about
    other blocked addresses, so that a pull request fails only for its own changes.
    """
    from reconciler.commands.support.comparing import Change
    from reconciler.commands.support.console import screen
    from reconciler.commands.support.planning import earlier_readings, make_plan
    from reconciler.core.events import plan_made
    from reconciler.core.model import RepairMode
    from reconciler.render.document.model import DocumentType
    from reconciler.render.numbers import ROUNDED
    from reconciler.render.terminal.plan import print_plan
    from reconciler.workspace import open_workspace

    environment, inputs = options.environment, options.inputs
    settings = options.common.settings(data_root=inputs.data_root, emulate=inputs.emulate)
    shown = screen(settings)
    with (
        output_files(options.forms, settings, DocumentType.PLAN, environment) as page,
        open_workspace(settings, environment, stop_event(stop), shown.progress) as space,
    ):
        with shown.progress:
            auto = space.desired.environment.repair is RepairMode.AUTO
            counted = None if options.statistics or auto else ()
            change = Change.since(options.base, space)
            state = space.store.reader()
            earlier = earlier_readings(state, read_sources=options.read_sources)
            made = make_plan(space, state, inputs.only, shown.progress, counted, earlier)
            planned = change.noted(made.before(options.deadline, space))
        settings.telemetry.emit(plan_made(planned.plan))
        refused = planned.plan.refused or change.fails(planned.plan)
        page.document = planned.document(space, ROUNDED)
        page.approved = None if refused else planned.approvable(space)
        page.code = RefusedError.exit_code if refused else 0
        if not options.forms.as_json:
            print_plan(planned.document(space, shown.figures), shown.out, shown.detail)
        change.annotate(planned.plan, space, settings)
    if refused:
        return RefusedError.exit_code
    due = planned.plan.changes or planned.plan.removals
    return CHANGES if options.detailed_exitcode and due else 0
