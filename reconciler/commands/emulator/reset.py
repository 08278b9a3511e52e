"""`emulator reset`: empty, with its accounts, credentials and time."""

import click

from reconciler.commands.support.emulators import EmulatorOptions, open_emulator
from reconciler.commands.support.options import with_options
from reconciler.disk.private_dir import WORK_DIR
from reconciler.emulation import EMULATOR


@click.command(name="reset")
@with_options(EmulatorOptions)
def command(options: EmulatorOptions) -> None:
    """Delete all segments, members, faults and history. Keep accounts, credentials and the time."""
    environment = options.environment
    with open_emulator(environment, options.common) as emulator:
        emulator.reset()
    click.echo(f"{environment}: the emulator is empty; a state that knows its segments will miss them:")
    click.echo(f"  to start over, remove the state as well (by default {WORK_DIR}/state/{environment}),")
    click.echo(f"  and for the real time {WORK_DIR}/{EMULATOR}/{environment}.sqlite, the emulator itself")
