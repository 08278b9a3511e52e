"""`explain`: why one address changes, and which rows are dropped and why. Counts only, never values."""

from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.completions import address_names
from reconciler.commands.support.options import (
    AsJson,
    CommonOptions,
    DataRoot,
    Emulate,
    Environment,
    stop_event,
    with_options,
)


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """Which address, and from where it is read."""

    environment: Environment
    address: Annotated[str, click.argument("address", metavar="ADDRESS", shell_complete=address_names)]
    as_json: AsJson
    data_root: DataRoot
    emulate: Emulate
    common: CommonOptions


@click.command(name="explain")
@with_options(ExplainOptions)
@click.pass_obj
def command(stop: object, /, options: ExplainOptions) -> None:
    """Show why an address (destination/audience) changes, and which rows are dropped and why.

    The command reads what `plan` reads, for one address. It shows counts by reason, never a value.
    """
    from reconciler.commands.support.console import screen
    from reconciler.commands.support.json_output import json_output
    from reconciler.commands.support.planning import make_plan
    from reconciler.commands.support.selection import single
    from reconciler.core.errors import ConfigurationError
    from reconciler.render.json.explain import explanation_values
    from reconciler.render.json.values import DocumentKind
    from reconciler.render.terminal.explain import explanation, print_explanation
    from reconciler.workspace import open_workspace

    environment = options.environment
    settings = options.common.settings(data_root=options.data_root, emulate=options.emulate)
    shown = screen(settings)
    with (
        json_output(DocumentKind.EXPLAIN, wanted=options.as_json) as page,
        open_workspace(settings, environment, stop_event(stop), shown.progress) as space,
    ):
        wanted = single(options.address, (one.address for one in space.desired.segments))
        with shown.progress:
            planned = make_plan(space, space.store.reader(), (wanted,), shown.progress)
        spec = next((one for one in space.desired.segments if str(one.address) == wanted), None)
        if spec is None:
            raise ConfigurationError(
                f"{wanted} was removed from the manifests, so there are no rows to explain",
                remedy=f"`reconciler plan {environment}` says what becomes of it",
            )
        if wrong := planned.observed.unread.get(spec.address):
            raise ConfigurationError(f"{wanted}: its sources can't be read", findings=wrong)
        target, lists = planned.observed.targets[spec.address], planned.observed.lists.get(spec.address, ())
        if options.as_json:
            page.content = explanation_values(environment, spec, target, planned.plan, lists, shown.figures)
        else:
            document, now = planned.document(space, shown.figures), planned.observed.now
            print_explanation(explanation(spec, target, document, now, shown.figures, lists), shown.out)
