"""What `promote` and `diff` share: their arguments, and the verifications of the source."""

from collections.abc import Sequence
from typing import Annotated

import click

from reconciler.clock import StopSignal
from reconciler.commands.support.completions import environment_names
from reconciler.commands.support.console import CommandConsole
from reconciler.core.errors import AuthenticationError, ConfigurationError, StorageError
from reconciler.core.verification import Verification
from reconciler.manifests import environments, find_root, load_without_sources
from reconciler.settings import Settings
from reconciler.workspace import open_workspace

Source = Annotated[str, click.argument("source", metavar="FROM", shell_complete=environment_names)]
Target = Annotated[str, click.argument("target", metavar="TO", shell_complete=environment_names)]


def verifications(
    settings: Settings, source: str, stop: StopSignal, shown: CommandConsole
) -> Sequence[Verification] | None:
    """Return what is verified in an environment; None if its state is not here, or unreadable (a warning)."""
    if source not in environments(find_root(settings.directory)):
        return None  # the caller reports it
    try:
        with open_workspace(settings, source, stop, shown.progress, read=load_without_sources) as space:
            reader = space.store.reader()
            return reader.verifications().verifications if reader.head() else None
    except (StorageError, ConfigurationError, AuthenticationError) as error:
        click.echo(f"Warning: the verifications of {source} can't be read: {error.problem}", err=True)
        return None
