"""`diff`: what differs in meaning between two environments, and what is verified of it."""

from dataclasses import dataclass
from typing import Annotated

import click

from reconciler.commands.support.options import AsJson, CommonOptions, stop_event, with_options
from reconciler.commands.support.promoting import Source, Target


@dataclass(frozen=True, slots=True)
class DiffOptions:
    """The environments to compare, and the format."""

    source: Source
    target: Target
    as_json: AsJson
    markdown: Annotated[
        bool, click.option("--markdown", is_flag=True, help="Print Markdown, for a comment or a job summary.")
    ]
    common: CommonOptions


@click.command(name="diff")
@with_options(DiffOptions)
@click.pass_obj
def command(stop: object, /, options: DiffOptions) -> None:
    """Show what differs between the definitions of two environments, and what is verified in FROM.

    Only what promotion carries is compared: title, description, source, columns, exclusion lists,
    identifier type, hashing and access. The command reads the manifests as they are here, and the state
    of FROM.
    """
    from reconciler.commands.support.console import screen
    from reconciler.commands.support.json_output import json_output
    from reconciler.commands.support.promoting import proofs_for_display
    from reconciler.core.promotion.differences import compare
    from reconciler.manifests import find_root, load_without_sources
    from reconciler.manifests.promotion_lock import promotion_record
    from reconciler.render.document.differences import difference_rows, totals
    from reconciler.render.json.diff import diff_values
    from reconciler.render.json.values import DocumentKind
    from reconciler.render.markdown.promotion import PromotionText, promotion_markdown
    from reconciler.render.terminal.differences import print_differences

    source, target = options.source, options.target
    if options.as_json and options.markdown:
        raise click.UsageError("choose --json or --markdown")
    settings = options.common.settings()
    shown = screen(settings)
    with json_output(DocumentKind.DIFF, wanted=options.as_json) as page:
        root = find_root(settings.directory)
        there, here = load_without_sources(root, source), load_without_sources(root, target)
        record, gate = promotion_record(root, target), here.environment.promotion
        found = compare(there.segments, here.segments, record.lock, gate)
        proofs = proofs_for_display(settings, source, there.segments, stop_event(stop), shown)
        rows = difference_rows(found, proofs)
        if options.as_json:
            page.content = diff_values(source, target, found, proofs)
        elif options.markdown:
            click.echo(promotion_markdown(PromotionText(source, target, "", rows)), nl=False)
        else:
            print_differences(source, target, rows, totals(found) or "Nothing differs.", shown.out)
