"""Options that commands share, read into Settings."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.clock import Stop
from reconciler.commands.completing import address_names, environment_names
from reconciler.core.errors import ConfigurationError
from reconciler.core.model import Address
from reconciler.settings import Settings, read_settings

Function = TypeVar("Function", bound=Callable[..., Any])

DURATION = re.compile(r"^(\d+)(s|m|h|d)$")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

STARTED_IN = "reconciler.directory"


def _remember(context: click.Context, _option: click.Parameter, directory: str | None) -> str | None:
    """A context's `meta` is the one of all commands around it."""
    context.meta[STARTED_IN] = directory
    return directory


ENVIRONMENT = click.argument("environment", metavar="ENV", shell_complete=environment_names)
OUTPUT = (
    click.option("-C", "directory", metavar="DIR", callback=_remember, help="Run as if started in DIR."),
    click.option("--no-color", is_flag=True, help="No colour, as with NO_COLOR=1."),
    click.option("-q", "--quiet", is_flag=True, help="Results only, no progress."),
    click.option("-v", "--verbose", is_flag=True, help="Log every call: method, path, status, never a body."),
)
SOURCES = (
    click.option(
        "--data-root", metavar="DIR", help="Read sources below DIR instead of the environment's data.root."
    ),
)
EMULATE = (
    click.option("--emulate", is_flag=True, help="Use a throw-away emulator and state instead of Criteo."),
)
ONLY = (
    click.option(
        "--only",
        multiple=True,
        metavar="ADDRESS",
        shell_complete=address_names,
        help="Only these addresses (destination/audience); may be repeated.",
    ),
)
WORLD = (*SOURCES, *EMULATE, *ONLY)
YES = click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")


class Duration(click.ParamType[float]):
    """`90s`, `30m`, `12h` or `1d`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        matched = DURATION.match(str(value))
        if matched is None:
            self.fail("write a duration like 90s, 30m, 12h or 1d", param, ctx)
        return float(int(matched[1]) * SECONDS[matched[2]])


def with_options(*groups: tuple[Callable[[Function], Function], ...]) -> Callable[[Function], Function]:
    """Adds groups of options to a command, in the order of reading."""

    def add(function: Function) -> Function:
        for option in reversed([option for group in groups for option in group]):
            function = option(function)
        return function

    return add


def settings_of(flags: dict[str, Any]) -> Settings:
    """Takes the shared flags out of a command's arguments."""
    return read_settings(
        directory=flags.get("directory"),
        data_root=flags.get("data_root"),
        emulate=flags.get("emulate", False),
        quiet=flags.get("quiet", False),
        verbose=flags.get("verbose", False),
        no_color=flags.get("no_color", False),
    )


def started_in(context: click.Context) -> Path:
    """What `-C` names, where it was read already."""
    return Path(context.meta.get(STARTED_IN) or "")


def stop_event(context_object: object) -> Stop:
    """Set by the first SIGINT or SIGTERM."""
    if not isinstance(context_object, Stop):
        raise TypeError("the command line passes the stop event")
    return context_object


@contextmanager
def answering() -> Iterator[None]:
    """While a person is asked, Ctrl-C means no; at other times it is a request to stop."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    listening = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, listening, strict=True):
            signal.signal(number, handler)


def check_can_ask(yes: bool, purpose: str) -> None:
    """UsageError where a question would have to be answered, and nobody is there."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError(f"this is not a terminal, so nobody can confirm: pass --yes {purpose}")


def confirm(yes: bool, question: str) -> None:
    """Asks unless the answer was given beforehand; no means Abort."""
    if not yes:
        with answering():
            click.confirm(question, abort=True, err=True)


def selected(only: tuple[str, ...], known: frozenset[Address]) -> frozenset[Address]:
    """The addresses meant by `--only`; all when it is not given. Unknown ones are refused."""
    if not only:
        return known
    wanted = frozenset(Address.parse(text) for text in only)
    if unknown := sorted(wanted - known):
        raise ConfigurationError(
            "one of the addresses given is not here" if len(unknown) == 1 else "addresses given are not here",
            remedy=f"addresses here: {', '.join(map(str, sorted(known)))}",
        )
    return wanted
