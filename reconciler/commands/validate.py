"""`validate`: everything that can be found wrong without Criteo."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import click

from reconciler.clock import StopSignal
from reconciler.commands.support.completions import environment_names
from reconciler.commands.support.options import AsJson, CommonOptions, DataRoot, stop_event, with_options
from reconciler.core.desired_state import DesiredState
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.overridden import beyond_limit
from reconciler.manifests import environments, find_root, load_offline, shared_states
from reconciler.members.queries.databases import Databases
from reconciler.settings import Settings


@dataclass(frozen=True, slots=True)
class ValidateOptions:
    """Which environments; all without any."""

    names: Annotated[
        tuple[str, ...],
        click.argument("names", nargs=-1, metavar="[ENV]...", shell_complete=environment_names),
    ]
    online: Annotated[
        bool,
        click.option(
            "--online", is_flag=True, help="Also ask databases for the columns of each query; reads no row."
        ),
    ]
    as_json: AsJson
    data_root: DataRoot
    common: CommonOptions


@click.command(name="validate")
@with_options(ValidateOptions)
@click.pass_obj
def command(stop: object, /, options: ValidateOptions) -> None:
    """Check manifests: schema, references, names, guards, sources, columns, `where`, queries.

    No service is asked without --online, and Criteo never. Without ENV, check all environments. The command
    reports all problems at once, as file:line:column, each with its fix. It exits 3 if there is any problem.
    """
    from reconciler.commands.support.json_output import json_output
    from reconciler.render.json.validate import validation_values
    from reconciler.render.json.values import DocumentKind
    from reconciler.render.terminal.console import console
    from reconciler.render.terminal.validation import print_validated

    with json_output(DocumentKind.VALIDATE, wanted=options.as_json) as page:
        settings = options.common.settings(data_root=options.data_root)
        check = _online if options.online else _offline
        valid, findings = _validated(settings, options.names, stop_event(stop), check)
        page.content = validation_values(valid)
        if findings:
            count = "a problem was" if len(findings) == 1 else f"{len(findings)} problems were"
            raise ConfigurationError(f"{count} found", findings=findings)
    if not options.as_json:
        print_validated(valid, console(sys.stdout, settings.colour))


SourceCheck = Callable[[Settings, DesiredState, StopSignal], Sequence[Finding]]
"""Returns what is wrong with the sources of an environment."""


def _validated(
    settings: Settings, names: tuple[str, ...], asked: StopSignal, check: SourceCheck
) -> tuple[list[DesiredState], list[Finding]]:
    """The environments without problems, and the problems of the others."""
    today = datetime.now(UTC).date()
    root = find_root(settings.directory)
    names = names or environments(root)
    findings: list[Finding] = [*shared_states(root, names)]
    valid: list[DesiredState] = []
    for name in names:
        try:
            desired = load_offline(root, name, today=today, data_root=settings.data_root)
        except ConfigurationError as error:
            findings += error.findings or [Finding("", error.problem, error.remedy)]
            continue
        found = (*beyond_limit(desired, today), *check(settings, desired, asked))
        findings += found
        valid += [] if found else [_noted(desired)]
    return valid, findings


def _offline(settings: Settings, desired: DesiredState, asked: StopSignal) -> Sequence[Finding]:
    """Check what is on this machine. The kind of a database decides the dialect of its queries."""
    from reconciler.members.source_check import check_all

    databases = Databases({one.name: one.reading for one in desired.connections})
    return check_all(
        desired.audiences,
        desired.environment.data_root,
        datetime.now(UTC).date(),
        Path(tempfile.gettempdir()),
        asked.check,
        find_root(settings.directory),
        databases,
    )


def _online(settings: Settings, desired: DesiredState, asked: StopSignal) -> Sequence[Finding]:
    """Check the same, with the columns that databases tell."""
    from reconciler.commands.support.console import screen
    from reconciler.disk.scratch_dir import ScratchDir
    from reconciler.members.source_check import checking_databases
    from reconciler.workspace import open_workspace

    shown, name = screen(settings), desired.environment.name
    with open_workspace(settings, name, asked, shown.progress) as space:
        scratch = ScratchDir(space.cache())
        with checking_databases(space.data(), scratch, asked.check, space.databases()) as checker:
            return checker.wrong(desired.audiences, space.clock.now().date())


def _noted(desired: DesiredState) -> DesiredState:
    """Placeholders are no problem before anything is done with them."""
    notes = (f"{one.where}: {one.problem}: {one.remedy}" for one in desired.placeholders)
    return replace(desired, notes=(*desired.notes, *notes))
