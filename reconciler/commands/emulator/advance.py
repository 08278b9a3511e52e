"""`emulator advance`: moves its clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import click

from reconciler.commands.support.emulators import open_emulator
from reconciler.commands.support.options import CommonOptions, Duration, Environment, with_options
from reconciler.core.rounding import duration as written
from reconciler.render.numbers import stamp

LATEST = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AdvanceOptions:
    """The environment of the emulator, and the time to advance."""

    environment: Environment
    duration: Annotated[float, click.argument("duration", type=Duration())]
    common: CommonOptions


@click.command(name="advance")
@with_options(AdvanceOptions)
def command(options: AdvanceOptions) -> None:
    """Move the emulator's clock forward; computations at 00:00 and 12:00 UTC run on the way.

    For example: reconciler emulator advance sandbox 12h
    """
    environment, duration = options.environment, options.duration
    with open_emulator(environment, options.common) as emulator:
        if emulator.now + duration > LATEST.timestamp():
            raise click.UsageError(f"DURATION leads past {LATEST.year}, where calendars end")
        emulator.advance(duration)
        now = datetime.fromtimestamp(emulator.now, UTC)
    further = written(timedelta(seconds=duration))
    click.echo(
        f"{environment}: the emulator's clock was moved {further} ahead, to {stamp(now)};"
        f" commands that use this emulator go by it, `:today` included"
    )
