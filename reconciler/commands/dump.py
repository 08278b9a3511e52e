"""`dump`: manifests for the segments that exist at Criteo and that reconciler does not manage."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import click

from reconciler.commands.support.options import CommonOptions, Environment, with_options
from reconciler.commands.support.session import open_session
from reconciler.core.errors import ConfigurationError, Finding
from reconciler.core.unmanaged import NotAdoptable, UnmanagedSegments
from reconciler.disk.atomic import os_errors
from reconciler.manifests.dump import credentials_of_seats, dumped, joined, segments_to_be_adopted
from reconciler.manifests.load import declared
from reconciler.operations.dump_segments import list_unmanaged
from reconciler.render.numbers import counted

_OTHERS = {
    NotAdoptable.DECLARED: "named by an Adopt document already",
    NotAdoptable.TAGGED: "with an ownership tag (`reconciler state rebuild` lists those of this environment)",
    NotAdoptable.READ_ONLY: "read-only at Criteo",
    NotAdoptable.UNKNOWN_TYPE: "without identifiers that reconciler sends",
}


@dataclass(frozen=True, slots=True)
class DumpOptions:
    """The environment, and the folder to write to."""

    environment: Environment
    out: Annotated[
        str | None,
        click.option(
            "--out",
            metavar="DIR",
            help="Write one file for each document below DIR; existing files are never overwritten. Default: "
            "standard output.",
        ),
    ]
    common: CommonOptions


@click.command(name="dump")
@with_options(DumpOptions)
@click.pass_obj
def command(stop: object, /, options: DumpOptions) -> None:
    """Write manifests for the segments of an environment that reconciler does not manage.

    Each contact list in the seats of the environment gets an Audience and an Adopt document. It also gets a
    Destination, if none has its seat and identifier type. Fill in the sources, move the files into the
    environment, and plan. Nothing changes at Criteo or in the state.

    \b
    Example:
      reconciler dump production --out dumped
    """
    with open_session(stop, options.environment, options.common) as session:
        space, environment = session.space, session.space.desired.environment
        inventory = declared(space.root, options.environment)
        with session.shown.progress:
            session.shown.progress.doing("reading segments")
            found = list_unmanaged(
                environment,
                credentials_of_seats(inventory),
                space.readers(),
                space.store.reader().resources(),
                segments_to_be_adopted(inventory),
            )
        files = dumped(inventory, found.adoptable)
        if options.out is None:
            click.echo(joined(files), nl=False)
        else:
            _write(session.settings.directory, options.out, files)
        for line in _summary(options.environment, found, options.out):
            click.echo(line, err=options.out is None)


def _summary(environment: str, found: UnmanagedSegments, out: str | None) -> list[str]:
    number = len(found.adoptable)
    where = f", written to {out}" if out and number else ""
    lines = [f"{environment}: {counted(number, 'segment')} to adopt{where}"]
    lines += [
        f"  not dumped: {counted(count, 'segment')} {_OTHERS[why]}" for why, count in found.others.items()
    ]
    if number:
        lines.append("  next: replace YOUR-FILES and YOUR-COLUMN, choose each baseline, and plan")
    return lines


def _write(directory: Path, out: str, files: Mapping[str, str]) -> None:
    """Write all files, or none if one of them exists."""
    folder = directory / out
    with os_errors("look at", folder):
        taken = [path for path in sorted(files) if os.path.lexists(folder / path)]
    if taken:
        raise ConfigurationError(
            "files are in the way, and nothing was written",
            remedy="name another folder with --out, or move them away",
            findings=[Finding(f"{out}/{path}", "it is there already") for path in taken],
        )
    for path, text in files.items():
        with os_errors("write", folder / path):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with (folder / path).open("x", encoding="utf-8") as file:
                file.write(text)
