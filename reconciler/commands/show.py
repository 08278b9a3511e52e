"""`show`: prints a saved plan in any format. It contacts no server and changes nothing."""

import sys
from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.options import AsJson, CommonOptions, with_options


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Which file, and in which form."""

    file: Annotated[str, click.argument("file", metavar="FILE")]
    digest: Annotated[
        bool,
        click.option("--digest", is_flag=True, help="Print only the digest, for `apply --approved-digest`."),
    ]
    markdown: Annotated[
        str | None, click.option("--markdown", metavar="OUT", help="Save the document as Markdown.")
    ]
    html: Annotated[
        str | None, click.option("--html", metavar="OUT", help="Save the document as one HTML page.")
    ]
    as_json: AsJson
    common: CommonOptions


@click.command(name="show")
@with_options(ShowOptions)
def command(options: ShowOptions) -> None:
    """Show a document that `plan --out`, `apply --out` or `drift --out` saved.

    An expired plan can be shown but not applied. The command exits 3 if FILE is not such a document, and 6
    if FILE was changed after it was saved.
    """
    from reconciler.commands.support.console import detail
    from reconciler.commands.support.outputs import check, check_named, save
    from reconciler.commands.support.plan_files import read_saved
    from reconciler.render.json.document import dump
    from reconciler.render.terminal.console import console
    from reconciler.render.terminal.document import print_document

    settings = options.common.settings()
    path = settings.directory / options.file
    saved = read_saved(path, options.file)
    named = {form: name for form, name in (("markdown", options.markdown), ("html", options.html)) if name}
    check_named(named.values())
    forms = {form: settings.directory / name for form, name in named.items()}
    check(forms, [path])
    save(saved.document, saved.digest if saved.approved else "", forms)
    if options.digest:
        click.echo(saved.digest)
    elif options.as_json:
        click.echo(dump(saved.content), nl=False)
    elif not forms:
        print_document(saved.document, console(sys.stdout, settings.colour), detail(settings))
