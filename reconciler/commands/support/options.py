"""Options that commands share, read into Settings."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from reconciler.clock import StopSignal
from reconciler.commands.support.completions import environment_names, selectable_names
from reconciler.settings import Settings, read_settings

Function = TypeVar("Function", bound=Callable[..., Any])

DURATION = re.compile(r"^(\d+)(s|m|h|d)$")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

GIVEN = "reconciler.given"


def _anywhere(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """The value given before the command counts, unless one is given after it.

    A context's `meta` is the one of all commands around it.
    """
    given, name = context.meta.setdefault(GIVEN, {}), str(option.name)
    if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
        given[name] = value
    return given.get(name, value)


def _global(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    """An option of every command and of every group, so that it may stand before a command or after it."""
    return click.option(*names, callback=_anywhere, **attributes)


STANDARD_OUTPUT = "-"
ENVIRONMENT = click.argument("environment", metavar="ENV", shell_complete=environment_names)
OUTPUT = (
    _global("-C", "directory", metavar="DIR", help="Run as if started in DIR."),
    _global("--no-color", is_flag=True, help="Print plain text, as with NO_COLOR=1."),
    _global("-q", "--quiet", is_flag=True, help="Print results only, no progress."),
    _global("-v", "--verbose", is_flag=True, help="Log each call: method, path, status, never a body."),
)
"""They may stand before a command as well."""
SOURCES = (click.option("--data-root", metavar="DIR", help="Read sources below DIR instead of `data.root`."),)
EMULATE = (
    click.option("--emulate", is_flag=True, help="Use a temporary emulator and state instead of Criteo."),
)
ONLY = (
    click.option(
        "--only",
        multiple=True,
        metavar="ADDRESS",
        shell_complete=selectable_names,
        help="Select an address, an audience or a glob ('offsite-email/*'). Repeatable.",
    ),
)
COUNTS = (
    click.option(
        "--statistics",
        is_flag=True,
        help="Ask Criteo to count members, and plan refills of lost members: one call per segment.",
    ),
)
BASE = (
    click.option(
        "--base",
        metavar="REVISION",
        help="Exit 5 if a blocked address changed since this Git revision; warn about others.",
    ),
)
INPUT_OPTIONS = (*SOURCES, *EMULATE, *ONLY)
YES = click.option("-y", "--yes", is_flag=True, help="Skip confirmation; required without a terminal.")


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
    return Path(context.meta.get(GIVEN, {}).get("directory") or "")


def stop_event(context_object: object) -> StopSignal:
    """Set by the first SIGINT or SIGTERM."""
    if not isinstance(context_object, StopSignal):
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
