"""`plan`: what would change at Criteo, for how many people, at what cost. It has no way to write."""

from typing import Any

import click

from reconciler.commands.options import OUTPUT, WORLD, settings_of, stop_event, with_options
from reconciler.core.errors import RefusedError

CHANGES = 2


@click.command(name="plan")
@click.argument("environment", metavar="ENV")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@with_options(WORLD, OUTPUT)
@click.pass_obj
def command(stop: object, /, environment: str, detailed_exitcode: bool, **flags: Any) -> int:
    """Show what would change at Criteo, for how many people, and what it costs.

    Reads manifests, state, sources and Criteo's segments once each. Writes nothing but a private
    cache. A plan that a guard stands against is shown, with the way out, and exits 5.
    """
    from reconciler.commands.planning import make_plan, screen
    from reconciler.render.terminal import print_plan
    from reconciler.wiring import workspace

    settings = settings_of(flags)
    shown = screen(settings)
    with workspace(settings, environment, stop_event(stop), shown.progress) as space:
        with shown.progress:
            planned = make_plan(space, space.store.reader(), flags["only"], shown.progress)
        print_plan(planned.document(space, shown.figures), shown.out)
    if planned.plan.blocked:
        return RefusedError.exit_code
    return CHANGES if detailed_exitcode and planned.plan.changes else 0
