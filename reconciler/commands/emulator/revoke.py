"""`emulator revoke`: withdraws every consent."""

import click

from reconciler.commands.support.emulators import EmulatorOptions, open_emulator
from reconciler.commands.support.options import with_options


@click.command(name="revoke")
@with_options(EmulatorOptions)
def command(options: EmulatorOptions) -> None:
    """Withdraw every consent, as an account's administrator can do at Criteo."""
    environment = options.environment
    with open_emulator(environment, options.common) as emulator:
        withdrawn = emulator.revoke_consents()
    click.echo(f"{environment}: consents withdrawn: {withdrawn}; client credentials still work")
