"""`report`: what the states know of their audiences over time, as text, JSON or one HTML page."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from reconciler.commands.support.completions import environment_names
from reconciler.commands.support.options import AsJson, CommonOptions, stop_event, with_options

if TYPE_CHECKING:
    from reconciler.core.report import Report


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The environments, and the outputs."""

    environments: Annotated[
        tuple[str, ...],
        click.argument(
            "environments", metavar="ENV...", nargs=-1, required=True, shell_complete=environment_names
        ),
    ]
    html: Annotated[
        str | None,
        click.option("--html", metavar="FILE", help="Save one HTML page with charts."),
    ]
    as_json: AsJson
    common: CommonOptions


@click.command(name="report")
@with_options(ReportOptions)
@click.pass_obj
def command(stop: object, /, options: ReportOptions) -> None:
    """Report what is usable, computing or below the minimum, and sizes, churn and match rates over time.

    The command reads the manifests and the state of each environment; it does not ask Criteo. Each apply
    and `verify` adds one point per audience to the series in the state. The HTML page draws the last 90
    days. For an environment with a `promotion.lock`, the report shows how it differs from its source.
    """
    from reconciler.commands.support.console import screen
    from reconciler.commands.support.json_output import json_output
    from reconciler.commands.support.outputs import check, check_named
    from reconciler.commands.support.reporting import make_report
    from reconciler.render.json.report import report_values
    from reconciler.render.json.values import DocumentKind
    from reconciler.render.terminal.report import print_report

    settings = options.common.settings()
    shown = screen(settings)
    file = settings.directory / options.html if options.html else None
    if options.html and file:
        check_named([options.html])
        check({"html": file}, ())
    with json_output(DocumentKind.REPORT, wanted=options.as_json) as page:
        names = tuple(dict.fromkeys(options.environments))
        report = make_report(settings, names, stop_event(stop), shown)
        page.content = report_values(report, shown.figures)
        if file:
            _save(file, report)
        if not options.as_json:
            print_report(report, shown.figures, shown.out)
            if options.html:
                shown.out.print(f"The page is in {options.html}.", soft_wrap=True)


def _save(file: Path, report: "Report") -> None:
    from reconciler.disk.atomic import replace_file
    from reconciler.render.html.report import report_html

    replace_file(file, report_html(report).encode())
