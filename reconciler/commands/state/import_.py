"""`state import`: an exported state, where there is none yet."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import click

from reconciler.commands.support.audited import Caller, locked
from reconciler.commands.support.carried_state import PERSONAL, addresses, scratch_dir
from reconciler.commands.support.options import (
    ActorName,
    CommonOptions,
    Environment,
    Yes,
    check_can_ask,
    confirm,
    with_options,
)
from reconciler.commands.support.session import open_session
from reconciler.core.audit.model import RunCommand
from reconciler.core.members import SnapshotRef
from reconciler.render.numbers import stamp
from reconciler.state.archive import Archive, import_archive, unpacking


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The environment, and the file to read."""

    environment: Environment
    file: Annotated[str, click.argument("file", metavar="FILE")]
    yes: Yes
    actor: ActorName
    common: CommonOptions


@click.command(name="import")
@with_options(ImportOptions)
@click.pass_obj
def command(stop: object, /, options: ImportOptions) -> None:
    """Import a state that `state export` wrote into an environment without a state.

    Afterwards only this backend is kept up to date: stop every job that uses the old one. The file does
    not contain secrets stored as `state:NAME`, nor the versions in `state history`.
    """
    environment = options.environment
    check_can_ask(options.yes, "to import the state")
    with (
        open_session(stop, environment, options.common) as session,
        unpacking(session.settings.directory / options.file) as archive,
        scratch_dir(session.space) as scratch,
        session.space.verifier(_unpacked(archive, scratch.folder), archive.key) as verifier,
        locked(session.space, Caller.of(RunCommand.STATE_IMPORT, session.settings, options.actor)) as (
            state,
            entry,
        ),
    ):
        saved = archive.state
        question = f"Import {addresses(saved)}, as of {stamp(saved.saved_at)}, into {environment}?"
        confirm(options.yes, question, session.space.desired.environment)
        head = import_archive(archive, state, environment, verifier.file, session.space.clock.check)
        if head != saved.head:
            entry.changed("imported", (one.address for one in saved.resources))
    if head == saved.head:
        click.echo(f"{environment}: this state is here already, at serial {head.serial}; nothing was written")
    else:
        click.echo(f"{environment}: imported {addresses(saved)}, as of {stamp(saved.saved_at)}")
    click.echo(f"  serial {head.serial}; next: `reconciler plan {environment}`")
    click.echo(f"  remove the file: {PERSONAL}", err=True)


def _unpacked(archive: Archive, folder: Path) -> Callable[[SnapshotRef], str]:
    return lambda snapshot: str(archive.extract(snapshot, folder))
