"""The end of an apply on a terminal, and a whole document as its command prints it."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from reconciler.render.document.apply_report import ApplyReport
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.terminal.plan import blocked_lines


def print_report(report: ApplyReport, out: Console) -> None:
    show(report_lines(report, out), out)


def report_lines(report: ApplyReport, out: Console) -> Iterator[Text]:
    for failure in report.failures:
        yield from wrapped(f"! {failure.address}: {failure.problem}", "red", 0, out, hang=2)
        if failure.remedy:
            yield from wrapped(f"→ {failure.remedy}", "", 2, out, hang=2)
    for what, addresses in (("Interrupted", report.interrupted), ("Skipped", report.skipped)):
        if addresses:
            yield from wrapped(f"{what}: {', '.join(addresses)}", "yellow", 0, out, hang=2)
    yield from blocked_lines(report.blocked, out)
    if report.failures or report.interrupted or report.skipped or report.blocked:
        yield Text()
    yield from wrapped(report.headline, "bold", 0, out)
    for line in (report.members, report.live, report.in_time):
        if line:
            yield from wrapped(line, "", 0, out)
    if report.next_step:
        yield from wrapped(f"Next: {report.next_step}", "bold", 0, out)
