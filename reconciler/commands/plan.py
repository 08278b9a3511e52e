"""`plan`: what would change at Criteo, for how many people, at what cost. It has no way to write."""

from typing import Any

import click

from reconciler.commands.annotating import annotate, at_their_manifests
from reconciler.commands.options import (
    COUNTS,
    ENVIRONMENT,
    OUTPUT,
    WORLD,
    settings_of,
    stop_event,
    with_options,
)
from reconciler.commands.publishing import FORMS, published
from reconciler.core.errors import RefusedError

CHANGES = 2


@click.command(name="plan")
@ENVIRONMENT
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@with_options(COUNTS, FORMS, WORLD, OUTPUT)
@click.pass_obj
def command(stop: object, /, environment: str, detailed_exitcode: bool, **flags: Any) -> int:
    """Show what would change at Criteo, for how many people, and what it costs.

    Reads manifests, state, sources and Criteo's segments once each. Writes nothing but a private
    cache and the files that --out, --markdown and --html name: these on every path, also when it fails.
    With --statistics it also asks Criteo to count the members of each segment, and plans to refill
    those that lost members: one call per segment.
    A blocked address is shown with its fix; the others are planned without it (exit 5 if all are blocked).
    """
    from reconciler.commands.planning import make_plan, screen
    from reconciler.render.document import Subject
    from reconciler.render.figures import ROUNDED
    from reconciler.render.terminal import print_plan
    from reconciler.wiring import workspace

    settings = settings_of(flags)
    shown = screen(settings)
    with (
        published(flags, settings, Subject.PLAN, environment) as page,
        workspace(settings, environment, stop_event(stop), shown.progress) as space,
    ):
        with shown.progress:
            counted = None if flags["statistics"] else ()
            planned = make_plan(space, space.store.reader(), flags["only"], shown.progress, counted)
        page.document, page.approved = planned.document(space, ROUNDED), planned.approvable(space)
        page.code = RefusedError.exit_code if planned.plan.refused else 0
        if not flags["as_json"]:
            print_plan(planned.document(space, shown.figures), shown.out)
        blocked = at_their_manifests(planned.plan.blocked, space.desired.segments)
        annotate((*planned.plan.problems, *blocked), settings.directory)
    if planned.plan.refused:
        return RefusedError.exit_code
    return CHANGES if detailed_exitcode and planned.plan.changes else 0
