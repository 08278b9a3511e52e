"""`auth status`: which consents are held, and until when."""

from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.completions import credential_names
from reconciler.commands.support.consent import unknown_credential
from reconciler.commands.support.json_output import json_output
from reconciler.commands.support.options import AsJson, CommonOptions, Environment, with_options
from reconciler.commands.support.session import open_session
from reconciler.core.errors import AuthenticationError
from reconciler.render.json.auth_status import consents_values
from reconciler.render.json.values import DocumentKind
from reconciler.render.terminal.auth_status import consent_rows, print_consents


@dataclass(frozen=True, slots=True)
class AuthStatusOptions:
    """The credential; all without one."""

    environment: Environment
    credential: Annotated[
        str,
        click.argument("credential", metavar="[CREDENTIAL]", default="", shell_complete=credential_names),
    ]
    as_json: AsJson
    common: CommonOptions


@click.command(name="status")
@with_options(AuthStatusOptions)
@click.pass_obj
def command(stop: object, /, options: AuthStatusOptions) -> int:
    """Show for each credential which accounts gave consent, how, and until when. Send nothing.

    The command exits 4 when consent is missing or expired.
    """
    environment = options.environment
    with (
        json_output(DocumentKind.AUTH_STATUS, wanted=options.as_json) as page,
        open_session(stop, environment, options.common) as session,
    ):
        space, shown = session.space, session.shown
        chosen = [one for one in space.desired.credentials if options.credential in {"", one.name}]
        if not chosen:
            raise unknown_credential(space)
        roles = [role for one in chosen for role in one.roles()]
        rows = consent_rows(environment, roles, space.access().held, space.clock.now())
        page.content = consents_values(environment, rows)
    if not options.as_json:
        print_consents(rows, shown.out)
    return AuthenticationError.exit_code if any(row.missing for row in rows) else 0
