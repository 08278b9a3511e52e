"""The end of an apply: four counts, what went wrong and what to do about it, and what to do next."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal

from reconciler.core.events import (
    AddressBlocked,
    BatchAcknowledged,
    BatchSizeLowered,
    ChangeEnded,
    ChangeOutcome,
    Counts,
    Event,
    EventSink,
    PlanCreated,
    SentTotals,
)
from reconciler.core.model import Address
from reconciler.core.plan.model import Deadline
from reconciler.core.rounding import RoundedCount, duration, format_count
from reconciler.core.schedule import ACTIVATION_DELAY, SAFE_MARGIN, next_computation
from reconciler.render.document.blocked import BlockedGroup, grouped
from reconciler.render.document.statement_text import before_deadline
from reconciler.render.document.statements import BeforeDeadline
from reconciler.render.numbers import NumberFormat, counted, minus, near, plus
from reconciler.render.text import name, sentence


class RunTotals(EventSink):
    """The totals of a run, from its events."""

    def __init__(self) -> None:
        self._unchanged = 0
        self._ended: dict[Address, ChangeEnded] = {}
        self._blocked: list[AddressBlocked] = []
        self._work = SentTotals(batches=0, added=0, removed=0, rejected=0)
        self._batch_size: int | None = None
        self._counting = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._counting:
            match event:
                case PlanCreated():
                    self._unchanged = event.unchanged
                case BatchAcknowledged():
                    self._work = _with(self._work, event)
                case BatchSizeLowered():
                    self._batch_size = event.size
                case AddressBlocked():
                    self._blocked.append(event)
                case ChangeEnded():
                    self._ended[event.address] = event
                case _:
                    pass  # of all events, those count that say what became of something

    @property
    def work(self) -> SentTotals:
        return self._work

    @property
    def batch_size(self) -> int | None:
        """Return the size of a batch if Criteo refused larger batches in this run."""
        return self._batch_size

    @property
    def counts(self) -> Counts:
        return Counts(
            applied=len(self.ended(ChangeOutcome.APPLIED)),
            unchanged=self._unchanged,
            failed=len(self.ended(ChangeOutcome.FAILED)),
            interrupted=len(self.ended(ChangeOutcome.INTERRUPTED)),
            skipped=len(self.ended(ChangeOutcome.SKIPPED)),
            blocked=len({one.address for one in self._blocked}),
        )

    @property
    def blocked(self) -> tuple[AddressBlocked, ...]:
        return tuple(self._blocked)

    def ended(self, outcome: ChangeOutcome) -> tuple[ChangeEnded, ...]:
        """The changes that ended so, in order of their addresses."""
        with self._counting:
            found = [one for one in self._ended.values() if one.outcome == outcome]
        return tuple(sorted(found, key=attrgetter("address")))


def _with(work: SentTotals, batch: BatchAcknowledged) -> SentTotals:
    """Return the totals with these members, without those that Criteo rejected."""
    taken = batch.count - batch.rejected
    return SentTotals(
        batches=work.batches + 1,
        added=work.added + (taken if batch.operation == "add" else 0),
        removed=work.removed + (taken if batch.operation == "remove" else 0),
        rejected=work.rejected + batch.rejected,
    )


@dataclass(frozen=True, slots=True)
class Failure:
    address: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class SentMembers:
    """The members that Criteo acknowledged and rejected, when it computes them, and when they are live.

    `batch_size`: if Criteo refused larger batches.
    """

    batches: int
    added: RoundedCount
    removed: RoundedCount
    rejected: RoundedCount
    computed_at: datetime
    live_at: datetime
    batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """An apply as values, with its sentences. `failures` and `skipped` are in order of their addresses.

    `seconds`: how long it took until `ended_at`. `sent` is None where no batch was acknowledged.
    `resumable`: the same command resumes it.
    """

    environment: str
    counts: Counts
    seconds: int
    ended_at: datetime
    sent: SentMembers | None
    failures: tuple[Failure, ...]
    interrupted: tuple[str, ...]
    skipped: tuple[str, ...]
    resumable: bool
    blocked: tuple[BlockedGroup, ...] = ()
    deadline: BeforeDeadline | None = None

    @property
    def look(self) -> Literal["good", "risky", "bad"]:
        """Return how grave the outcome is, for layouts with colours."""
        if self.failures:
            return "bad"
        return "risky" if self.interrupted or self.skipped or self.blocked else "good"

    @property
    def headline(self) -> str:
        counts, took = self.counts, duration(timedelta(seconds=self.seconds))
        stopped = f"{counts.interrupted:,} interrupted, " if counts.interrupted else ""
        numbers = (
            f"{counts.applied:,} applied, {counts.unchanged:,} unchanged, "
            f"{counts.failed:,} failed, {stopped}{counts.skipped:,} skipped"
            + (f", {counts.blocked:,} blocked" if counts.blocked else "")
        )
        changes = counts.applied + counts.failed + counts.interrupted + counts.skipped
        if not changes and self.sent:
            return f"Only suppressed members were removed on {self.environment} in {took}: {numbers}."
        if not changes:
            return f"Nothing to do: {self.environment} matches its manifests. {numbers}."
        if not counts.applied:
            start = "No change completed yet"
        elif counts.applied < changes or counts.blocked:
            start = "Applied in part"
        else:
            start = "Applied"
        return f"{start} on {self.environment} in {took}: {numbers}."

    @property
    def members(self) -> str:
        if not self.sent:
            return ""
        moved = [one for one in (plus(self.sent.added), minus(self.sent.removed)) if one] or ["none"]
        text = f"Members: {' '.join(moved)} in {counted(self.sent.batches, 'batch', 'batches')}"
        if rejected := self.sent.rejected:
            what = "identifier" if rejected == 1 else "identifiers"
            text += f"; {format_count(rejected)} {what} rejected by Criteo"
        if size := self.sent.batch_size:
            most = counted(size, "identifier")
            text += f". Criteo refused batches of more than {most}: write `batchSize: {size}` under `api`"
        return f"{text}."

    @property
    def live(self) -> str:
        if not self.sent:
            return ""
        computed, live = self.sent.computed_at, self.sent.live_at
        when = near(computed, self.ended_at)
        return f"Criteo computes what was sent at {when}; live about {near(live, computed)}."

    @property
    def in_time(self) -> str:
        """Return how many segments were complete before the deadline; "" without one."""
        return f"{before_deadline(self.deadline)}." if self.deadline else ""

    @property
    def next_step(self) -> str:
        return "rerun the command to resume" if self.resumable else ""


def apply_report(
    environment: str,
    tally: RunTotals,
    elapsed: timedelta,
    ended_at: datetime,
    figures: NumberFormat,
    deadline: Deadline | None = None,
) -> ApplyReport:
    """Return the report of an apply. "Applied" counts only changes that were carried out completely."""
    counts = tally.counts
    failed = tally.ended(ChangeOutcome.FAILED)
    return ApplyReport(
        environment=name(environment),
        counts=counts,
        seconds=max(0, round(elapsed.total_seconds())),
        ended_at=ended_at,
        sent=_sent(tally, ended_at, figures),
        failures=tuple(map(_failure, failed)),
        interrupted=tuple(name(str(one.address)) for one in tally.ended(ChangeOutcome.INTERRUPTED)),
        skipped=tuple(name(str(one.address)) for one in tally.ended(ChangeOutcome.SKIPPED)),
        resumable=bool(counts.interrupted or counts.skipped or any(one.resumable for one in failed)),
        blocked=grouped(tally.blocked),
        deadline=_in_time(deadline, tally) if deadline else None,
    )


def _in_time(deadline: Deadline, tally: RunTotals) -> BeforeDeadline:
    """Return which of the changes were complete early enough to be certainly in the computation."""
    in_time = {
        one.address
        for one in tally.ended(ChangeOutcome.APPLIED)
        if one.ended_at and one.ended_at <= deadline.computed_at - SAFE_MARGIN
    }
    late = tuple(name(str(address)) for address in sorted(set(deadline.order) - in_time))
    return BeforeDeadline(deadline.computed_at, deadline.changes - len(late), deadline.changes, late)


def _sent(tally: RunTotals, ended_at: datetime, figures: NumberFormat) -> SentMembers | None:
    work = tally.work
    if not work.batches:
        return None
    computed_at = next_computation(ended_at)
    return SentMembers(
        batches=work.batches,
        added=figures.number(work.added),
        removed=figures.number(work.removed),
        rejected=figures.number(work.rejected),
        computed_at=computed_at,
        live_at=computed_at + ACTIVATION_DELAY,
        batch_size=tally.batch_size,
    )


def _failure(ended: ChangeEnded) -> Failure:
    problem = sentence(ended.problem) or "it failed"
    return Failure(name(str(ended.address)), problem, sentence(ended.remedy))
