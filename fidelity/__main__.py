"""`make fidelity`: tests the assumptions of `docs/explanation/fidelity.md` on a test account."""

import os
import signal
import sys
from types import FrameType

import click

from fidelity import run as running
from fidelity.lab import Unseen
from fidelity.pace import SystemClock
from fidelity.settings import Unfit, read

USAGE, CANCELLED = 64, 130


def main() -> int:
    """Return 0 if everything ran and was removed, 1 if something is left at Criteo, 64 if refused."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        settings = read(os.environ)
    except Unfit as reasons:
        click.echo(f"make fidelity does not start:\n{reasons}", err=True)
        return USAGE
    try:
        report = running.run(settings, SystemClock(), tell=lambda line: click.echo(f"  {line}", err=True))
    except KeyboardInterrupt:
        click.echo("stopped; what was made is cleaned up as far as it could be", err=True)
        return CANCELLED
    except Unseen as reason:
        click.echo(str(reason), err=True)
        return 1
    show(report)
    return 1 if report.left_behind else 0


def show(report: running.Report) -> None:
    """Return the results as rows of a Markdown table."""
    if report.rows:
        click.echo("| experiment | question | we assume | seen | |\n|---|---|---|---|---|")
    for row in report.rows:
        experiment, seen = row.experiment, "not seen" if row.seen is None else row.seen
        differs = row.seen is not None and str(row.seen) != str(experiment.assumed)
        mark = f"**{seen}**" if differs else seen
        cells = (experiment.name, experiment.question, experiment.assumed, mark, row.detail)
        click.echo(f"| {' | '.join(map(str, cells))} |")
    for line in report.notes:
        click.echo(line)
    for name in report.left_behind:
        click.echo(f"left behind: {name}", err=True)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
