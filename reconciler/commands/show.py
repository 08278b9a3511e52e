"""`show`: a saved plan again, in any form. It asks nobody and changes nothing."""

import sys
from typing import Any

import click

from reconciler.commands.support.options import OUTPUT, settings_of, with_options


@click.command(name="show")
@click.argument("file", metavar="FILE")
@click.option("--digest", is_flag=True, help="Print only the digest, for `apply --approved-digest`.")
@click.option("--markdown", metavar="OUT", help="Save the document as Markdown.")
@click.option("--html", metavar="OUT", help="Save the document as one HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@with_options(OUTPUT)
def command(file: str, digest: bool, as_json: bool, **flags: Any) -> None:
    """Show a document that `plan --out`, `apply --out` or `drift --out` saved.

    An expired plan can be shown but not applied. The command exits 3 if FILE is not such a document, and 6
    if FILE was changed after it was saved.
    """
    from reconciler.commands.support.outputs import check, check_named, save
    from reconciler.commands.support.plan_files import read_saved
    from reconciler.render.plan_json import dump
    from reconciler.render.terminal import console
    from reconciler.render.terminal_report import print_document

    settings = settings_of(flags)
    path = settings.directory / file
    saved = read_saved(path, file)
    named = {form: flags[form] for form in ("markdown", "html") if flags[form]}
    check_named(named.values())
    forms = {form: settings.directory / name for form, name in named.items()}
    check(forms, [path])
    save(saved.document, saved.digest if saved.approved else "", forms)
    if digest:
        click.echo(saved.digest)
    elif as_json:
        click.echo(dump(saved.content), nl=False)
    elif not forms:
        print_document(saved.document, console(sys.stdout, settings.colour))
