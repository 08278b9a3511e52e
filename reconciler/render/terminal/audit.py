"""An audit log as text: one run after the other, the newest first."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from reconciler.core.audit.check import CheckedLog, LoggedRun
from reconciler.core.audit.model import AuditEntry, RunEnd
from reconciler.render.document.audit import flaw_text
from reconciler.render.numbers import counted, minus, plus, stamp
from reconciler.render.terminal.console import show, wrapped
from reconciler.render.text import name, sentence

MOST_RUNS = 50
SHORT_COMMIT = 10


def print_audit(environment: str, log: CheckedLog, out: Console) -> None:
    show(_lines(environment, log, out), out)


def _lines(environment: str, log: CheckedLog, out: Console) -> Iterator[Text]:
    yield Text.assemble("Audit log of ", (name(environment), "bold"))
    if not log.head.length:
        yield Text("  empty: each run that holds the lock appends to it")
    newest = log.runs[::-1][:MOST_RUNS]
    for run in newest:
        yield from wrapped(", ".join(_stated(run)), "", 2, out, hang=4)
    if earlier := len(log.runs) - len(newest):
        yield Text(f"  and {counted(earlier, 'earlier run')}: --json prints all")
    for flaw in log.flaws:
        problem = sentence(flaw_text(flaw, log.head.length))
        yield from wrapped(f"entry {flaw.number}: {problem}", "red", 2, out, hang=2)
    if log.head.length:
        yield Text(f"{counted(log.head.length, 'entry', 'entries')}, head {log.head}", "bold")


def _stated(run: LoggedRun) -> Iterator[str]:
    if run.begin and (begin := run.begin.begin):
        yield f"{stamp(run.begin.at)}  {begin.command.value} by {name(begin.actor.name)}"
        yield f"commit {name(begin.commit[:SHORT_COMMIT])}" if begin.commit else "no commit"
    elif run.end:
        yield f"{stamp(run.end.at)}  its first entry is not readable"
    yield from _ended(run.end) if run.end else ("not ended: it is running, or it was interrupted",)


def _ended(entry: AuditEntry) -> Iterator[str]:
    end = entry.end or RunEnd(0)
    yield f"exit {end.exit_code}, serial {entry.serial}"
    if end.changes:
        yield counted(len(end.changes), "address", "addresses")
    if members := " ".join(filter(None, (plus(end.added), minus(end.removed)))):
        yield f"members {members}"
    if end.approvals:
        yield counted(len(end.approvals), "approval")
    if approvers := sorted({name(one) for used in end.approvals for one in used.approved_by}):
        yield f"approved by {', '.join(approvers)}"
    if end.trace_ids:
        yield counted(len(end.trace_ids), "trace ID")
