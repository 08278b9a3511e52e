"""`state restore`, `state export`, `state import`: back in time, and to another place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from reconciler.commands.support.options import (
    ENVIRONMENT,
    OUTPUT,
    YES,
    check_can_ask,
    confirm,
    settings_of,
    stop_event,
    with_options,
)
from reconciler.commands.support.planning import CommandConsole, screen
from reconciler.core.errors import LockedError, StorageError
from reconciler.core.members import SnapshotRef
from reconciler.core.ports import StateVersion
from reconciler.disk.scratch_dir import ScratchDir
from reconciler.manifests import load_without_sources
from reconciler.operations.restore_state import RestoreResult, restore_to
from reconciler.render.numbers import counted, stamp
from reconciler.settings import Settings
from reconciler.workspace import Workspace, open_workspace

PERSONAL = "it holds members as they were sent, and the key of the state: personal data"


@contextmanager
def opened(
    stop: object, environment: str, flags: dict[str, Any]
) -> Iterator[tuple[Workspace, Settings, CommandConsole]]:
    """An environment whose sources nobody reads."""
    settings = settings_of(flags)
    shown = screen(settings)
    asked = stop_event(stop)
    with open_workspace(settings, environment, asked, shown.progress, read=load_without_sources) as space:
        yield space, settings, shown


@click.command(name="restore")
@ENVIRONMENT
@click.option("--serial", type=int, required=True, help="The serial to return to, from `state history`.")
@YES
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Skip unreadable files; members known only there stay at Criteo.",
)
@with_options(OUTPUT)
@click.pass_obj
def restore(
    stop: object, /, environment: str, serial: int, yes: bool, accept_loss: bool, **flags: Any
) -> None:
    """Return to an earlier state version, when the current state is corrupt or wrong.

    The command changes nothing at Criteo. Members that a later version contained become uncertain: the
    next apply sends the wanted ones again and removes the others.
    """
    check_can_ask(yes, "to go back")
    with (
        opened(stop, environment, flags) as (space, settings, shown),
        space.store.lock(settings.who) as state,
    ):
        kept = state.version(serial)
        confirm(yes, _question(environment, kept))
        space.clock.check()
        engine, quiet = space.engine(state), space.desired.environment.api.grace_period
        with shown.progress:
            done = restore_to(serial, state, engine, quiet, accept_loss=accept_loss)
    _tell(environment, serial, done)


def _question(environment: str, kept: StateVersion) -> str:
    return (
        f"Take the state of {environment} back to serial {kept.head.serial}, as it was until"
        f" {stamp(kept.saved_at)} ({_addresses(kept)})?"
    )


def _tell(environment: str, serial: int, done: RestoreResult) -> None:
    for address in done.set_aside:
        click.echo(f"{address}: its receipt can't be read; it is set aside in `history`", err=True)
    if done.lost:
        lost = counted(done.lost, "snapshot")
        click.echo(f"{lost} can't be read: who was only there is not known any more", err=True)
    if not done.changed:
        click.echo(f"{environment}: nothing is known otherwise since serial {serial}; nothing was written")
        return
    changed = counted(len(done.changed), "address", "addresses")
    click.echo(f"{environment}: back to serial {serial}; what came after it is in doubt: {changed}")
    click.echo(f"  next: `reconciler plan {environment}` shows who is sent once more, and who is removed")


@click.command(name="export")
@ENVIRONMENT
@click.argument("file", metavar="FILE")
@with_options(OUTPUT)
@click.pass_obj
def export(stop: object, /, environment: str, file: str, **flags: Any) -> None:
    """Write the state and its members into one zip file that only its owner can read.

    The file is personal data, and the next apply makes it outdated. Use it to move a state to another
    backend.
    """
    from reconciler.state.archive import write_archive

    if file == "-":
        raise click.UsageError("a state is personal data: name a file, which nobody else can read")
    with opened(stop, environment, flags) as (space, settings, _):
        if holder := space.store.holder():
            problem = f"{environment}: a run is writing the state: {holder.description}"
            raise LockedError(problem, remedy="wait for it to end")
        state = space.store.reader()
        head = state.head()
        if head is None:
            raise StorageError(f"{environment} has no state yet", remedy="the first apply begins it")
        saved = StateVersion(head, state.resources(), space.clock.now())
        with _scratch(space) as scratch, space.verifier(state.snapshot_file, state.key()) as verifier:
            write_archive(settings.directory / file, saved, state.key(), verifier.file, scratch.note)
    click.echo(f"{environment}: exported serial {head.serial}, {_addresses(saved)}")
    click.echo(f"  the file is readable by you alone; {PERSONAL}. Remove it once it is imported.", err=True)


@click.command(name="import")
@ENVIRONMENT
@click.argument("file", metavar="FILE")
@with_options(OUTPUT)
@click.pass_obj
def import_(stop: object, /, environment: str, file: str, **flags: Any) -> None:
    """Import a state that `state export` wrote into an environment without a state.

    Afterwards only this backend is kept up to date: stop every job that uses the old one. The file does
    not contain secrets stored as `state:NAME`, nor the versions in `state history`.
    """
    from reconciler.state.archive import Archive, import_archive, unpacking

    def unpacked(archive: Archive, folder: Path) -> Callable[[SnapshotRef], str]:
        return lambda snapshot: str(archive.extract(snapshot, folder))

    with (
        opened(stop, environment, flags) as (space, settings, _),
        unpacking(settings.directory / file) as archive,
        _scratch(space) as scratch,
        space.verifier(unpacked(archive, scratch.folder), archive.key) as verifier,
        space.store.lock(settings.who) as state,
    ):
        saved = archive.state
        head = import_archive(archive, state, environment, verifier.file, space.clock.check)
    if head == saved.head:
        click.echo(f"{environment}: this state is here already, at serial {head.serial}; nothing was written")
    else:
        click.echo(f"{environment}: imported {_addresses(saved)}, as of {stamp(saved.saved_at)}")
    click.echo(f"  serial {head.serial}; next: `reconciler plan {environment}`")
    click.echo(f"  remove the file: {PERSONAL}", err=True)


@contextmanager
def _scratch(space: Workspace) -> Iterator[ScratchDir]:
    scratch = ScratchDir(space.cache())
    try:
        yield scratch
    finally:
        scratch.remove()


def _addresses(saved: StateVersion) -> str:
    return counted(len(saved.resources), "address", "addresses")
