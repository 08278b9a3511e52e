"""`auth`: asks for consent, keeps what comes of it, and says what is held; never shows a token."""

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import click

from reconciler.commands.support.completions import credential_names
from reconciler.commands.support.options import (
    ENVIRONMENT,
    OUTPUT,
    Duration,
    answering,
    settings_of,
    stop_event,
    with_options,
)
from reconciler.commands.support.planning import CommandConsole, screen
from reconciler.consent_flow import ConsentedAccounts, ConsentFlow
from reconciler.core.consent.authorization_url import is_answer
from reconciler.core.errors import AuthenticationError, ConfigurationError, ReconcilerError
from reconciler.core.model import CredentialRole
from reconciler.credentials.redirect_listener import RedirectListener, is_loopback
from reconciler.manifests import load_without_sources
from reconciler.render.auth_status import consent_rows, print_consents
from reconciler.render.consent_pages import connected_page, failed_page
from reconciler.render.numbers import counted
from reconciler.settings import Settings
from reconciler.workspace import Workspace, open_workspace

Hint = Callable[[str], None]
PLAN = (
    click.option(
        "--plan", "planning", is_flag=True, help="Use the application under the credential's `plan:`."
    ),
)
REVOKE_FIRST = (
    "If Criteo says that access was granted already, revoke it first at https://consent.criteo.com, "
    "then open the address again."
)
PORTAL = (
    "open the app at https://developers.criteo.com, choose `Generate new URL`, and hand that address over"
)


@click.group(name="auth")
@with_options(OUTPUT)
def command(**_: Any) -> None:
    """Get consent from the owner of a Criteo account, and store the refresh token.

    \b
      reconciler auth url production criteo      print the consent URL
      reconciler auth login production criteo    finish with the URL that the browser ended at
      reconciler auth status production          show accounts and expiry
    """


@command.command(name="url")
@ENVIRONMENT
@click.argument("credential", metavar="CREDENTIAL", shell_complete=credential_names)
@with_options(PLAN, OUTPUT)
@click.pass_obj
def print_url(stop: object, /, environment: str, credential: str, planning: bool, **flags: Any) -> None:
    """Print the URL at which an owner of the Criteo account gives consent.

    The URL is valid for seven days, and several URLs can be valid at once. The account's owner returns the
    URL that the browser ended at. Pass it to `auth login` in this folder.
    """
    settings = settings_of(flags)
    shown = screen(settings)
    with _workspace(settings, environment, stop, shown) as space:
        started = _login(space, credential, planning=planning)
        paste = " --paste" if is_loopback(started.role.application.redirect_uri) else ""
        click.echo(started.address())
        _hints(flags)(
            f"Hand this address over; finish with the one that comes back: {started.again}{paste}\n"
            f"{REVOKE_FIRST}"
        )


@command.command()
@ENVIRONMENT
@click.argument("credential", metavar="CREDENTIAL", shell_complete=credential_names)
@with_options(PLAN)
@click.option("--paste", is_flag=True, help="Paste the URL even if redirectUri is on this machine.")
@click.option(
    "--timeout",
    default="10m",
    show_default=True,
    type=Duration(),
    help="How long to wait for the browser at a redirectUri on this machine.",
)
@with_options(OUTPUT)
@click.pass_obj
def login(
    stop: object,
    /,
    environment: str,
    credential: str,
    planning: bool,
    paste: bool,
    timeout: float,
    **flags: Any,
) -> None:
    """Print the consent URL, wait for consent, and store the refresh token where `refreshToken` says.

    If redirectUri is on this machine (http://127.0.0.1:PORT/…), the command listens for the browser.
    Otherwise paste the whole URL that the browser ended at. It is read from the terminal without echo, or
    from standard input, and never from the command line.
    """
    settings = settings_of(flags)
    shown = screen(settings)
    with _workspace(settings, environment, stop, shown) as space:
        started = _login(space, credential, planning=planning)
        started.check_place()
        if is_loopback(started.role.application.redirect_uri) and not paste:
            reach = _listened(started, timeout, shown, _hints(flags))
        else:
            reach = _pasted(started, _hints(flags))
        _tell(space, started.role, reach)


