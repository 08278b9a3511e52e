"""`state rebuild`: from the manifests and Criteo, where the state is lost."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from reconciler.commands.carrying import opened
from reconciler.commands.selection import WILD, selected
from reconciler.commands.support.options import (
    ENVIRONMENT,
    ONLY,
    OUTPUT,
    YES,
    check_can_ask,
    confirm,
    with_options,
)
from reconciler.core.errors import ConfigurationError, StorageError
from reconciler.core.model import Address
from reconciler.core.ports import StateReader, StateWriter
from reconciler.core.state.rebuild import RebuildScan, SegmentMatch
from reconciler.core.state.resource import ResourceState
from reconciler.operations.rebuild_state import (
    assume_members,
    check_lost,
    members_in_file,
    replace_segments,
    reuse_segments,
    scan_segments,
)
from reconciler.render.numbers import NumberFormat, counted
from reconciler.render.plan_rows import drop_summary
from reconciler.render.rebuild import print_look, print_ways
from reconciler.workspace import Workspace


class AdoptionParam(click.ParamType[tuple[Address, str]]):
    """`ADDRESS=ID`."""

    name = "address=id"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Address, str]:
        address, _, segment_id = str(value).rpartition("=")
        if not address or WILD.intersection(address) or not segment_id.isdigit():
            self.fail("write DESTINATION/AUDIENCE=ID, as it is listed", param, ctx)
        return Address.parse(address), segment_id


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """Which way, of what. `takes` are segments that somebody says are ours."""

    only: tuple[str, ...]
    takes: dict[Address, str]
    reuse: bool
    anew: bool
    assumed_file: str | None

    @property
    def ways(self) -> int:
        return sum((self.reuse, self.anew, self.assumed_file is not None))

    def again(self, seen: RebuildScan) -> list[ResourceState]:
        """What is known, and is to be made anew all the same."""
        return [one for one in seen.known if self.anew and one.members_unknown_before]

    def check(self) -> None:
        if self.ways > 1:
            raise click.UsageError("give one of --reuse, --replace and --assume-members")
        self._check_assumed(len(self.only))

    def named(self, here: frozenset[Address]) -> frozenset[Address]:
        """What --only and --adopt name, of the addresses that are here."""
        selected(tuple(map(str, self.takes)), here)
        only = selected(self.only, here) if self.only else frozenset()
        self._check_assumed(len(only))
        if self.only and not self.takes.keys() <= only:
            raise click.UsageError("--adopt is about an address that --only leaves out")
        return only | self.takes.keys()

    def _check_assumed(self, count: int) -> None:
        if self.assumed_file is not None and count != 1:
            raise click.UsageError("--assume-members is for one address: name it with --only")


@click.command(name="rebuild")
@ENVIRONMENT
@click.option("--reuse", is_flag=True, help="Reuse existing segments; unknown members may remain.")
@click.option("--replace", "anew", is_flag=True, help="Replace the segments with new ones in the next apply.")
@click.option(
    "--assume-members",
    metavar="FILE",
    help="Reuse the segment of the only --only; FILE lists possible members.",
)
@click.option(
    "--adopt",
    "takes",
    type=AdoptionParam(),
    multiple=True,
    metavar="ADDRESS=ID",
    help="Adopt segment ID for ADDRESS. Repeatable.",
)
@YES
@with_options(ONLY, OUTPUT)
@click.pass_obj
def rebuild(
    stop: object,
    /,
    environment: str,
    reuse: bool,
    anew: bool,
    assume_members: str | None,
    takes: tuple[tuple[Address, str], ...],
    yes: bool,
    **flags: Any,
) -> None:
    """Rebuild a lost state: find each address's segment, and choose how to continue with it.

    Criteo never lists members, so the new state knows none. Without an option that chooses, the command
    lists the segments that it found and writes nothing. Nothing changes at Criteo before the next apply.
    """
    asked = RebuildOptions(flags["only"], _each_once(takes), reuse, anew, assume_members)
    asked.check()
    if asked.ways:
        check_can_ask(yes, "to write the state")
    with opened(stop, environment, flags) as (space, settings, shown):
        if not asked.ways:
            with shown.progress:
                seen = _look(space, space.store.reader(), asked)
            print_look(environment, seen, shown.out)
            print_ways(environment, shown.out)
            return
        with space.store.lock(settings.who) as state:
            with shown.progress:
                seen = _look(space, state, asked)
            print_look(environment, seen, shown.out)
            number = len(seen.found()) + len(asked.again(seen))
            told = counted(number, "address", "addresses")
            confirm(yes or not number, f"Write the state of {environment} anew ({told})?")
            space.clock.check()
            done = _written(space, state, seen, asked, settings.directory, shown.figures)
    _tell(environment, done)


def _each_once(takes: tuple[tuple[Address, str], ...]) -> dict[Address, str]:
    """By address. A segment is of one address, and an address goes on with one segment."""
    if any(len(set(told)) < len(takes) for told in zip(*takes, strict=True)):
        raise click.UsageError("--adopt names an address or a segment twice")
    return dict(takes)


def _look(space: Workspace, state: StateReader, asked: RebuildOptions) -> RebuildScan:
    here = frozenset(spec.address for spec in space.desired.segments)
    named, only = asked.named(here), selected(asked.only, here)
    seen = scan_segments(space.desired, only, named, asked.takes, space.readers(), state.resources())
    check_lost(seen, named, {one.address for one in asked.again(seen)})
    return seen


def _written(
    space: Workspace,
    state: StateWriter,
    seen: RebuildScan,
    asked: RebuildOptions,
    directory: Path,
    figures: NumberFormat,
) -> tuple[ResourceState, ...]:
    now, quiet = space.clock.now(), space.desired.environment.api.grace_period
    if asked.anew:
        return replace_segments(seen.found(), asked.again(seen), state, now, quiet)
    if asked.assumed_file is not None:
        return _assumed(space, state, seen, directory / asked.assumed_file, figures)
    return reuse_segments(seen.found(), state, now, quiet)


def _assumed(
    space: Workspace, state: StateWriter, seen: RebuildScan, file: Path, figures: NumberFormat
) -> tuple[ResourceState, ...]:
    [one] = _there(seen)
    where = one.spec.address
    if not file.is_file():
        raise ConfigurationError(
            f"{where}: there is no such file", remedy="give --assume-members the path of a file"
        )
    engine = space.engine_over(file.resolve().parent, state)
    target = members_in_file(file.resolve(), one.spec, engine, space.clock.now().date())
    click.echo(f"{where}: {figures.count(target.members.count)} may be held; {drop_summary(target, figures)}")
    kept, now = engine.file(target.members), space.clock.now()
    return assume_members(one, target.members, kept, state, now, space.desired.environment.api.grace_period)


def _there(seen: RebuildScan) -> tuple[SegmentMatch, ...]:
    if not (found := seen.found()):
        address = seen.sightings[0].spec.address
        problem = f"{address}: there is no segment of it that could hold anybody"
        raise StorageError(problem, remedy="`reconciler state rebuild` lists what there is")
    return found


def _tell(environment: str, done: tuple[ResourceState, ...]) -> None:
    if not done:
        click.echo(f"{environment}: nothing was written: there is nothing to go on with")
        return
    click.echo(f"{environment}: the state is made anew: {counted(len(done), 'address', 'addresses')}")
    click.echo(f"  next: `reconciler plan {environment}` shows what follows, `apply` carries it out")
