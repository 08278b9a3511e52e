"""`emulator`: serves Criteo from this machine, moves its clock, makes it fail."""

import click

from reconciler.commands.support.lazy_group import LazyGroup
from reconciler.commands.support.options import CommonOptions, with_options

COMMANDS = {
    "serve": "Serve the emulator on a loopback socket",
    "advance": "Move its clock forward",
    "fault": "Make calls fail",
    "revoke": "Withdraw every consent",
    "reset": "Delete segments, members, faults and history",
}


@click.group(name="emulator", cls=LazyGroup, package=__name__, descriptions=COMMANDS)
@with_options(CommonOptions)
def command(_: CommonOptions) -> None:
    """Emulate Criteo Retail Media on this machine; switches cover what Criteo does not document.

    An environment with `api: {endpoint: emulator}` uses it without a server. These commands work on
    the same file, .reconciler/emulator/ENV.sqlite.
    """
