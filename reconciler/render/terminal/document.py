"""A whole document on a terminal: the plan, the report of an apply, and the error."""

from rich.console import Console
from rich.text import Text

from reconciler.core.errors import ReconcilerError
from reconciler.render.document.by_audience import Detail
from reconciler.render.document.model import Document
from reconciler.render.terminal.apply_report import print_report
from reconciler.render.terminal.console import show
from reconciler.render.terminal.errors import print_error
from reconciler.render.terminal.plan import print_plan


def print_document(document: Document, out: Console, detail: Detail = Detail.BY_AUDIENCE) -> None:
    if document.header.endpoint:
        print_plan(document, out, detail)
    if document.outcome:
        show(iter((Text(),)), out)
        print_report(document.outcome, out)
    if trouble := document.error:
        print_error(ReconcilerError(trouble.problem, remedy=trouble.remedy, findings=trouble.findings), out)
