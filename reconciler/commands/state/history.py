"""`state history`: the versions that can be restored."""

from dataclasses import dataclass

import click

from reconciler.commands.support.json_output import json_output
from reconciler.commands.support.options import AsJson, CommonOptions, Environment, with_options
from reconciler.commands.support.session import open_session
from reconciler.render.json.state import history_values
from reconciler.render.json.values import DocumentKind
from reconciler.render.terminal.state import print_history


@dataclass(frozen=True, slots=True)
class StateHistoryOptions:
    """The environment."""

    environment: Environment
    as_json: AsJson
    common: CommonOptions


@click.command(name="history")
@with_options(StateHistoryOptions)
@click.pass_obj
def command(stop: object, /, options: StateHistoryOptions) -> None:
    """List the saved state versions. Each writing run saves the version before it."""
    environment = options.environment
    with (
        json_output(DocumentKind.STATE_HISTORY, wanted=options.as_json) as page,
        open_session(stop, environment, options.common) as session,
    ):
        versions = session.space.store.reader().versions()
        if options.as_json:
            page.content = history_values(environment, versions)
        else:
            print_history(environment, versions, session.shown.out)
