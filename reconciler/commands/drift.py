"""`drift`: what was changed at Criteo since the last apply. It has no way to write, and changes nothing."""

from dataclasses import dataclass

import click

from reconciler.commands.support.annotations import annotate, drifted
from reconciler.commands.support.options import (
    CommonOptions,
    Emulate,
    Environment,
    Only,
    stop_event,
    with_options,
)
from reconciler.commands.support.outputs import FormOptions, output_files
from reconciler.commands.support.selection import selected

DRIFT = 2


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """The addresses to compare, and the format."""

    environment: Environment
    forms: FormOptions
    emulate: Emulate
    only: Only
    common: CommonOptions


@click.command(name="drift")
@with_options(DriftOptions)
@click.pass_obj
def command(stop: object, /, options: DriftOptions) -> int:
    """Show what changed at Criteo outside reconciler since the last apply. Exit 2 if anything changed.

    Names and descriptions are compared exactly. For members, only numbers are compared: acknowledged
    members minus rejected ones, against Criteo's count, once a computation has included every send. Each
    count costs one call. The command changes nothing: `plan` shows what the next apply does.

    In an environment with `sample`, notes name segments that tests left behind at Criteo. These are segments
    of forgotten addresses with members, and segments with its prefix or tag that are not in its state.
    """
    from reconciler.commands.support.console import screen
    from reconciler.commands.support.notifying import notify_of_drift
    from reconciler.manifests import load_without_sources
    from reconciler.operations.detect_drift import detect
    from reconciler.operations.observe import LoadedState
    from reconciler.render.document.drift import DriftScope, drift_document
    from reconciler.render.document.model import Document, DocumentType
    from reconciler.render.document.plan import heading, without_state
    from reconciler.render.numbers import ROUNDED, NumberFormat
    from reconciler.render.terminal.plan import print_plan
    from reconciler.workspace import open_workspace

    environment = options.environment
    settings = options.common.settings(emulate=options.emulate)
    shown, asked = screen(settings), stop_event(stop)
    with (
        output_files(options.forms, settings, DocumentType.DRIFT, environment) as page,
        open_workspace(settings, environment, asked, shown.progress, read=load_without_sources) as space,
    ):
        reader = space.store.reader()
        known = LoadedState.of(reader)
        only = selected(options.only, space.addresses(known.resources))
        with shown.progress:
            found = detect(space.desired, only, space.readers(), known, space.clock, shown.progress.doing)
            shown.progress.doing("")
        if found.left_behind or any(one.untracked_segment_id for one in found.drifts):
            # Another run may have made it meanwhile.
            found = found.knowing(reader.resources())
        header = heading(DocumentType.DRIFT, space.desired.environment, found.head, found.made_at)
        limit = space.desired.environment.guards.max_missing
        looked = DriftScope(
            found.looked_at,
            found.uncounted,
            found.countable_at,
            found.unseen,
            limit,
            found.rejected,
            found.left_behind,
            frozenset(one.address for one in space.desired.segments if one.audience.paused),
        )

        def laid_out(figures: NumberFormat) -> Document:
            document = drift_document(header, found.drifts, looked, figures)
            return without_state(document, space.desired.environment) if space.reviewed else document

        page.document = laid_out(ROUNDED)
        if not options.forms.as_json:
            print_plan(laid_out(shown.figures), shown.out)
        annotate(drifted(page.document, space.desired.segments), settings.directory)
        notify_of_drift(space, settings, [one.address for one in found.drifts])
    return DRIFT if found.drifts else 0
