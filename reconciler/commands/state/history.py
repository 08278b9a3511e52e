"""`state history`: the versions that can be restored."""

from dataclasses import dataclass

import click

from reconciler.commands.support.options import CommonOptions, Environment, with_options
from reconciler.commands.support.session import open_session
from reconciler.render.state import print_history


@dataclass(frozen=True, slots=True)
class StateHistoryOptions:
    """Whose versions."""

    environment: Environment
    common: CommonOptions


@click.command(name="history")
@with_options(StateHistoryOptions)
@click.pass_obj
def command(stop: object, /, options: StateHistoryOptions) -> None:
    """List the saved state versions. Each writing run saves the version before it."""
    with open_session(stop, options.environment, options.common) as session:
        versions = session.space.store.reader().versions()
        print_history(options.environment, versions, session.shown.out)
