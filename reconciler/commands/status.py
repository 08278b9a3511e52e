"""`status`: where every address stands by what was sent; with `--statistics` also what Criteo counts."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import click

from reconciler.commands.support.options import (
    EMULATE,
    ENVIRONMENT,
    ONLY,
    OUTPUT,
    settings_of,
    stop_event,
    with_options,
)
from reconciler.core.errors import RejectedError
from reconciler.core.model import Address
from reconciler.core.ports import SegmentReader
from reconciler.core.remote import Statistics
from reconciler.core.state.resource import ResourceState


@click.command(name="status")
@ENVIRONMENT
@click.option("--statistics", is_flag=True, help="Ask Criteo for match rates: one call per segment.")
@with_options(EMULATE, ONLY, OUTPUT)
@click.pass_obj
def command(stop: object, /, environment: str, statistics: bool, **flags: Any) -> None:
    """Show members, the last send, the next computation and the activation time of each address.

    The command reads only the state: what was sent, and what Criteo acknowledged. On request, it asks
    Criteo for each segment's match rate and compares it with the minimum match rate of 0.1%. Below the
    minimum, an audience cannot be used.
    """
    from reconciler.commands.selection import selected
    from reconciler.commands.support.planning import screen
    from reconciler.render.status import print_status, status
    from reconciler.workspace import open_workspace

    settings = settings_of(flags)
    shown = screen(settings)
    with open_workspace(settings, environment, stop_event(stop), shown.progress) as space:
        known = space.store.reader().resources()
        wanted = selected(flags["only"], space.addresses(known))
        receipts = [one for one in known if one.address in wanted]
        with shown.progress:
            counted = _statistics(space.reader_of, receipts) if statistics else None
        specs = space.desired.segments
        limits = {spec.address: spec.audience.guards.max_invalid for spec in specs}
        found = status(environment, wanted, receipts, counted, limits, space.clock.now(), shown.figures)
        print_status(found, shown.out)


def _statistics(
    reader_of: Callable[[Address], SegmentReader], receipts: Iterable[ResourceState]
) -> dict[str, Statistics]:
    """Of segments that are there; one that is gone is for `plan` to say."""
    known = {}
    for one in receipts:
        segment_id = one.current.segment_id
        if segment_id and not one.forgotten_at:
            with suppress(RejectedError):
                known[segment_id] = reader_of(one.address).statistics(one.current.key.account_id, segment_id)
    return known
