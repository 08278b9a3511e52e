"""Whether an audit log is whole: each entry as written, in order, and none missing.

The log alone shows every change but one: entries that are removed at its end. The serial of the state
shows some of these, and a head that was printed elsewhere shows all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.audit.codec import read_entry
from reconciler.core.audit.model import AuditEntry, AuditHead, RunCommand, StoredEntry
from reconciler.core.errors import StorageError
from reconciler.core.state.model import StateHead


class FlawKind(StrEnum):
    """What is wrong with a log."""

    DAMAGED = "damaged"
    """An entry is not as reconciler wrote it."""

    MISSING = "missing"
    """A number between two entries has none."""

    MOVED = "moved"
    """An entry was written under another number."""

    UNCHAINED = "unchained"
    """An entry names another entry before it."""

    UNRECORDED = "unrecorded"
    """The state was written or replaced by a run without an entry."""

    CUT_OFF = "cut_off"
    """The log is shorter than the witnessed head."""

    REWRITTEN = "rewritten"
    """The entry of the witnessed head is another one."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One flaw, at an entry. `detail` states what an unreadable entry is instead."""

    kind: FlawKind
    number: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """The entries of one run. Without `end`, it goes on or was interrupted; without `begin`, that is lost."""

    id: str
    begin: AuditEntry | None = None
    end: AuditEntry | None = None


@dataclass(frozen=True, slots=True)
class CheckedLog:
    """A log, by run in the order of their begin, and what is wrong with it."""

    head: AuditHead
    runs: tuple[LoggedRun, ...]
    flaws: tuple[Flaw, ...]


def check_log(stored: Sequence[StoredEntry], state: StateHead | None, witness: AuditHead) -> CheckedLog:
    """Check all entries, the state that they left, and the witnessed head; a head of length 0 says nothing.

    The witnessed head vouches for the entries up to it: a state that was replaced before is no flaw then.
    """
    flaws, entries = list[Flaw](), list[AuditEntry]()
    before = StoredEntry(0, b"")
    for one in stored:
        entry = _read(one, flaws)
        flaws += (Flaw(FlawKind.MISSING, number) for number in range(before.number + 1, one.number))
        if entry is not None:
            entries.append(entry)
            flaws += _placed(entry, one, before)
        before = one
    flaws += (one for one in _of_states(entries, state) if one.number > witness.length)
    flaws += _against(witness, stored, before.number)
    head = AuditHead(before.number, before.digest) if stored else AuditHead()
    return CheckedLog(head, _runs(entries), tuple(flaws))


def _read(stored: StoredEntry, flaws: list[Flaw]) -> AuditEntry | None:
    try:
        return read_entry(stored)
    except StorageError as error:
        flaws.append(Flaw(FlawKind.DAMAGED, stored.number, error.problem))
        return None


def _placed(entry: AuditEntry, stored: StoredEntry, before: StoredEntry) -> Iterator[Flaw]:
    if entry.number != stored.number:
        yield Flaw(FlawKind.MOVED, stored.number)
    elif before.number == stored.number - 1 and entry.previous != (before.digest if before.number else ""):
        yield Flaw(FlawKind.UNCHAINED, stored.number)


@dataclass(slots=True)
class _Written:
    """The state as far as entries know it: `least` is written surely, `most` perhaps by an open run.

    `open` are the commands of runs without an end. A state that is imported has any serial.
    """

    lineage: str = ""
    least: int = 0
    most: int = 0
    open: dict[str, RunCommand] = field(default_factory=dict)

    def allows(self, lineage: str, serial: int) -> bool:
        if not self.lineage:
            made = bool(self.open) and serial <= self.most
            return not lineage or made or RunCommand.STATE_IMPORT in self.open.values()
        return lineage == self.lineage and self.least <= serial <= self.most

    def take(self, entry: AuditEntry) -> None:
        if entry.begin:
            self.open[entry.run] = entry.begin.command
            rises = entry.serial + 1
        else:
            self.open.pop(entry.run, None)
            rises = entry.serial
        if entry.lineage != self.lineage:
            self.lineage, self.least, self.most = entry.lineage, entry.serial, rises
        self.least, self.most = max(self.least, entry.serial), max(self.most, rises)


def _of_states(entries: Iterable[AuditEntry], state: StateHead | None) -> Iterator[Flaw]:
    """Yield where the state is not as the entries before left it. The first entry may find any state."""
    written, number = _Written(), 0
    for entry in entries:
        if number and entry.begin and not written.allows(entry.lineage, entry.serial):
            yield Flaw(FlawKind.UNRECORDED, entry.number)
        written.take(entry)
        number = entry.number
    now = (state.lineage, state.serial) if state else ("", 0)
    if not written.allows(*now):
        yield Flaw(FlawKind.UNRECORDED, number + 1)


def _against(witness: AuditHead, stored: Iterable[StoredEntry], length: int) -> Iterator[Flaw]:
    if witness.length > length:
        yield Flaw(FlawKind.CUT_OFF, witness.length)
    elif witness.length and not any(
        one.number == witness.length and one.digest == witness.digest for one in stored
    ):
        yield Flaw(FlawKind.REWRITTEN, witness.length)


def _runs(entries: Iterable[AuditEntry]) -> tuple[LoggedRun, ...]:
    runs: dict[str, LoggedRun] = {}
    for entry in entries:
        known = runs.get(entry.run, LoggedRun(entry.run))
        begin, end = (entry, known.end) if entry.begin else (known.begin, entry)
        runs[entry.run] = LoggedRun(entry.run, begin, end)
    return tuple(runs.values())
