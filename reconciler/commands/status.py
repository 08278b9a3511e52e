"""`status`: shows every address by acknowledged members; with `--statistics`, also Criteo's counts."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.options import (
    AsJson,
    CommonOptions,
    Emulate,
    Environment,
    Only,
    stop_event,
    with_options,
)
from reconciler.core.errors import RejectedError, StorageError
from reconciler.core.model import Address
from reconciler.core.ports import SegmentReader
from reconciler.core.remote import Statistics
from reconciler.core.series import newest_months, recent_sizes, runs_of
from reconciler.core.state.resource import ResourceState
from reconciler.core.verification import kept_verifications

MONTHS = 2
"""Months whose points are read."""


@dataclass(frozen=True, slots=True)
class StatusOptions:
    """The addresses, and whether to request statistics."""

    environment: Environment
    statistics: Annotated[
        bool,
        click.option("--statistics", is_flag=True, help="Ask Criteo for match rates: one call per segment."),
    ]
    as_json: AsJson
    emulate: Emulate
    only: Only
    common: CommonOptions


@click.command(name="status")
@with_options(StatusOptions)
@click.pass_obj
def command(stop: object, /, options: StatusOptions) -> None:
    """Show members, the last send, the next computation and the activation time of each address.

    The command reads only the state: what was sent, and what Criteo acknowledged. On request, it asks
    Criteo for each segment's match rate and compares it with the minimum match rate of 0.1%. Below the
    minimum, an audience cannot be used. On a terminal with 100 columns, the size after each of the last
    runs is drawn.
    """
    from reconciler.commands.support.console import screen
    from reconciler.commands.support.json_output import json_output
    from reconciler.commands.support.selection import selected
    from reconciler.render.json.status import status_values
    from reconciler.render.json.values import DocumentKind
    from reconciler.render.terminal.sparkline import MOST, has_room, with_trends
    from reconciler.render.terminal.status import print_status, status
    from reconciler.workspace import open_workspace

    environment = options.environment
    settings = options.common.settings(emulate=options.emulate)
    shown = screen(settings)
    with (
        json_output(DocumentKind.STATUS, wanted=options.as_json) as page,
        open_workspace(settings, environment, stop_event(stop), shown.progress) as space,
    ):
        reader = space.store.reader()
        known = reader.resources()
        wanted = selected(options.only, space.addresses(known))
        resources = [one for one in known if one.address in wanted]
        with shown.progress:
            statistics = _statistics(space.reader_of, resources) if options.statistics else None
        limits = {spec.address: spec.guards.max_invalid for spec in space.desired.segments}
        paused = {spec.address for spec in space.desired.segments if spec.audience.paused}
        verified = kept_verifications(reader.verifications(), space.desired.segments)
        now, figures = space.clock.now(), shown.figures
        if options.as_json:
            page.content = status_values(
                environment, wanted, resources, statistics, limits, verified, now, figures, paused
            )
        else:
            found = status(environment, wanted, resources, statistics, limits, verified, now, figures, paused)
            if has_room(shown.out):
                with suppress(StorageError):  # only the trends are missing then
                    runs = runs_of(reader.series(month) for month in newest_months(now, MONTHS))
                    found = with_trends(found, recent_sizes(runs, MOST), figures)
            print_status(found, shown.out)


def _statistics(
    reader_of: Callable[[Address], SegmentReader], resources: Iterable[ResourceState]
) -> dict[str, Statistics]:
    """Return the statistics of existing segments. `plan` reports the missing ones."""
    known = {}
    for one in resources:
        segment_id = one.current.segment_id
        if segment_id and not one.forgotten_at:
            with suppress(RejectedError):
                known[segment_id] = reader_of(one.address).statistics(one.current.key.account_id, segment_id)
    return known
