"""`audit --json`: each run of the log, and what is wrong with it."""

from dataclasses import asdict

from reconciler.core.audit.check import CheckedLog, LoggedRun
from reconciler.core.audit.model import AuditedChange
from reconciler.core.rounding import LessThan, RoundedCount
from reconciler.render.document.audit import flaw_text
from reconciler.render.json.values import Count, Json, time
from reconciler.render.text import name, sentence


def audit_values(environment: str, log: CheckedLog) -> Json:
    """The oldest run first."""
    return {
        "environment": name(environment),
        "head": str(log.head) if log.head.length else None,
        "entries": log.head.length,
        "runs": [_run(one) for one in log.runs],
        "flaws": [
            {
                "kind": one.kind.value,
                "entry": one.number,
                "problem": sentence(flaw_text(one, log.head.length)),
            }
            for one in log.flaws
        ],
    }


def _run(run: LoggedRun) -> Json:
    """A part that is not in the log is null."""
    begun, ended = run.begin, run.end
    begin, end = begun.begin if begun else None, ended.end if ended else None
    return {
        "run": name(run.id),
        "begin": {
            "at": time(begun.at),
            "lineage": begun.lineage or None,
            "serial": begun.serial,
            "command": begin.command.value,
            "actor": {"name": name(begin.actor.name), "source": begin.actor.source.value},
            "commit": name(begin.commit) or None,
            "machine": sentence(begin.machine),
            "version": name(begin.version),
        }
        if begun and begin
        else None,
        "end": {
            "at": time(ended.at),
            "lineage": ended.lineage or None,
            "serial": ended.serial,
            "exit_code": end.exit_code,
            "plan": name(end.plan) or None,
            "approvals": [asdict(one) | {"approved_by": [*one.approved_by]} for one in end.approvals],
            "changes": [_change(one) for one in end.changes],
            "added": _count(end.added),
            "removed": _count(end.removed),
            "rejected": _count(end.rejected),
            "trace_ids": [name(one) for one in end.trace_ids],
        }
        if ended and end
        else None,
    }


def _change(change: AuditedChange) -> Json:
    return {
        "address": name(str(change.address)),
        "kind": name(change.kind),
        "outcome": name(change.outcome),
        "added": _count(change.added),
        "removed": _count(change.removed),
    }


def _count(number: RoundedCount) -> Count:
    return {"less_than": number.less_than} if isinstance(number, LessThan) else number
