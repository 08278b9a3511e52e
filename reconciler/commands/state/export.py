"""`state export`: the state and its members in one file."""

from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.audited import Caller, locked
from reconciler.commands.support.carried_state import addresses, personal, scratch_dir
from reconciler.commands.support.options import (
    STANDARD_OUTPUT,
    ActorName,
    CommonOptions,
    Environment,
    with_options,
)
from reconciler.commands.support.session import open_session
from reconciler.core.audit.model import RunCommand
from reconciler.core.errors import StorageError
from reconciler.core.ports import StateReader
from reconciler.core.state.model import StateHead, StateVersion
from reconciler.state.archive import write_archive


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The environment, and the file to write."""

    environment: Environment
    actor: ActorName
    file: Annotated[str, click.argument("file", metavar="FILE")]
    common: CommonOptions


@click.command(name="export")
@with_options(ExportOptions)
@click.pass_obj
def command(stop: object, /, options: ExportOptions) -> None:
    """Write the state and its members into one zip file that only its owner can read.

    The file is sealed if the environment names a `state.snapshotKey`.

    The file is personal data, and the next apply makes it outdated. Use it to move a state to another
    backend.
    """
    environment = options.environment
    if options.file == STANDARD_OUTPUT:
        raise click.UsageError("a state is personal data: name a file; only you will be able to read it")
    with open_session(stop, environment, options.common) as session:
        space, path = session.space, session.settings.directory / options.file
        _head(space.store.reader(), environment)
        caller = Caller.of(RunCommand.STATE_EXPORT, session.settings, options.actor)
        with locked(space, caller) as (state, entry):
            head = _head(state, environment)
            saved = StateVersion(head, state.resources(), space.clock.now())
            with scratch_dir(space) as scratch, space.verifier(state.snapshot_file, state.key()) as verifier:
                write_archive(
                    path, saved, state.key(), state.erasures(), verifier.file, scratch.note, space.seal
                )
            entry.changed("exported", (one.address for one in saved.resources))
    click.echo(f"{environment}: exported serial {head.serial}, {addresses(saved)}")
    click.echo(
        f"  the file is readable by you alone; {personal(space.seal)}. Remove it once it is imported.",
        err=True,
    )


def _head(state: StateReader, environment: str) -> StateHead:
    if head := state.head():
        return head
    raise StorageError(f"{environment} has no state yet", remedy="the first apply begins it")
