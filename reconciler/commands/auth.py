"""`auth`: asks for consent, keeps what comes of it, and says what is held; never shows a token."""

import json
import sys
from contextlib import AbstractContextManager
from typing import Any

import click

from reconciler.commands.options import OUTPUT, Duration, answering, settings_of, stop_event, with_options
from reconciler.commands.planning import Screen, screen
from reconciler.core.errors import AuthenticationError, ConfigurationError, ReconcilerError
from reconciler.core.model import Role
from reconciler.credentials.callback import Callback, Page, is_loopback
from reconciler.login import Login
from reconciler.manifests import load_without_sources
from reconciler.render.consents import consent_rows, print_consents
from reconciler.render.pages import connected_page, failed_page
from reconciler.settings import Settings
from reconciler.wiring import Workspace, workspace

PLAN = (click.option("--plan", "planning", is_flag=True, help="The credential's `plan:` application."),)
REVOKE_FIRST = (
    "If Criteo says that access was granted already, revoke it first at https://consent.criteo.com, "
    "then open the address again."
)
PORTAL = (
    "open the app at https://developers.criteo.com, choose `Generate new URL`, and hand that address over"
)


@click.group(name="auth")
def command() -> None:
    """Ask whoever holds the Criteo login for consent, and keep what comes of it.

    \b
      reconciler auth url production criteo      an address to hand over
      reconciler auth login production criteo    finish with the address they came back with
      reconciler auth status production          what is held, and until when
    """


@command.command(name="url")
@click.argument("environment", metavar="ENV")
@click.argument("credential", metavar="CREDENTIAL")
@with_options(PLAN, OUTPUT)
@click.pass_obj
def print_url(stop: object, /, environment: str, credential: str, planning: bool, **flags: Any) -> None:
    """Print the address at which consent is given, to hand to whoever holds the Criteo login.

    It is good for seven days, for as many as you print. They come back with the address that their browser
    ends at: finish with it here, in this folder, with `auth login`.
    """
    settings = settings_of(flags)
    shown = screen(settings)
    with _workspace(settings, environment, stop, shown) as space:
        started = _login(space, credential, planning=planning)
        click.echo(started.address())
        click.echo(
            f"Hand this address over; finish with the one that comes back: {started.again}\n{REVOKE_FIRST}",
            err=True,
        )


@command.command()
@click.argument("environment", metavar="ENV")
@click.argument("credential", metavar="CREDENTIAL")
@with_options(PLAN)
@click.option("--paste", is_flag=True, help="Paste the address even if redirectUri is on this machine.")
@click.option(
    "--timeout",
    default="10m",
    show_default=True,
    type=Duration(),
    help="How long to listen at a redirectUri on this machine.",
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
    """Print the address, wait for consent, and keep the refresh token where `refreshToken` says.

    Where redirectUri is on this machine (http://127.0.0.1:PORT/…) the browser's return is listened for.
    Otherwise paste the whole address that the browser ended at: it is read from the terminal without being
    shown, or from standard input, and never from the command line.
    """
    settings = settings_of(flags)
    shown = screen(settings)
    with _workspace(settings, environment, stop, shown) as space:
        started = _login(space, credential, planning=planning)
        started.check_place()
        if is_loopback(started.role.application.redirect_uri) and not paste:
            accounts = _listened(started, timeout, shown)
        else:
            accounts = _pasted(started)
        _tell(space, started.role, accounts)


@command.command()
@click.argument("environment", metavar="ENV")
@click.argument("credential", metavar="[CREDENTIAL]", default="")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_options(OUTPUT)
@click.pass_obj
def status(stop: object, /, environment: str, credential: str, as_json: bool, **flags: Any) -> int:
    """Show what is held for each credential: for which accounts, how it came, until when. Sends nothing.

    Exit code 4 when consent is missing or over.
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
    settings: Settings, environment: str, stop: object, shown: Screen
) -> AbstractContextManager[Workspace]:
    """Consent is asked for before there is any data, and perhaps where there is none."""
    return workspace(settings, environment, stop_event(stop), shown.progress, read=load_without_sources)


def _listened(started: Login, seconds: float, shown: Screen) -> tuple[str, ...] | None:
    results: list[tuple[str, ...] | None] = []
    failures: list[BaseException] = []

    def take(redirected: str) -> Page:
        try:
            results.append(started.complete(redirected))
        except ReconcilerError as error:
            failures.append(error)
            return Page(failed_page(error.problem), last=True)
        except BaseException as error:  # noqa: BLE001 - raised again where commands end
            failures.append(error)
            return Page(failed_page("something went wrong"), last=True)
        role = started.role
        return Page(connected_page(str(role), started.environment), last=True)

    with Callback(started.role.application.redirect_uri) as callback, shown.progress:
        click.echo(started.address())
        click.echo(f"Open this address, or hand it over: waiting for consent. {REVOKE_FIRST}", err=True)
        callback.wait(take, started.go_on(started.until(seconds)))
    for failure in failures:
        raise failure
    return results[0]


def _pasted(started: Login) -> tuple[str, ...] | None:
    if not sys.stdin.isatty():
        return started.complete(sys.stdin.readline())
    click.echo(started.address())
    click.echo(f"Open this address, or hand it over. {REVOKE_FIRST}", err=True)
    with answering():
        redirected = click.prompt("Then paste the address the browser ended at", hide_input=True, err=True)
    return started.complete(redirected)


def _tell(space: Workspace, role: Role, accounts: tuple[str, ...] | None) -> None:
    environment = space.desired.environment
    click.echo(f"connected: {role} in {environment.name}")
    if accounts is None:
        click.echo("  which accounts it reaches isn't told: the app lacks `Accounts: Read`")
    else:
        click.echo(
            f"  reaches {len(accounts)} account{'' if len(accounts) == 1 else 's'}: {', '.join(accounts)}"
        )
        for name, seat in environment.seats:
            if seat.account_id not in accounts:
                click.echo(
                    f"  but not account {seat.account_id} of seat {name}: ask its administrator", err=True
                )
    click.echo(f"  until when: `reconciler auth status {environment.name}`; whether all works: ", nl=False)
    click.echo(f"`reconciler doctor {environment.name}`")


def _login(space: Workspace, credential: str, *, planning: bool) -> Login:
    return Login(space.access(), _role(space, credential, planning=planning), space.root)


def _role(space: Workspace, credential: str, *, planning: bool) -> Role:
    if space.emulated:
        raise ConfigurationError(
            "the emulator in this process issues its own credentials: there is nothing to consent to",
            remedy="to try it, serve the emulator: `reconciler emulator serve ENV`, and write what it prints",
        )
    found = {one.name: one for one in space.desired.credentials}.get(credential)
    if found is None:
        raise _unknown(space)
    role = found.reading if planning else found.writing
    if role.planning != planning:
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
