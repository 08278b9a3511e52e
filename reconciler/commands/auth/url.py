"""`auth url`: where consent is given."""

import click

from reconciler.commands.support.consent import REVOKE_FIRST, ConsentOptions, hints
from reconciler.commands.support.options import with_options
from reconciler.commands.support.session import open_session
from reconciler.credentials.redirect_listener import is_loopback


@click.command(name="url")
@with_options(ConsentOptions)
@click.pass_obj
def command(stop: object, /, options: ConsentOptions) -> None:
    """Print the URL at which an owner of the Criteo account gives consent.

    The URL is valid for seven days, and several URLs can be valid at once. The account's owner returns the
    URL that the browser ended at. Pass it to `auth login` in this folder.
    """
    with open_session(stop, options.environment, options.common) as session:
        started = options.start(session.space)
        paste = " --paste" if is_loopback(started.role.application.redirect_uri) else ""
        click.echo(started.address())
        hints(options.common)(
            f"Hand this address over; finish with the one that comes back: {started.again}{paste}\n"
            f"{REVOKE_FIRST}"
        )
