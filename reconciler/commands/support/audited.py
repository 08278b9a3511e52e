"""The entries that a command leaves in the audit log: before its first write, and after its last."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import click

from reconciler import __version__
from reconciler.commands.support.options import actor_of
from reconciler.commands.support.run import exit_code_of
from reconciler.core.approval.model import ApprovedPlan
from reconciler.core.audit.codec import entry_bytes
from reconciler.core.audit.model import (
    FORMAT,
    Actor,
    AuditedChange,
    AuditEntry,
    AuditHead,
    RunBegin,
    RunCommand,
    RunEnd,
    UsedApproval,
)
from reconciler.core.errors import StorageError
from reconciler.core.events import SentTotals
from reconciler.core.model import Address
from reconciler.core.ports import StateReader, StateWriter
from reconciler.core.rounding import rounded_count
from reconciler.git.history import commit_of
from reconciler.git.program import Git
from reconciler.settings import Settings
from reconciler.workspace import Workspace


@dataclass(slots=True)
class AuditedRun:
    """A run in the log. `end` is what its last entry states: the command fills it in."""

    id: str
    space: Workspace
    state: StateReader
    end: RunEnd = field(default_factory=lambda: RunEnd(0))
    head: AuditHead = field(default_factory=AuditHead)

    def changed(self, kind: str, addresses: Iterable[Address]) -> None:
        """Name the addresses whose state a command has written."""
        changes = tuple(AuditedChange(one, kind, "applied") for one in sorted(addresses))
        self.end = replace(self.end, changes=changes)

    def planned(
        self, plan: ApprovedPlan | None, approvals: Iterable[str], approved_by: Mapping[str, tuple[str, ...]]
    ) -> None:
        """State what the run is to carry out, and under which approvals."""
        used = tuple(UsedApproval(digest, approved_by.get(digest, ())) for digest in approvals)
        self.end = replace(self.end, plan=plan_digest(plan) if plan else "", approvals=used)

    def applied(self, changes: tuple[AuditedChange, ...], sent: SentTotals) -> None:
        """State what Criteo acknowledged, as saved forms round it."""
        added, removed, rejected = map(rounded_count, (sent.added, sent.removed, sent.rejected))
        changes = (*self.end.changes, *changes)  # an apply may have completed an erasure first
        self.end = replace(self.end, changes=changes, added=added, removed=removed, rejected=rejected)

    def ended(self, exit_code: int) -> None:
        self.end = replace(self.end, exit_code=exit_code)

    def append(self, part: RunBegin | RunEnd) -> None:
        state = self.state.head()
        lineage, serial = (state.lineage, state.serial) if state else ("", 0)
        at = self.space.clock.now()
        begin, end = (part, None) if isinstance(part, RunBegin) else (None, part)

        def content(head: AuditHead) -> bytes:
            number = head.length + 1
            return entry_bytes(
                AuditEntry(FORMAT, number, head.digest, at, self.id, lineage, serial, begin, end)
            )

        self.head = self.space.store.audit().append(content)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who runs a command, and under which settings."""

    command: RunCommand
    settings: Settings
    actor: Actor

    @classmethod
    def of(cls, command: RunCommand, settings: Settings, named: str | None) -> "Caller":
        return cls(command, settings, actor_of(settings, named))


@contextmanager
def locked(space: Workspace, caller: Caller, run: str = "") -> Iterator[tuple[StateWriter, AuditedRun]]:
    """Hold the lock of the state, and leave two entries in the log."""
    with space.store.lock(caller.settings.who) as state, logged(space, state, caller, run) as entry:
        yield state, entry


@contextmanager
def logged(space: Workspace, state: StateReader, caller: Caller, run: str = "") -> Iterator[AuditedRun]:
    """Append an entry, and another one with the exit code at the end. Print the head of the log.

    StorageError if the first entry can't be written: then nothing else is. A second entry that can't be
    written fails the run, unless it failed already; the log then shows the run as interrupted.
    """
    entry = AuditedRun(run or uuid4().hex, space, state)
    machine, commit = caller.settings.who, commit_at(space.root)
    entry.append(RunBegin(caller.command, caller.actor, commit, machine, __version__))
    try:
        yield entry
    except BaseException as error:
        entry.end = replace(entry.end, exit_code=exit_code_of(error))
        with suppress(StorageError):
            _finish(entry)
        raise
    _finish(entry)


def _finish(entry: AuditedRun) -> None:
    entry.end = replace(entry.end, trace_ids=entry.space.trace_ids())
    entry.append(entry.end)
    click.echo(f"audit log: {entry.head.length} entries, head {entry.head}", err=True)


def plan_digest(plan: ApprovedPlan) -> str:
    """Return the digest of what an apply of the plan must match."""
    from reconciler.render.json.document import approval_digest  # its codec takes longer than a small plan

    return approval_digest(plan)


def commit_at(root: Path) -> str:
    """Return the commit that is checked out; "" without git or a commit."""
    program = shutil.which("git")
    return commit_of(Git(program, root, {}), "HEAD") if program else ""
