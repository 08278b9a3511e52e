"""`validate`: everything that can be found wrong without Criteo."""

import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from reconciler.commands.support.completions import environment_names
from reconciler.commands.support.options import OUTPUT, SOURCES, settings_of, stop_event, with_options
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.model import DesiredState
from reconciler.manifests import environments, find_root, load_offline, shared_states


@click.command(name="validate")
@click.argument("names", nargs=-1, metavar="[ENV]...", shell_complete=environment_names)
@with_options(SOURCES, OUTPUT)
@click.pass_obj
def command(stop: object, /, names: tuple[str, ...], **flags: Any) -> None:
    """Check manifests offline: schema, references, names, guards, sources, columns, `where`.

    Without ENV, check all environments. The command reports all problems at once, as file:line:column,
    each with its fix. It exits 3 if there is any problem.
    """
    from reconciler.members.source_check import check_all
    from reconciler.render.terminal import console
    from reconciler.render.validation import print_validated

    settings, today = settings_of(flags), datetime.now(UTC).date()
    folder = Path(tempfile.gettempdir())
    root = find_root(settings.directory)
    findings: list[Finding] = [*shared_states(root, names or environments(root))]
    valid: list[DesiredState] = []
    for name in names or environments(root):
        try:
            desired = load_offline(root, name, data_root=settings.data_root)
        except ConfigurationError as error:
            findings += error.findings or [Finding("", error.problem, error.remedy)]
            continue
        data_root, checked = desired.environment.data_root, stop_event(stop).check
        found = check_all(desired.audiences, data_root, today, folder, checked, root)
        findings += found
        valid += [] if found else [_noted(desired)]
    if findings:
        count = "a problem was" if len(findings) == 1 else f"{len(findings)} problems were"
        raise ConfigurationError(f"{count} found", findings=findings)
    print_validated(valid, console(sys.stdout, settings.colour))


def _noted(desired: DesiredState) -> DesiredState:
    """Placeholders are no problem before anything is done with them."""
    notes = (f"{one.where}: {one.problem}: {one.remedy}" for one in desired.placeholders)
    return replace(desired, notes=(*desired.notes, *notes))
