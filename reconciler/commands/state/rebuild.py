"""`state rebuild`: from the manifests and Criteo, where the state is lost."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import click

from reconciler.commands.support.audited import Caller, locked
from reconciler.commands.support.options import (
    ActorName,
    CommonOptions,
    Environment,
    Only,
    Yes,
    check_can_ask,
    confirm,
    with_options,
)
from reconciler.commands.support.selection import WILD, selected
from reconciler.commands.support.session import Session, open_session
from reconciler.core.audit.model import RunCommand
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
from reconciler.render.document.plan_rows import drop_summary
from reconciler.render.document.statement_text import statement_text
from reconciler.render.numbers import NumberFormat, counted
from reconciler.render.terminal.rebuild import print_look, print_ways
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
    """The way to rebuild, and the addresses. `adoptions` are segments that the user assigned to addresses."""

    environment: Environment
    reuse: Annotated[
        bool,
        click.option(
            "--reuse",
            is_flag=True,
            help="Reuse existing segments; unknown members may remain.",
        ),
    ]
    replace: Annotated[
        bool,
        click.option("--replace", is_flag=True, help="Replace the segments with new ones in the next apply."),
    ]
    assume_members: Annotated[
        str | None,
        click.option(
            "--assume-members",
            metavar="FILE",
            help="Reuse the segment of the only --only; FILE lists possible members.",
        ),
    ]
    adoptions: Annotated[
        tuple[tuple[Address, str], ...],
        click.option(
            "--adopt",
            "adoptions",
            type=AdoptionParam(),
            multiple=True,
            metavar="ADDRESS=ID",
            help="Adopt segment ID for ADDRESS. Repeatable.",
        ),
    ]
    yes: Yes
    actor: ActorName
    only: Only
    common: CommonOptions

    @property
    def ways(self) -> int:
        """Return how many ways are chosen: with none, nothing is written."""
        return sum((self.reuse, self.replace, self.assume_members is not None))

    @property
    def adopted(self) -> dict[Address, str]:
        """Return the segment of each address that adopts one."""
        return dict(self.adoptions)

    def again(self, seen: RebuildScan) -> list[ResourceState]:
        """Return what is known, and is rebuilt all the same."""
        return [one for one in seen.known if self.replace and one.members_unknown_before]

    def check(self) -> None:
        """UsageError for what makes no sense together."""
        if self.ways > 1:
            raise click.UsageError("give one of --reuse, --replace and --assume-members")
        if any(len(set(named)) < len(self.adoptions) for named in zip(*self.adoptions, strict=True)):
            raise click.UsageError("--adopt names an address or a segment twice")
        self._check_assumed(len(self.only))

    def named(self, here: frozenset[Address]) -> frozenset[Address]:
        """What --only and --adopt name, of the addresses that are here."""
        selected(tuple(map(str, self.adopted)), here)
        only = selected(self.only, here) if self.only else frozenset()
        self._check_assumed(len(only))
        if self.only and not self.adopted.keys() <= only:
            raise click.UsageError("--adopt is about an address that --only leaves out")
        return only | self.adopted.keys()

    def _check_assumed(self, count: int) -> None:
        if self.assume_members is not None and count != 1:
            raise click.UsageError("--assume-members is for one address: name it with --only")


@click.command(name="rebuild")
@with_options(RebuildOptions)
@click.pass_obj
def command(stop: object, /, options: RebuildOptions) -> None:
    """Rebuild a lost state: find each address's segment, and choose how to continue with it.

    Criteo never lists members, so the new state knows none. Without an option that chooses, the command
    lists the segments that it found and writes nothing. Nothing changes at Criteo before the next apply.
    """
    options.check()
    if options.ways:
        check_can_ask(options.yes, "to write the state")
    with open_session(stop, options.environment, options.common) as session:
        if options.ways:
            _tell(options.environment, _rebuilt(session, options))
        else:
            with session.shown.progress:
                seen = _look(session.space, session.space.store.reader(), options)
            print_look(options.environment, seen, session.shown.out)
            print_ways(options.environment, session.shown.out)


def _rebuilt(session: Session, options: RebuildOptions) -> tuple[ResourceState, ...]:
    """Under the lock, once that is confirmed."""
    space, shown, environment = session.space, session.shown, options.environment
    caller = Caller.of(RunCommand.STATE_REBUILD, session.settings, options.actor)
    with locked(space, caller) as (state, entry):
        with shown.progress:
            seen = _look(space, state, options)
        print_look(environment, seen, shown.out)
        number = len(seen.found()) + len(options.again(seen))
        addresses = counted(number, "address", "addresses")
        question = f"Rebuild the state of {environment} ({addresses})?"
        confirm(options.yes or not number, question, space.desired.environment)
        space.clock.check()
        done = _written(space, state, seen, options, session)
        entry.changed("rebuilt", (one.address for one in done))
        return done


def _look(space: Workspace, state: StateReader, options: RebuildOptions) -> RebuildScan:
    here = frozenset(spec.address for spec in space.desired.segments)
    named, only = options.named(here), selected(options.only, here)
    seen = scan_segments(space.desired, only, named, options.adopted, space.readers(), state.resources())
    check_lost(seen, named, {one.address for one in options.again(seen)})
    return seen


def _written(
    space: Workspace,
    state: StateWriter,
    seen: RebuildScan,
    options: RebuildOptions,
    session: Session,
) -> tuple[ResourceState, ...]:
    now, quiet = space.clock.now(), space.desired.environment.api.grace_period
    if options.replace:
        return replace_segments(seen.found(), options.again(seen), state, now, quiet)
    if options.assume_members is not None:
        file = session.settings.directory / options.assume_members
        return _assumed(space, state, seen, file, session.shown.figures)
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
    drops = statement_text(drop_summary(target, figures))
    click.echo(f"{where}: {figures.count(target.members.count)} may be held; {drops}")
    kept, now = engine.file(target.members), space.clock.now()
    return assume_members(one, target.members, kept, state, now, space.desired.environment.api.grace_period)


def _there(seen: RebuildScan) -> tuple[SegmentMatch, ...]:
    if not (found := seen.found()):
        address = seen.matches[0].spec.address
        problem = f"{address}: it has no segment that could have members"
        raise StorageError(problem, remedy="`reconciler state rebuild` lists what there is")
    return found


def _tell(environment: str, done: tuple[ResourceState, ...]) -> None:
    if not done:
        click.echo(f"{environment}: nothing was written: there is nothing to reuse")
        return
    click.echo(f"{environment}: the state is rebuilt: {counted(len(done), 'address', 'addresses')}")
    click.echo(f"  next: `reconciler plan {environment}` shows what follows, `apply` carries it out")
