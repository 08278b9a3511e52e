"""`plan`: what would change at Criteo, for how many people, at what cost. It has no way to write."""

from typing import Any

import click

from reconciler.commands.support.options import (
    BASE,
    COUNTS,
    ENVIRONMENT,
    INPUT_OPTIONS,
    OUTPUT,
    settings_of,
    stop_event,
    with_options,
)
from reconciler.commands.support.outputs import OUTPUT_OPTIONS, output_files
from reconciler.core.errors import RefusedError

CHANGES = 2


@click.command(name="plan")
@ENVIRONMENT
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 if there are changes.")
@with_options(BASE, COUNTS, OUTPUT_OPTIONS, INPUT_OPTIONS, OUTPUT)
@click.pass_obj
def command(
    stop: object, /, environment: str, detailed_exitcode: bool, base: str | None, **flags: Any
) -> int:
    """Show what would change at Criteo, for how many members, and the estimated calls and time.

    The command reads manifests, state, sources and Criteo's segments once each. It writes only a private
    cache and the files of --out, --markdown and --html, also when it fails. A blocked address is shown
    with its fix, and the other addresses are planned (exit 5 if all are blocked).

    With --statistics, it asks Criteo to count each segment's members and plans to refill segments that
    lost members. With --base, it exits 5 if a blocked address changed since that revision. It warns about
    other blocked addresses, so that a pull request fails only for its own changes.
    """
    from reconciler.commands.comparing import Change
    from reconciler.commands.support.planning import make_plan, screen
    from reconciler.render.document import DocumentType
    from reconciler.render.numbers import ROUNDED
    from reconciler.render.terminal import print_plan
    from reconciler.workspace import open_workspace

    settings = settings_of(flags)
    shown = screen(settings)
    with (
        output_files(flags, settings, DocumentType.PLAN, environment) as page,
        open_workspace(settings, environment, stop_event(stop), shown.progress) as space,
    ):
        with shown.progress:
            counted = None if flags["statistics"] else ()
            change = Change.since(base, space)
            planned = change.noted(
                make_plan(space, space.store.reader(), flags["only"], shown.progress, counted)
            )
        refused = planned.plan.refused or change.fails(planned.plan)
        page.document = planned.document(space, ROUNDED)
        page.approved = None if refused else planned.approvable(space)
        page.code = RefusedError.exit_code if refused else 0
        if not flags["as_json"]:
            print_plan(planned.document(space, shown.figures), shown.out)
        change.annotate(planned.plan, space, settings)
    if refused:
        return RefusedError.exit_code
    return CHANGES if detailed_exitcode and planned.plan.changes else 0
