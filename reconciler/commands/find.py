"""`find`: in which segments, lists and saved versions people are. Never prints an identifier."""

from dataclasses import dataclass

import click

from reconciler.commands.support.identifier_input import read_lines
from reconciler.commands.support.options import AsJson, CommonOptions, Environment, with_options
from reconciler.core.errors import ConfigurationError, CorruptSnapshotError


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
    """Find identifiers in the state: segments, lists and saved versions.

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
        if not any(line.strip() for line in lines):
            raise ConfigurationError(
                "standard input has no identifier", remedy="write one identifier on each line"
            )
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
