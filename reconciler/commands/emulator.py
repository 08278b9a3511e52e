"""`emulator`: serves Criteo from this machine, moves its clock, makes it fail."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from reconciler.commands.support.options import (
    ENVIRONMENT,
    OUTPUT,
    Duration,
    settings_of,
    stop_event,
    with_options,
)
from reconciler.core.errors import ConfigurationError
from reconciler.core.model import DesiredState
from reconciler.core.rounding import duration as written
from reconciler.disk.atomic import replace_file
from reconciler.disk.private_dir import WORK_DIR, private_directory
from reconciler.emulator.emulator import Emulator
from reconciler.emulator.faults import ANY, KINDS, TOKEN
from reconciler.emulator.operations import BY_ID
from reconciler.emulator.pipeline import CONSENT_PATH
from reconciler.manifests import environments, find_root, load_without_sources
from reconciler.render.numbers import counted, stamp
from reconciler.workspace import EMULATOR, emulator_file, open_emulator_file, seat_accounts

LATEST = datetime(9000, 1, 1, tzinfo=UTC)


@click.group(name="emulator")
@with_options(OUTPUT)
def command(**_: Any) -> None:
    """Emulate Criteo Retail Media on this machine; switches cover what Criteo does not document.

    An environment with `api: {endpoint: emulator}` uses it without a server. These commands work on
    the same file, .reconciler/emulator/ENV.sqlite.
    """


@command.command()
@ENVIRONMENT
@click.option("--host", default="127.0.0.1", show_default=True, help="The loopback address to listen on.")
@click.option("--port", default=8399, show_default=True, help="The port; 0 picks a free port.")
@with_options(OUTPUT)
@click.pass_obj
def serve(stop: object, /, environment: str, host: str, port: int, **flags: Any) -> None:
    """Serve an environment's emulator on a loopback socket until interrupted."""
    with _opened(environment, flags) as emulator:
        issued = emulator.credentials
        replace_file(emulator.path.with_suffix(".client-id"), issued.client_id.encode())
        replace_file(emulator.path.with_suffix(".client-secret"), issued.client_secret.encode())
        try:
            with emulator.serving(host, port) as url:
                _tell(environment, url)
                stop_event(stop).wait()
        except ValueError:
            raise click.UsageError("--host takes a loopback address only, such as 127.0.0.1") from None
        except OSError as error:
            problem = f"can't serve at port {port}: {os.strerror(error.errno or errno.EIO)}"
            raise click.UsageError(problem) from None


def _tell(environment: str, url: str) -> None:
    click.echo(f"serving {environment} at {url} until interrupted; to reach it, write in the manifests")
    click.echo(f"  api: {{endpoint: {url}, consentUrl: {url}{CONSENT_PATH}}}")
    click.echo(f"  clientId: file:{WORK_DIR}/{EMULATOR}/{environment}.client-id")
    click.echo(f"  clientSecret: file:{WORK_DIR}/{EMULATOR}/{environment}.client-secret")


@command.command()
@ENVIRONMENT
@with_options(OUTPUT)
def reset(environment: str, **flags: Any) -> None:
    """Delete all segments, members, faults and history. Keep accounts, credentials and the time."""
    with _opened(environment, flags) as emulator:
        emulator.reset()
    click.echo(f"{environment}: the emulator is empty; a state that knows its segments will miss them:")
    click.echo(f"  to begin anew, remove the state as well (by default {WORK_DIR}/state/{environment}),")
    click.echo(f"  and for the real time {WORK_DIR}/{EMULATOR}/{environment}.sqlite, the emulator itself")


@command.command()
@ENVIRONMENT
@click.argument("duration", type=Duration())
@with_options(OUTPUT)
def advance(environment: str, duration: float, **flags: Any) -> None:
    """Move the emulator's clock forward; computations at 00:00 and 12:00 UTC run on the way.

    For example: reconciler emulator advance sandbox 12h
    """
    with _opened(environment, flags) as emulator:
        if emulator.now + duration > LATEST.timestamp():
            raise click.UsageError(f"DURATION leads past {LATEST.year}, where calendars end")
        emulator.advance(duration)
        now = datetime.fromtimestamp(emulator.now, UTC)
    further = written(timedelta(seconds=duration))
    click.echo(
        f"{environment}: the emulator's clock was moved {further} ahead, to {stamp(now)};"
        f" commands go by it, `:today` included, if `api.endpoint` of {environment} is `emulator`"
    )


@command.command()
@ENVIRONMENT
@click.argument("kind", type=click.Choice(KINDS))
@click.option(
    "--operation",
    default=ANY,
    show_default=True,
    type=click.Choice((ANY, TOKEN, *BY_ID)),
    metavar="ID",
    help="Criteo's operationId, `token`, or * for all.",
)
@click.option(
    "--times", default=1, show_default=True, type=click.IntRange(min=1), help="How many calls fail."
)
@click.option(
    "--after", default=0, show_default=True, type=click.IntRange(min=0), help="How many calls succeed first."
)
@click.option(
    "--for",
    "duration",
    default="1s",
    show_default=True,
    type=Duration(),
    help="How long a time-out or a late commit takes.",
)
@with_options(OUTPUT)
def fault(
    environment: str, kind: Any, operation: str, times: int, after: int, duration: float, **flags: Any
) -> None:
    """Make calls fail: 429, 500 or a time-out, before or after they take effect.

    For example: reconciler emulator fault sandbox 500-after --operation bulkCreateAudienceSegments
    """
    with _opened(environment, flags) as emulator:
        emulator.fault(kind, operation, times=times, after=after, seconds=duration)
    calls = counted(times, "call", "calls") + ("" if operation == ANY else f" of {operation}")
    spared = f", after {counted(after, 'call', 'calls')} without it" if after else ""
    click.echo(f"{environment}: {kind} is set for the next {calls}{spared}")


@command.command()
@ENVIRONMENT
@with_options(OUTPUT)
def revoke(environment: str, **flags: Any) -> None:
    """Withdraw every consent, as an account's administrator can do at Criteo."""
    with _opened(environment, flags) as emulator:
        withdrawn = emulator.revoke_consents()
    click.echo(f"{environment}: consents withdrawn: {withdrawn}; client credentials go on working")


@contextmanager
def _opened(environment: str, flags: dict[str, Any]) -> Iterator[Emulator]:
    root = find_root(settings_of(flags).directory)
    if environment not in environments(root):
        raise ConfigurationError(
            "there is no environment of that name",
            remedy=f"environments here: {', '.join(environments(root))}",
        )
    desired = load_without_sources(root, environment)
    _refuse_elsewhere(desired)
    folder: Path = private_directory(root / WORK_DIR / EMULATOR)
    with open_emulator_file(emulator_file(folder, environment)) as emulator:
        for account_id, retailers in seat_accounts(desired).items():
            emulator.ensure_account(account_id, retailers)
        yield emulator


def _refuse_elsewhere(desired: DesiredState) -> None:
    """At a socket of this machine it may be the emulator that `serve` serves."""
    name, endpoint = desired.environment.name, desired.environment.api.endpoint
    if endpoint != EMULATOR and not endpoint.startswith("http://"):
        raise ConfigurationError(
            f"{name} is no environment on the emulator: its api.endpoint is {endpoint}",
            remedy=f"name one that is, or try {name} with `plan {name} --emulate`, which needs none of this",
        )
