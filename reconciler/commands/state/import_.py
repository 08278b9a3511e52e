"""`state import`: an exported state, where there is none yet."""

from collections.abc import Callable
from dataclasses import dataclass, replace
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
from reconciler.commands.support.session import Session, open_session
from reconciler.core.audit.model import RunCommand
from reconciler.core.erasure import ErasureList, merged
from reconciler.core.members import SnapshotRef
from reconciler.core.ports import MemberEngine
from reconciler.core.state.model import StateVersion
from reconciler.operations.rewrite_snapshots import SnapshotRewriter
from reconciler.render.numbers import stamp
from reconciler.state.archive import Archive, import_archive, plain_export, unpacking
from reconciler.workspace import Workspace


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
        scratch_dir(session.space) as scratch,
        unpacking(_plain(session, options.file, scratch.folder)) as archive,
        session.space.verifier(_unpacked(archive, scratch.folder), archive.key) as verifier,
        locked(session.space, Caller.of(RunCommand.STATE_IMPORT, session.settings, options.actor)) as (
            state,
            entry,
        ),
    ):
        space, held = session.space, merged(state.erasures(), archive.erasures)
        saved = archive.state
        question = f"Import {addresses(saved)}, as of {stamp(saved.saved_at)}, into {environment}?"
        confirm(options.yes, question, space.desired.environment)
        if held != state.erasures():
            state.write_erasures(held)
        fetch = _unpacked(archive, scratch.folder)
        saved, rewritten = _without_erased(space, saved, space.engine_of(archive.key, fetch, held), held)

        def checked(snapshot: SnapshotRef) -> str:
            return rewritten.get(snapshot) or verifier.file(snapshot)

        head = import_archive(saved, archive.key, state, environment, checked, space.clock.check)
        if head != saved.head:
            entry.changed("imported", (one.address for one in saved.resources))
    if head == saved.head:
        click.echo(f"{environment}: this state is here already, at serial {head.serial}; nothing was written")
    else:
        click.echo(f"{environment}: imported {addresses(saved)}, as of {stamp(saved.saved_at)}")
    click.echo(f"  serial {head.serial}; next: `reconciler plan {environment}`")
    click.echo(f"  remove the file: {PERSONAL}", err=True)


def _plain(session: Session, file: str, folder: Path) -> Path:
    return plain_export(session.settings.directory / file, session.space.seal, folder)


def _without_erased(
    space: Workspace, saved: StateVersion, engine: MemberEngine, held: ErasureList
) -> tuple[StateVersion, dict[SnapshotRef, str]]:
    """Return the state without erased members, and the files of its new snapshots.

    Members of a pending erasure stay known: they may still be at Criteo, and `erase` removes them.
    """
    files: dict[SnapshotRef, str] = {}
    if not held or held.is_pending:
        return saved, files
    rewriter = SnapshotRewriter(engine, files.__setitem__, space.desired.environment.api.grace_period)
    return replace(saved, resources=tuple(map(rewriter.resource, saved.resources))), files


def _unpacked(archive: Archive, folder: Path) -> Callable[[SnapshotRef], str]:
    return lambda snapshot: str(archive.extract(snapshot, folder))
