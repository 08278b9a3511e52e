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
    """Show, restore, rebuild and move an environment's state; manage its lock.

    \b
      reconciler state show production                  show addresses, sizes, uncertain members
      reconciler state history production               list saved versions
      reconciler state restore production --serial 41   return to a saved version
      reconciler state rebuild production               recreate a lost state from ownership tags
      reconciler state export production FILE           move the state to another backend,
      reconciler state import production FILE           which has no state yet
      reconciler state lock list production             show the holder of the lock
      reconciler state lock break production --id ID    release the lock of a run that no longer exists
    """


@command.command(name="show")
@ENVIRONMENT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@with_options(OUTPUT)
@click.pass_obj
def show(stop: object, /, environment: str, as_json: bool, **flags: Any) -> None:
    """Show the state: serial, lineage, and each address with its size and uncertain members."""
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
    """List the saved state versions. Each writing run saves the version before it."""
    from reconciler.render.state import print_history

    with opened(stop, environment, flags) as (space, _, shown):
        print_history(environment, space.store.reader().versions(), shown.out)


for one in (restore, rebuild, export, import_):
    command.add_command(one)


@command.group()
@with_options(OUTPUT)
def lock(**_: Any) -> None:
    """Show or release the lock that lets one run at a time write an environment's state."""


@lock.command(name="list")
@ENVIRONMENT
@with_options(OUTPUT)
@click.pass_obj
def list_locks(stop: object, /, environment: str, **flags: Any) -> None:
    """Show the run that holds the lock: who, where, what, since when, until when."""
    with opened(stop, environment, flags) as (space, _, _shown):
        holder = space.store.holder()
    click.echo(
        f"{environment}: held by {holder.description}" if holder else f"{environment}: nobody holds the lock"
    )


@lock.command(name="break")
@ENVIRONMENT
@click.option("--id", "holder_id", required=True, metavar="ID", help="The lock ID from `state lock list`.")
@with_options(OUTPUT)
@click.pass_obj
def break_lock(stop: object, /, environment: str, holder_id: str, **flags: Any) -> None:
    """Release the lock of a run that no longer exists, before the lock expires.

    The next run still waits as long as a request of the old run may take effect. If the old run is alive,
    it notices at its next write and stops; it loses nothing that it wrote.
    """
    with opened(stop, environment, flags) as (space, _, _shown):
        space.store.break_lock(holder_id)
    click.echo(f"{environment}: the lock is broken; the next run waits until nothing can be under way")
