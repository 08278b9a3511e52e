"""`find`: in which segments, exclusion lists and saved versions people are. Never prints an identifier."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import click

from reconciler.commands.support.options import AsJson, CommonOptions, Environment, with_options
from reconciler.core.errors import ConfigurationError, CorruptSnapshotError

MOST = 10_000
"""Identifiers of one search: they are held in memory."""
LONGEST_LINE = 4_096


@dataclass(frozen=True, slots=True)
class FindOptions:
    """The environment."""

    environment: Environment
    as_json: AsJson
    common: CommonOptions


@click.command(name="find")
@with_options(FindOptions)
@click.pass_obj
def command(stop: object, /, options: FindOptions) -> None:
    """Find identifiers in the state: segments, exclusion lists and saved versions.

    Reads identifiers from standard input, one on each line: plain, or hashed as MD5 or SHA-256. The output
    names lines by their number, never by the identifier. Makes no call to Criteo, and reads no source.

    \b
    Example:
      reconciler find production < request.txt
    """
    from reconciler.commands.support.json_output import json_output
    from reconciler.commands.support.session import open_session
    from reconciler.operations.find_people import countries_of, find_people
    from reconciler.render.json.find import find_values
    from reconciler.render.json.values import DocumentKind
    from reconciler.render.terminal.find import print_found

    environment = options.environment
    with (
        json_output(DocumentKind.FIND, wanted=options.as_json) as page,
        open_session(stop, environment, options.common) as session,
    ):
        lines = read_lines()
        space, shown = session.space, session.shown
        state = space.store.reader()
        result = find_people(
            lines, countries_of(space.desired.audiences), state, space.engine_over(space.root, state)
        )
        if options.as_json:
            page.content = find_values(environment, result)
        else:
            print_found(environment, result, shown.out)
        if result.unreadable:
            raise CorruptSnapshotError(
                f"{environment}: the search is not complete: {len(result.unreadable)} stored sets of members "
                "can't be read",
                remedy=f"`reconciler state history {environment}`, then `reconciler state restore`",
            )


def read_lines() -> list[str]:
    """Return the lines of standard input. ConfigurationError with the number of a line that is no text."""
    if sys.stdin.isatty():
        raise click.UsageError("Standard input is a terminal. Pass a file: `reconciler find ENV < FILE`.")
    return list(_lines())


def _lines() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        if number > MOST:
            raise ConfigurationError(
                f"standard input has more than {MOST:,} lines",
                remedy="split the input, and run the command once for each part",
            )
        if len(line) > LONGEST_LINE:
            raise ConfigurationError(
                f"line {number} of standard input has more than {LONGEST_LINE:,} bytes",
                remedy="write one identifier on each line",
            )
        try:
            yield line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise ConfigurationError(
                f"line {number} of standard input is not UTF-8", remedy="convert the input to UTF-8"
            ) from None
