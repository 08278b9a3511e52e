"""`auth login`: waits for consent and stores its refresh token."""

import sys
from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.consent import REVOKE_FIRST, ConsentOptions, Hint, hints
from reconciler.commands.support.console import CommandConsole
from reconciler.commands.support.options import Duration, answering, with_options
from reconciler.commands.support.session import open_session
from reconciler.consent_flow import ConsentedAccounts, ConsentFlow
from reconciler.core.consent.authorization_url import is_answer
from reconciler.core.credential import CredentialRole
from reconciler.core.errors import ReconcilerError
from reconciler.credentials.redirect_listener import RedirectListener, is_loopback
from reconciler.render.html.consent_page import connected_page, failed_page
from reconciler.render.numbers import counted
from reconciler.workspace import Workspace


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """The credential, and how the redirect URL returns."""

    consent: ConsentOptions
    paste: Annotated[
        bool,
        click.option("--paste", is_flag=True, help="Paste the URL even if redirectUri is on this machine."),
    ]
    timeout: Annotated[
        float,
        click.option(
            "--timeout",
            default="10m",
            show_default=True,
            type=Duration(),
            help="How long to wait for the browser at a redirectUri on this machine.",
        ),
    ]


@click.command(name="login")
@with_options(LoginOptions)
@click.pass_obj
def command(stop: object, /, options: LoginOptions) -> None:
    """Print the consent URL, wait for consent, and store the refresh token where `refreshToken` says.

    If redirectUri is on this machine (http://127.0.0.1:PORT/…), the command listens for the browser.
    Otherwise paste the whole URL that the browser ended at. It is read from the terminal without echo, or
    from standard input, and never from the command line.
    """
    consent, hint = options.consent, hints(options.consent.common)
    with open_session(stop, consent.environment, consent.common) as session:
        started = consent.start(session.space)
        started.check_place()
        if is_loopback(started.role.application.redirect_uri) and not options.paste:
            reach = _listened(started, options.timeout, session.shown, hint)
        else:
            reach = _pasted(started, hint)
        _tell(session.space, started.role, reach)


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
    """Return the pasted URL. At a terminal, a wrong one can be corrected; a pipe has one line."""
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
        click.echo(f"  the reachable accounts are unknown: {reach.why}")
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
