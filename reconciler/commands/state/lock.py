"""`state lock`: shows the run that holds the lock, and releases the lock."""

from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.audited import Caller, logged
from reconciler.commands.support.json_output import json_output
from reconciler.commands.support.options import ActorName, AsJson, CommonOptions, Environment, with_options
from reconciler.commands.support.session import open_session
from reconciler.core.audit.model import RunCommand
from reconciler.render.json.state import lock_values
from reconciler.render.json.values import DocumentKind


@dataclass(frozen=True, slots=True)
class LockListOptions:
    """The environment."""

    environment: Environment
    as_json: AsJson
    common: CommonOptions


@dataclass(frozen=True, slots=True)
class LockBreakOptions:
    """The environment, and the lock ID."""

    environment: Environment
    lock_id: Annotated[
        str,
        click.option(
            "--id", "lock_id", required=True, metavar="ID", help="The lock ID from `state lock list`."
        ),
    ]
    actor: ActorName
    common: CommonOptions


@click.group(name="lock")
@with_options(CommonOptions)
def command(_: CommonOptions) -> None:
    """Show or release the lock that lets one run at a time write an environment's state."""


@command.command(name="list")
@with_options(LockListOptions)
@click.pass_obj
def list_locks(stop: object, /, options: LockListOptions) -> None:
    """Show the run that holds the lock: who, where, what, since when, until when."""
    environment = options.environment
    with (
        json_output(DocumentKind.STATE_LOCK, wanted=options.as_json) as page,
        open_session(stop, environment, options.common) as session,
    ):
        holder = session.space.store.holder()
        page.content = lock_values(environment, holder)
    if not options.as_json:
        status = f"held by {holder.description}" if holder else "not locked"
        click.echo(f"{environment}: {status}")


@command.command(name="break")
@with_options(LockBreakOptions)
@click.pass_obj
def break_lock(stop: object, /, options: LockBreakOptions) -> None:
    """Release the lock of a run that no longer exists, before the lock expires.

    The next run still waits as long as a request of the old run may take effect. If the old run is alive,
    it notices at its next write and stops; it loses nothing that it wrote.
    """
    environment = options.environment
    with open_session(stop, environment, options.common) as session:
        space = session.space
        caller = Caller.of(RunCommand.STATE_LOCK_BREAK, session.settings, options.actor)
        with logged(space, space.store.reader(), caller):
            space.store.break_lock(options.lock_id)
    click.echo(f"{environment}: the lock is broken; the next run waits until nothing can be under way")
