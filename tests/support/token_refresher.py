"""Renews the token of one credential repeatedly, like parallel runs; its own process."""

import sys
from pathlib import Path

import click

from reconciler.clock import StopSignal
from reconciler.core.errors import ReconcilerError
from reconciler.core.role_choice import WRITING
from reconciler.manifests import load_without_sources
from reconciler.render.terminal.progress import Quiet
from reconciler.settings import read_settings
from reconciler.workspace import open_workspace


def main(root: Path, times: int) -> None:
    """One new connection each time, and with it one new token. What went wrong is the last line."""
    settings = read_settings(
        directory=str(root), data_root=None, emulate=False, quiet=True, verbose=False, no_color=True
    )
    with open_workspace(settings, "sandbox", StopSignal(), Quiet(), WRITING, load_without_sources) as space:
        [credential] = space.desired.credentials
        for _ in range(times):
            try:
                with space.access().connection(WRITING(credential)) as connection:
                    connection.inspector.application()
            except ReconcilerError as error:
                click.echo(f"{error.exit_code} {error.problem} | {error.remedy}")
                sys.exit(error.exit_code)
            click.echo("renewed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
