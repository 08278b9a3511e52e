"""Options that commands share, read into Settings."""

import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.clock import Stop
from reconciler.commands.completing import address_names, environment_names
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import Address
from reconciler.core.personal import shown_path
from reconciler.settings import Settings, read_settings

Function = TypeVar("Function", bound=Callable[..., Any])

DURATION = re.compile(r"^(\d+)(s|m|h|d)$")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_WORD = "(?:[a-z]{1,15}[0-9]{0,2}|[0-9]{1,3}[a-z]{0,2})"
ADDRESS = re.compile(rf"{_WORD}(?:-{_WORD}){{0,7}}/{_WORD}(?:-{_WORD}){{0,7}}")
"""Made of words, with few digits: what people call things, and what neither secrets nor ids look like."""
MOST = 10
"""Addresses that are listed."""

STARTED_IN = "reconciler.directory"


def _remember(context: click.Context, _option: click.Parameter, directory: str | None) -> str | None:
    """A context's `meta` is the one of all commands around it."""
    context.meta[STARTED_IN] = directory
    return directory


STANDARD_OUTPUT = "-"
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
    texts = {text: Address.parse(text) for text in only}
    unknown = [text for text, address in texts.items() if address not in known]
    if unknown:
        raise _not_here(unknown, sorted(map(str, known)))
    return frozenset(texts.values())


def _not_here(unknown: Sequence[str], known: Sequence[str]) -> ConfigurationError:
    told = [_unlike(text, known) for text in unknown]
    here = f"addresses here: {', '.join(known[:MOST])}" if known else "there are no addresses here"
    here += f" and {len(known) - MOST} more" if len(known) > MOST else ""
    if len(told) > 1:
        return ConfigurationError(f"{len(told)} addresses given are not here", remedy=here, findings=told)
    first = told[0].remedy
    return ConfigurationError(told[0].problem, remedy=f"{first}{_between(first)}{here}")


def _between(remedy: str) -> str:
    return "; " if remedy and not remedy.endswith("?") else " " if remedy else ""


def _unlike(text: str, known: Sequence[str]) -> Finding:
    """What was typed is repeated only if it can be nothing but an address: see `REPEATABLE` in `cli`."""
    from reconciler.manifests.wording import nearest

    if "/" not in text:
        ends = [one for one in known if nearest(text, one.split("/"))]
        meant = f": did you mean {' or '.join(ends[:3])}?" if ends else ""
        problem = "an address given has no `/`"
        return Finding("", problem, f"write DESTINATION/AUDIENCE{meant}")
    repeated = ADDRESS.fullmatch(text) and shown_path(text) == text
    problem = f"there is no address {text}" if repeated else "an address given is not here"
    near = nearest(text, known)
    return Finding("", problem, f"did you mean {near}?" if near else "")
