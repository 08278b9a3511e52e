"""`emulator fault`: makes calls fail."""

from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.emulators import open_emulator
from reconciler.commands.support.options import CommonOptions, Duration, Environment, with_options
from reconciler.emulator.faults import ANY, KINDS, TOKEN, Kind
from reconciler.emulator.operations import BY_ID
from reconciler.render.numbers import counted

MOST = 1_000_000
"""Calls that one fault may count."""


@dataclass(frozen=True, slots=True)
class FaultOptions:
    """The calls that fail, and how."""

    environment: Environment
    kind: Annotated[Kind, click.argument("kind", type=click.Choice(KINDS))]
    operation: Annotated[
        str,
        click.option(
            "--operation",
            default=ANY,
            show_default=True,
            type=click.Choice((ANY, TOKEN, *BY_ID)),
            metavar="ID",
            help="Criteo's operationId, `token`, or * for all.",
        ),
    ]
    times: Annotated[
        int,
        click.option(
            "--times", default=1, show_default=True, type=click.IntRange(1, MOST), help="How many calls fail."
        ),
    ]
    after: Annotated[
        int,
        click.option(
            "--after",
            default=0,
            show_default=True,
            type=click.IntRange(0, MOST),
            help="How many calls succeed first.",
        ),
    ]
    duration: Annotated[
        float,
        click.option(
            "--for",
            "duration",
            default="1s",
            show_default=True,
            type=Duration(),
            help="How long a time-out or a late commit takes.",
        ),
    ]
    common: CommonOptions


@click.command(name="fault")
@with_options(FaultOptions)
def command(options: FaultOptions) -> None:
    """Make calls fail: 429, 500 or a time-out, before or after they take effect.

    For example: reconciler emulator fault sandbox 500-after --operation bulkCreateAudienceSegments
    """
    environment, operation, times, after = (
        options.environment,
        options.operation,
        options.times,
        options.after,
    )
    with open_emulator(environment, options.common) as emulator:
        emulator.fault(options.kind, operation, times=times, after=after, seconds=options.duration)
    calls = counted(times, "call", "calls") + ("" if operation == ANY else f" of {operation}")
    spared = f", after {counted(after, 'call', 'calls')} without it" if after else ""
    click.echo(f"{environment}: {options.kind} is set for the next {calls}{spared}")
