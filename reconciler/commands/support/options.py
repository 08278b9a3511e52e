"""Options that commands share, and how a command gets all of its own as one typed object."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_type_hints

import click
from click.core import ParameterSource

from reconciler.clock import StopSignal
from reconciler.commands.support.completions import environment_names, selectable_names
from reconciler.commands.support.observed import current_telemetry, observed
from reconciler.core.audit.model import Actor, ActorSource, is_actor_name
from reconciler.core.endpoints import confirmation
from reconciler.core.model import Confirmation
from reconciler.core.model import Environment as EnvironmentManifest
from reconciler.settings import Settings, read_settings

OptionsT = TypeVar("OptionsT")
Result = TypeVar("Result")
Function = Callable[..., Any]

DURATION = re.compile(r"([0-9]{1,9})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
GIVEN = "reconciler.given"
STANDARD_OUTPUT = "-"


def with_options(kind: type[OptionsT]) -> Callable[[Callable[[OptionsT], Result]], Callable[..., Result]]:
    """Declares every option of a class, and calls the function with one object of that class.

    A field is declared by the click decorator in its annotation; a field of another such class brings all of
    that class. The order of fields is the order of help.
    """

    def add(function: Callable[[OptionsT], Result]) -> Callable[..., Result]:
        @wraps(function)
        def parsed(**values: object) -> Result:
            return observed(lambda: function(_built(kind, values)))

        for declare in reversed([*_declared(kind)]):
            declare(parsed)
        return parsed

    return add


def _declared(kind: type) -> Iterator[Callable[[Function], Function]]:
    for hint in _hints(kind).values():
        if isinstance(hint, type):
            yield from _declared(hint)
        else:
            yield from hint.__metadata__


def _built(kind: type[OptionsT], values: dict[str, object]) -> OptionsT:
    """Annotated fields hold a value; the others hold a class of options."""
    make = cast("Callable[..., OptionsT]", kind)
    return make(
        **{
            name: _built(hint, values) if isinstance(hint, type) else values[name]
            for name, hint in _hints(kind).items()
        }
    )


def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _anywhere(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """The value given before the command counts, unless one is given after it.

    A context's `meta` is the one of all commands around it.
    """
    given, name = context.meta.setdefault(GIVEN, {}), str(option.name)
    if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
        given[name] = value
    return given.get(name, value)


@dataclass(frozen=True, slots=True)
class CommonOptions:
    """Options of every command and group: they may be given before or after the command."""

    directory: Annotated[
        str | None,
        click.option("-C", "directory", callback=_anywhere, metavar="DIR", help="Run as if started in DIR."),
    ]
    no_color: Annotated[
        bool,
        click.option(
            "--no-color", callback=_anywhere, is_flag=True, help="Print plain text, as with NO_COLOR=1."
        ),
    ]
    quiet: Annotated[
        bool,
        click.option(
            "-q", "--quiet", callback=_anywhere, is_flag=True, help="Print results only, no progress."
        ),
    ]
    verbose: Annotated[
        bool,
        click.option(
            "-v",
            "--verbose",
            callback=_anywhere,
            is_flag=True,
            help="Log each call (method, path, status, never a body), each planned address and each step.",
        ),
    ]

    def settings(self, *, data_root: str | None = None, emulate: bool = False) -> Settings:
        """Return what the command line and its surroundings ask for."""
        return read_settings(
            directory=self.directory,
            data_root=data_root,
            emulate=emulate,
            quiet=self.quiet,
            verbose=self.verbose,
            no_color=self.no_color,
            telemetry=current_telemetry(),
        )


Environment = Annotated[str, click.argument("environment", metavar="ENV", shell_complete=environment_names)]
DataRoot = Annotated[
    str | None,
    click.option("--data-root", metavar="DIR", help="Read sources below DIR instead of `data.root`."),
]
Emulate = Annotated[
    bool,
    click.option("--emulate", is_flag=True, help="Use a temporary emulator and state instead of Criteo."),
]
Only = Annotated[
    tuple[str, ...],
    click.option(
        "--only",
        multiple=True,
        metavar="ADDRESS",
        shell_complete=selectable_names,
        help="Select an address, an audience or a glob ('offsite-email/*'). Repeatable.",
    ),
]
CountMembers = Annotated[
    bool,
    click.option(
        "--statistics",
        is_flag=True,
        help="Ask Criteo to count members, and plan refills of lost members: one call per segment.",
    ),
]
ReadSources = Annotated[
    bool,
    click.option(
        "--read-sources",
        is_flag=True,
        help="Read all sources, also those unchanged since the last apply.",
    ),
]
COMPUTATIONS = {"00:00Z": 0, "12:00Z": 12}
DeadlineTime = Annotated[
    str | None,
    click.option(
        "--deadline",
        type=click.Choice(tuple(COMPUTATIONS)),
        help="Complete as many segments as possible before this computation of Criteo (UTC).",
    ),
]
ActorName = Annotated[
    str | None,
    click.option(
        "--actor",
        metavar="LOGIN",
        help="Your login, for the audit log. CI states it; this grants nothing.",
    ),
]
AsJson = Annotated[bool, click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")]
Yes = Annotated[
    bool, click.option("-y", "--yes", is_flag=True, help="Skip confirmation; required without a terminal.")
]


@dataclass(frozen=True, slots=True)
class InputOptions:
    """The inputs to read."""

    data_root: DataRoot
    emulate: Emulate
    only: Only


class Duration(click.ParamType[float]):
    """`90s`, `30m`, `12h` or `1d`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        matched = DURATION.fullmatch(str(value))
        if matched is None:
            self.fail("write a duration like 90s, 30m, 12h or 1d", param, ctx)
        return float(int(matched[1]) * SECONDS[matched[2]])


def started_in(context: click.Context) -> Path:
    """Return the directory of `-C`, if it was parsed already."""
    return Path(context.meta.get(GIVEN, {}).get("directory") or "")


def actor_of(settings: Settings, named: str | None) -> Actor:
    """Return the actor of a run. UsageError if an option contradicts CI, or can be no login."""
    if named is None:
        return settings.actor
    if settings.actor.source is not ActorSource.MACHINE:
        raise click.UsageError("CI states who started this job: leave out --actor")
    if not is_actor_name(named):
        raise click.UsageError("--actor is no login: write letters, digits, dots, dashes and underscores")
    return Actor(named, ActorSource.OPTION)


def stop_event(context_object: object) -> StopSignal:
    """Set by the first SIGINT or SIGTERM."""
    if not isinstance(context_object, StopSignal):
        raise TypeError("the command line passes the stop event")
    return context_object


@contextmanager
def answering() -> Iterator[None]:
    """Return a context for a question: Ctrl-C answers no. Elsewhere, Ctrl-C stops the run."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    listening = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, listening, strict=True):
            signal.signal(number, handler)


def check_can_ask(yes: bool, purpose: str) -> None:
    """Raise UsageError if a question would be asked without a terminal."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError(f"this is not a terminal, so you can't confirm: pass --yes {purpose}")


def confirm(yes: bool, question: str, environment: EnvironmentManifest) -> None:
    """Ask unless an option answers the question. Raises Abort without the confirmation of the environment."""
    if yes:
        return
    with answering():
        if confirmation(environment) is Confirmation.NONE:
            click.confirm(question, abort=True, err=True)
            return
        typed = click.prompt(
            f"{question} Type {environment.name} to confirm", "", show_default=False, err=True
        )
    if typed.strip() != environment.name:
        click.echo(f"{environment.name} was not typed: nothing was written", err=True)
        raise click.Abort
