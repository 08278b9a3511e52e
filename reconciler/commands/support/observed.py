"""Runs a command inside its span, if the variables of OpenTelemetry ask for that."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import click

from reconciler.core.telemetry import SILENT, Attribute, CommandName, ErrorName, Telemetry
from reconciler.settings import telemetry_variables
from reconciler.telemetry.variables import Request, requested

Result = TypeVar("Result")
TELEMETRY = "reconciler.telemetry"
USAGE = 64
EXTRA = "it needs the extra: pip install 'criteo-reconciler[otel]'"


def current_telemetry() -> Telemetry:
    """Return the telemetry of the command that runs in this thread."""
    context = click.get_current_context(silent=True)
    found = context.meta.get(TELEMETRY) if context else None
    return found or SILENT


def observed(work: Callable[[], Result]) -> Result:
    """Do the work of a command or a group. Only a command is observed."""
    context, environ = click.get_current_context(), telemetry_variables()
    if isinstance(context.command, click.Group):
        return work()
    request = requested(environ)
    for problem in request.problems:
        _warn(f"is off: {problem}")
    telemetry = _started(request, context, environ) if request.signals else SILENT
    return work() if telemetry is SILENT else _within(telemetry, context, work)


def _within(telemetry: Telemetry, context: click.Context, work: Callable[[], Result]) -> Result:
    context.meta[TELEMETRY] = telemetry
    code = 0
    try:
        result = work()
        code = result if isinstance(result, int) else 0
    except BaseException as error:
        code = _exit_code(error)
        telemetry.note(Attribute.ERROR, ErrorName.of(error))
        raise
    finally:
        telemetry.end(code)
    return result


def _started(request: Request, context: click.Context, environ: Mapping[str, str]) -> Telemetry:
    """Return the telemetry of a command. What prevents it is a warning."""
    try:
        from reconciler.telemetry.exporters import start

        return start(request.signals, environ, _name(context), _warn)
    except ImportError:
        _warn(f"is off: {EXTRA}")
    except Exception as error:  # noqa: BLE001 - whatever a variable makes the libraries raise changes no run
        _warn(f"is off: a variable has a value that can't be used ({type(error).__name__})")
    return SILENT


def _name(context: click.Context) -> CommandName:
    """Return the name under which the command is registered, with those of its groups."""
    names = []
    while context.parent:
        names.append(context.info_name or "")
        context = context.parent
    return CommandName(" ".join(reversed(names)))


def _exit_code(error: BaseException) -> int:
    """Return the exit code that the process is about to end with."""
    from reconciler.commands.support.run import exit_code_of

    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    return USAGE if isinstance(error, click.ClickException) else exit_code_of(error)


def _warn(problem: str) -> None:
    click.echo(f"Warning: OpenTelemetry {problem}. The run is not affected.", err=True)
