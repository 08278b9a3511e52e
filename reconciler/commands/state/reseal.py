"""`state reseal`: all snapshots under the current key."""

from dataclasses import dataclass

import click

from reconciler.commands.support.audited import Caller, locked
from reconciler.commands.support.options import ActorName, CommonOptions, Environment, with_options
from reconciler.commands.support.session import open_session
from reconciler.core.audit.model import RunCommand
from reconciler.core.errors import Finding
from reconciler.core.model import Environment as EnvironmentManifest
from reconciler.operations.reseal_snapshots import ResealResult, reseal_snapshots, worst
from reconciler.render.numbers import counted


@dataclass(frozen=True, slots=True)
class ResealOptions:
    """The environment."""

    environment: Environment
    actor: ActorName
    common: CommonOptions


@click.command(name="reseal")
@with_options(ResealOptions)
@click.pass_obj
def command(stop: object, /, options: ResealOptions) -> None:
    """Rewrite all snapshots: sealed with `state.snapshotKey`, or plain if the environment names no key.

    Earlier keys open what they sealed; afterwards they are not needed. Snapshots of saved versions and the
    keys of digests are rewritten too. An interrupted command resumes when it is run again. The command
    changes nothing at Criteo.
    """
    environment = options.environment
    with (
        open_session(stop, environment, options.common) as session,
        locked(session.space, Caller.of(RunCommand.STATE_RESEAL, session.settings, options.actor)) as (
            state,
            entry,
        ),
    ):
        shown, check = session.shown.progress, session.space.clock.check

        def progress(number: int, of: int) -> None:
            check()
            shown.doing(f"rewriting snapshots ({number} of {of})")

        with shown:
            result = reseal_snapshots(state, progress)
            shown.doing("")
        if result.rewritten:
            entry.changed("resealed", (one.address for one in state.resources()))
        _report(session.space.desired.environment, result)


def _report(environment: EnvironmentManifest, result: ResealResult) -> None:
    """Raise an error with the exit code of the worst failure, if there is one."""
    written = f"{environment.name}: {counted(result.rewritten, 'snapshot')} rewritten"
    click.echo(f"{written}, {result.unchanged} up to date: {_form(result.current)}")
    if not result.failed:
        if result.current and environment.earlier_snapshot_keys:
            click.echo("  `earlierSnapshotKeys` are not needed any more, except for exports and backups")
        return
    error = worst(result.failed)
    raise type(error)(
        f"{counted(len(result.failed), 'snapshot')} can't be rewritten, and stayed as they are",
        findings=[Finding("", one.problem, one.remedy) for one in result.failed],
    )


def _form(current: str) -> str:
    return f"sealed with key {current}" if current else "plain"
