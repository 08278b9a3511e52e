"""`state`: care of what is known; shows and breaks its lock."""

from typing import Any

import click

from reconciler.commands.options import OUTPUT, settings_of, stop_event, with_options
from reconciler.commands.planning import screen
from reconciler.manifests import load_without_sources
from reconciler.wiring import workspace


@click.group(name="state")
def command() -> None:
    """Care of an environment's state: who is writing it.

    \b
      reconciler state lock list production           who holds it, since when, until when
      reconciler state lock break production --id ID  after a run that is gone for good
    """


@command.group()
def lock() -> None:
    """The lock that lets one run at a time write an environment's state."""


@lock.command(name="list")
@click.argument("environment", metavar="ENV")
@with_options(OUTPUT)
@click.pass_obj
def list_locks(stop: object, /, environment: str, **flags: Any) -> None:
    """Name the run that holds the lock: who, where, what, since when, until when."""
    settings = settings_of(flags)
    with workspace(
        settings, environment, stop_event(stop), screen(settings).progress, read=load_without_sources
    ) as space:
        holder = space.store.holder()
    click.echo(f"{environment}: held by {holder.told}" if holder else f"{environment}: nobody holds the lock")


@lock.command(name="break")
@click.argument("environment", metavar="ENV")
@click.option("--id", "holder_id", required=True, metavar="ID", help="As `state lock list` names it.")
@with_options(OUTPUT)
@click.pass_obj
def break_lock(stop: object, /, environment: str, holder_id: str, **flags: Any) -> None:
    """Take the lock from a run that is gone for good, before it ends by itself.

    The next run still waits as long as a request of the old one may be under way. If that run is alive
    after all, it notices at its next write and stops; nothing that it wrote is lost.
    """
    settings = settings_of(flags)
    with workspace(
        settings, environment, stop_event(stop), screen(settings).progress, read=load_without_sources
    ) as space:
        space.store.break_lock(holder_id)
    click.echo(f"{environment}: the lock is broken; the next run waits until nothing can be under way")