@command.command()
@ENVIRONMENT
@click.argument("credential", metavar="[CREDENTIAL]", default="", shell_complete=credential_names)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@with_options(OUTPUT)
@click.pass_obj
def status(stop: object, /, environment: str, credential: str, as_json: bool, **flags: Any) -> int:
    """Show for each credential which accounts gave consent, how, and until when. Send nothing.

    The command exits 4 when consent is missing or expired.
    """
    settings = settings_of(flags)
    shown = screen(settings)
    with _workspace(settings, environment, stop, shown) as space:
        chosen = [one for one in space.desired.credentials if credential in {"", one.name}]
        if not chosen:
            raise _unknown(space)
        roles = [role for one in chosen for role in one.roles()]
        rows = consent_rows(environment, roles, space.access().held, space.clock.now())
    if as_json:
        click.echo(json.dumps({"format_version": 1, "credentials": [row.plain() for row in rows]}, indent=2))
    else:
        print_consents(rows, shown.out)
    return AuthenticationError.exit_code if any(row.missing for row in rows) else 0


def _workspace(
    settings: Settings, environment: str, stop: object, shown: CommandConsole
) -> AbstractContextManager[Workspace]:
    """Consent is asked for before there is any data, and perhaps where there is none."""
    return open_workspace(settings, environment, stop_event(stop), shown.progress, read=load_without_sources)


def _listened(started: ConsentFlow, seconds: float, shown: CommandConsole, hint: Hint) -> ConsentedAccounts:
    role, environment = started.role, started.environment
    with RedirectListener(role.application.redirect_uri) as callback, shown.progress:
        click.echo(started.address())
        hint(
            f"Open it in a browser on this machine; listening for {seconds / 60:g} minutes. Somebody else's"
            f" browser? End this with Ctrl-C, and paste what they come back with: {started.again} --paste"
        )
        arrival = callback.wait(is_answer, started.go_on(started.until(seconds)))
        try:
            reach = started.complete(arrival.address)
        except ReconcilerError as error:
            arrival.show(failed_page(error.problem))
            raise
        arrival.show(connected_page(str(role), environment))
    return reach


def _pasted(started: ConsentFlow, hint: Hint) -> ConsentedAccounts:
    """At a terminal, what is no answer of ours may be put right; from a pipe there is one line."""
    if not sys.stdin.isatty():
        with answering():
            redirected = sys.stdin.readline()
        return started.complete(redirected)
    click.echo(started.address())
    hint(f"Open this address or hand it over, unless they came back with one already. {REVOKE_FIRST}")
    while True:
        with answering():
            redirected = click.prompt("Paste the address the browser ended at", hide_input=True, err=True)
        if is_answer(redirected):
            return started.complete(redirected)
        click.echo("That isn't it: it must hold `code=…` and `state=…`. Ctrl-C ends this.", err=True)


def _tell(space: Workspace, role: CredentialRole, reach: ConsentedAccounts) -> None:
    environment = space.desired.environment
    click.echo(f"connected: {role} in {environment.name}")
    if reach.accounts is None:
        click.echo(f"  which accounts it reaches can't be told: {reach.why}")
    else:
        click.echo(f"  reaches {counted(len(reach.accounts), 'account')}: {', '.join(reach.accounts)}")
        for name, seat in environment.seats:
            if seat.account_id not in reach.accounts:
                click.echo(
                    f"  warning: not account {seat.account_id} of seat {name}: ask its administrator,"
                    " or check accountId in environment.yaml",
                    err=True,
                )
    click.echo(
        f"  until when: `reconciler auth status {environment.name}`; whether all works:"
        f" `reconciler doctor {environment.name}`"
    )


def _hints(flags: dict[str, Any]) -> Hint:
    """What to do next, on standard error; nothing with --quiet."""

    def hint(text: str) -> None:
        if not flags["quiet"]:
            click.echo(text, err=True)

    return hint


def _login(space: Workspace, credential: str, *, planning: bool) -> ConsentFlow:
    return ConsentFlow(space.access(), _role(space, credential, planning=planning), space.root)


def _role(space: Workspace, credential: str, *, planning: bool) -> CredentialRole:
    if space.emulated:
        raise ConfigurationError(
            "the emulator in this process issues its own credentials: there is nothing to consent to",
            remedy=f"serve it with `reconciler emulator serve {space.desired.environment.name}`, and write"
            " what that prints into the manifests",
        )
    found = {one.name: one for one in space.desired.credentials}.get(credential)
    if found is None:
        raise _unknown(space)
    role = found.reading if planning else found.writing
    if role.plan_application != planning:
        raise ConfigurationError("this credential has no `plan:` application", remedy="leave out --plan")
    if role.application.grant == "clientCredentials":
        raise ConfigurationError(
            "an application with the grant clientCredentials gets consent by a link from Criteo's portal, "
            "and nothing is kept here",
            remedy=f"{PORTAL}: it is good for 30 days and for one use",
        )
    return role


def _unknown(space: Workspace) -> ConfigurationError:
    names = ", ".join(one.name for one in space.desired.credentials)
    return ConfigurationError("there is no credential of that name", remedy=f"credentials here: {names}")
