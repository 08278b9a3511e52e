"""`auth`: gets a consent, stores its token, and shows what is stored, without the token."""

import click

from reconciler.commands.support.lazy_group import LazyGroup
from reconciler.commands.support.options import CommonOptions, with_options

COMMANDS = {
    "url": "Print the URL at which consent is given",
    "login": "Wait for consent, and store the refresh token",
    "status": "Show accounts and expiry",
}


@click.group(name="auth", cls=LazyGroup, package=__name__, descriptions=COMMANDS)
@with_options(CommonOptions)
def command(_: CommonOptions) -> None:
    """Get consent from the owner of a Criteo account, and store the refresh token.

    \b
      reconciler auth url production criteo      print the consent URL
      reconciler auth login production criteo    finish with the URL that the browser ended at
      reconciler auth status production          show accounts and expiry
    """
