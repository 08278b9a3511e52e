"""An error as text: every finding with its fix, and the number of findings."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from reconciler.core.errors import Finding, ReconcilerError
from reconciler.render.numbers import counted
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import sentence


def print_error(error: ReconcilerError, out: Console) -> None:
    show(error_lines(error, out), out)


def error_lines(error: ReconcilerError, out: Console) -> Iterator[Text]:
    """The error itself, then its findings; the text of other exceptions never gets here."""
    yield from wrapped(f"Error: {sentence(error.problem)}", "bold red", 0, out, hang=2)
    yield from _remedy(error.remedy, out)
    for finding in error.findings:
        yield from finding_lines(finding, out)
    if error.findings:
        yield Text()
        yield Text(counted(len(error.findings), "problem"), "bold")


def finding_lines(finding: Finding, out: Console) -> Iterator[Text]:
    where = f"{sentence(finding.where)}: " if finding.where else ""
    yield from wrapped(f"{where}{sentence(finding.problem)}", "", 0, out, hang=2)
    yield from _remedy(finding.remedy, out)


def _remedy(remedy: str, out: Console) -> Iterator[Text]:
    """Every line of it: a snippet to paste keeps its lines."""
    for number, line in enumerate(remedy.splitlines()):
        yield from wrapped(f"{'  ' if number else '→ '}{sentence(line)}", "", 2, out, hang=2)
