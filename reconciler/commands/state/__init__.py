"""`state`: care of what is known: shows, keeps, makes anew and carries it; shows and breaks its lock."""

import json
from typing import Any

import click

from reconciler.commands.carrying import export, import_, opened, restore
from reconciler.commands.state.rebuild import rebuild
from reconciler.commands.support.options import ENVIRONMENT, OUTPUT, with_options


@click.group(name="state")
@with_options(OUTPUT)
def command(**_: Any) -> None:
    """Show, restore, rebuild and move an environment's state; see and break its lock.

    \b
      reconciler state show production                  addresses, sizes, what is in doubt
      reconciler state history production               the states that are kept
      reconciler state restore production --serial 41   go back to one of them
      reconciler state rebuild production               where none is left: what Criteo has, and ways to go on
      reconciler state export production FILE           carry it to another place,
      reconciler state import production FILE           where there is none yet
      reconciler state lock list production             who holds it, since when, until when
      reconciler state lock break production --id ID    after a run that is gone for good
    """


@command.command(name="show")
@ENVIRONMENT
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_options(OUTPUT)
@click.pass_obj
def show(stop: object, /, environment: str, as_json: bool, **flags: Any) -> None:
    """Tell what is known: serial, lineage, and each address with its size and what is in doubt."""
    from reconciler.render.state import print_state, state_json

    with opened(stop, environment, flags) as (space, _, shown):
        state = space.store.reader()
        head, receipts = state.head(), state.resources()
        if as_json:
            click.echo(json.dumps(state_json(environment, head, receipts, shown.figures), indent=2))
        else:
            print_state(environment, head, receipts, shown.figures, shown.out)


@command.command(name="history")
@ENVIRONMENT
@with_options(OUTPUT)
@click.pass_obj
def history(stop: object, /, environment: str, **flags: Any) -> None:
    """List the states that can be gone back to; each run that writes keeps the one before it."""
    from reconciler.render.state import print_history

    with opened(stop, environment, flags) as (space, _, shown):
        print_history(environment, space.store.reader().versions(), shown.out)


for one in (restore, rebuild, export, import_):
    command.add_command(one)


@command.group()
@with_options(OUTPUT)
def lock(**_: Any) -> None:
    """The lock that lets one run at a time write an environment's state."""


@lock.command(name="list")
@ENVIRONMENT
@with_options(OUTPUT)
@click.pass_obj
def list_locks(stop: object, /, environment: str, **flags: Any) -> None:
    """Name the run that holds the lock: who, where, what, since when, until when."""
    with opened(stop, environment, flags) as (space, _, _shown):
        holder = space.store.holder()
    click.echo(
        f"{environment}: held by {holder.description}" if holder else f"{environment}: nobody holds the lock"
    )


@lock.command(name="break")
@ENVIRONMENT
@click.option("--id", "holder_id", required=True, metavar="ID", help="As `state lock list` names it.")
@with_options(OUTPUT)
@click.pass_obj
def break_lock(stop: object, /, environment: str, holder_id: str, **flags: Any) -> None:
    """Take the lock from a run that is gone for good, before it ends by itself.

    The next run still waits as long as a request of the old one may be under way. If that run is alive
    after all, it notices at its next write and stops; nothing that it wrote is lost.
    """
    with opened(stop, environment, flags) as (space, _, _shown):
        space.store.break_lock(holder_id)
    click.echo(f"{environment}: the lock is broken; the next run waits until nothing can be under way")
