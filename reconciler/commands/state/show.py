"""`state show`: what is known, in counts."""

from dataclasses import dataclass

import click

from reconciler.commands.support.json_output import json_output
from reconciler.commands.support.options import AsJson, CommonOptions, Environment, with_options
from reconciler.commands.support.session import open_session
from reconciler.render.json.state import state_values
from reconciler.render.json.values import DocumentKind
from reconciler.render.terminal.state import print_state


@dataclass(frozen=True, slots=True)
class StateShowOptions:
    """The environment, and the format."""

    environment: Environment
    as_json: AsJson
    common: CommonOptions


@click.command(name="show")
@with_options(StateShowOptions)
@click.pass_obj
def command(stop: object, /, options: StateShowOptions) -> None:
    """Show the state: serial, lineage, and each address with its size and uncertain members."""
    environment = options.environment
    with (
        json_output(DocumentKind.STATE, wanted=options.as_json) as page,
        open_session(stop, environment, options.common) as session,
    ):
        state, shown = session.space.store.reader(), session.shown
        head, resources = state.head(), state.resources()
        if options.as_json:
            page.content = state_values(environment, head, resources, shown.figures)
        else:
            print_state(environment, head, resources, shown.figures, shown.out)
