"""Shared by `auth url`, `auth login` and `auth status`: the credential, and the next step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.completions import credential_names
from reconciler.commands.support.options import CommonOptions, Environment
from reconciler.consent_flow import ConsentFlow
from reconciler.core.credential import CredentialRole
from reconciler.core.errors import ConfigurationError
from reconciler.workspace import Workspace

Hint = Callable[[str], None]
REVOKE_FIRST = (
    "If Criteo says that access was granted already, revoke it first at https://consent.criteo.com, "
    "then open the address again."
)
PORTAL = (
    "open the app at https://developers.criteo.com, choose `Generate new URL`, and hand that address over"
)


@dataclass(frozen=True, slots=True)
class ConsentOptions:
    """The environment and the credential."""

    environment: Environment
    credential: Annotated[
        str, click.argument("credential", metavar="CREDENTIAL", shell_complete=credential_names)
    ]
    planning: Annotated[
        bool,
        click.option(
            "--plan", "planning", is_flag=True, help="Use the application under the credential's `plan:`."
        ),
    ]
    common: CommonOptions

    def start(self, space: Workspace) -> ConsentFlow:
        """Return the consent flow. ConfigurationError if the grant of the credential needs no consent."""
        role = _role(space, self.credential, planning=self.planning)
        return ConsentFlow(space.access(), role, space.root)


def hints(common: CommonOptions) -> Hint:
    """Print the next step on standard error; nothing with --quiet."""

    def hint(text: str) -> None:
        if not common.quiet:
            click.echo(text, err=True)

    return hint


def _role(space: Workspace, credential: str, *, planning: bool) -> CredentialRole:
    if space.emulated:
        raise ConfigurationError(
            "the emulator in this process issues its own credentials: there is nothing to consent to",
            remedy=f"serve it with `reconciler emulator serve {space.desired.environment.name}`, and write"
            " what that prints into the manifests",
        )
    found = {one.name: one for one in space.desired.credentials}.get(credential)
    if found is None:
        raise unknown_credential(space)
    role = found.reading if planning else found.writing
    if role.plan_application != planning:
        raise ConfigurationError("this credential has no `plan:` application", remedy="leave out --plan")
    if role.application.grant == "clientCredentials":
        raise ConfigurationError(
            "client credentials get consent by a link from Criteo's portal; nothing is stored here",
            remedy=f"{PORTAL}: it is good for 30 days and for one use",
        )
    return role


def unknown_credential(space: Workspace) -> ConfigurationError:
    names = ", ".join(one.name for one in space.desired.credentials)
    return ConfigurationError("there is no credential of that name", remedy=f"credentials here: {names}")
