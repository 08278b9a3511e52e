"""The end of an apply on a terminal, and a whole document as its command prints it."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from reconciler.core.errors import ReconcilerError
from reconciler.render.apply_report import ApplyReport
from reconciler.render.document import Document
from reconciler.render.errors import print_error
from reconciler.render.terminal import blocked_lines, print_plan, show, wrapped


def print_document(document: Document, out: Console) -> None:
    if document.header.endpoint:
        print_plan(document, out)
    if document.outcome:
        show(iter((Text(),)), out)
        print_report(document.outcome, out)
    if trouble := document.error:
        print_error(ReconcilerError(trouble.problem, remedy=trouble.remedy, findings=trouble.findings), out)


def print_report(report: ApplyReport, out: Console) -> None:
    show(report_lines(report, out), out)


def report_lines(report: ApplyReport, out: Console) -> Iterator[Text]:
    for failure in report.failures:
        yield from wrapped(f"! {failure.address}: {failure.problem}", "red", 0, out, hang=2)
        if failure.remedy:
            yield from wrapped(f"→ {failure.remedy}", "", 2, out, hang=2)
    for what, addresses in (("Stopped midway", report.interrupted), ("Not attempted", report.skipped)):
        if addresses:
            yield from wrapped(f"{what}: {', '.join(addresses)}", "yellow", 0, out, hang=2)
    yield from blocked_lines(report.blocked, out)
    if report.failures or report.interrupted or report.skipped or report.blocked:
        yield Text()
    yield from wrapped(report.headline, "bold", 0, out)
    for line in (report.members, report.live):
        if line:
            yield from wrapped(line, "", 0, out)
    if report.next_step:
        yield from wrapped(f"Next: {report.next_step}", "bold", 0, out)
