"""`state show`: what is known, in counts."""

import json
from dataclasses import dataclass

import click

from reconciler.commands.support.options import AsJson, CommonOptions, Environment, with_options
from reconciler.commands.support.session import open_session
from reconciler.render.state import print_state, state_json


@dataclass(frozen=True, slots=True)
class StateShowOptions:
    """Whose state, and how it is shown."""

    environment: Environment
    as_json: AsJson
    common: CommonOptions


@click.command(name="show")
@with_options(StateShowOptions)
@click.pass_obj
def command(stop: object, /, options: StateShowOptions) -> None:
    """Show the state: serial, lineage, and each address with its size and uncertain members."""
    environment = options.environment
    with open_session(stop, environment, options.common) as session:
        state, shown = session.space.store.reader(), session.shown
        head, resources = state.head(), state.resources()
        if options.as_json:
            click.echo(json.dumps(state_json(environment, head, resources, shown.figures), indent=2))
        else:
            print_state(environment, head, resources, shown.figures, shown.out)
