"""What `promote`, `diff` and `report` share: their arguments, and what the state of the source proves."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import click

from reconciler.clock import StopSignal
from reconciler.commands.support.completions import environment_names
from reconciler.commands.support.console import CommandConsole
from reconciler.core.errors import AuthenticationError, ConfigurationError, StorageError
from reconciler.core.model import Address, SegmentSpec
from reconciler.core.promotion.lock import Proof
from reconciler.core.promotion.proofs import KnownProofs, ProofOf, proofs_of, proved
from reconciler.core.series import earlier_proofs, months_with
from reconciler.manifests import environments, find_root, load_without_sources
from reconciler.settings import Settings
from reconciler.workspace import open_workspace

Source = Annotated[str, click.argument("source", metavar="FROM", shell_complete=environment_names)]
Target = Annotated[str, click.argument("target", metavar="TO", shell_complete=environment_names)]


def known_proofs(
    settings: Settings, source: str, proofs: Iterable[Proof], stop: StopSignal, shown: CommandConsole
) -> KnownProofs | None:
    """Return what the state of an environment proves; None if there is no state.

    Its series is searched for `proofs` only. A state that can't be read is an error, with the environment.
    """
    if source not in environments(find_root(settings.directory)):
        return None  # the caller reports it
    try:
        with open_workspace(settings, source, stop, shown.progress, read=load_without_sources) as space:
            reader = space.store.reader()
            if reader.head() is None:
                return None
            newest = proofs_of(reader.verifications().verifications)
            return KnownProofs(newest, earlier_proofs(reader.series(one) for one in months_with(proofs)))
    except StorageError as error:
        raise StorageError(
            f"the state of {source} can't be read, so it is unknown what is verified: {error.problem}",
            remedy=error.remedy or f"correct access to `state.url` of {source}, then run again",
            findings=error.findings,
        ) from None


def proofs_for_display(
    settings: Settings,
    source: str,
    specs: Iterable[SegmentSpec],
    stop: StopSignal,
    shown: CommandConsole,
) -> Mapping[Address, ProofOf]:
    """Return what is proved of each definition; of none if the state can't be read, with a warning."""
    try:
        known = known_proofs(settings, source, (), stop, shown)
    except (StorageError, ConfigurationError, AuthenticationError) as error:
        click.echo(f"Warning: {error.problem}", err=True)
        return {}
    return proved(specs, known.newest if known else {})
