"""`state restore`: back to an earlier version."""

from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.audited import Caller, locked
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
from reconciler.core.state.model import StateVersion
from reconciler.operations.restore_state import RestoreResult, restore_to
from reconciler.render.numbers import counted, stamp


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """Which version, and whether it may be incomplete."""

    environment: Environment
    serial: Annotated[
        int,
        click.option(
            "--serial", type=int, required=True, help="The serial to return to, from `state history`."
        ),
    ]
    yes: Yes
    actor: ActorName
    accept_loss: Annotated[
        bool,
        click.option(
            "--accept-loss",
            is_flag=True,
            help="Skip unreadable files; members known only there stay at Criteo.",
        ),
    ]
    common: CommonOptions


@click.command(name="restore")
@with_options(RestoreOptions)
@click.pass_obj
def command(stop: object, /, options: RestoreOptions) -> None:
    """Return to an earlier state version, when the current state is corrupt or wrong.

    The command changes nothing at Criteo. Members that a later version contained become uncertain: the
    next apply sends the wanted ones again and removes the others.
    """
    environment, serial = options.environment, options.serial
    check_can_ask(options.yes, "to go back")
    with (
        open_session(stop, environment, options.common) as session,
        locked(session.space, Caller.of(RunCommand.STATE_RESTORE, session.settings, options.actor)) as (
            state,
            entry,
        ),
    ):
        space, kept = session.space, state.version(serial)
        confirm(options.yes, _question(environment, kept), space.desired.environment)
        space.clock.check()
        engine, grace = space.engine(state), space.desired.environment.api.grace_period
        with session.shown.progress:
            done = restore_to(serial, state, engine, grace, accept_loss=options.accept_loss)
        entry.changed("restored", (one.address for one in done.changed))
    _tell(environment, serial, done)


def _question(environment: str, kept: StateVersion) -> str:
    return (
        f"Take the state of {environment} back to serial {kept.head.serial}, as it was until"
        f" {stamp(kept.saved_at)} ({counted(len(kept.resources), 'address', 'addresses')})?"
    )


def _tell(environment: str, serial: int, done: RestoreResult) -> None:
    for address in done.set_aside:
        click.echo(f"{address}: its resource state can't be read; it is set aside in `history`", err=True)
    if done.lost:
        lost = counted(done.lost, "snapshot")
        click.echo(f"{lost} can't be read: members known only there are lost", err=True)
    if not done.changed:
        click.echo(f"{environment}: nothing is known otherwise since serial {serial}; nothing was written")
        return
    changed = counted(len(done.changed), "address", "addresses")
    click.echo(f"{environment}: back to serial {serial}; addresses with uncertain members: {changed}")
    click.echo(f"  next: `reconciler plan {environment}` shows the members that are sent again and removed")
