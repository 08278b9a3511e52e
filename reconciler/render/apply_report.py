"""The end of an apply: four counts, what went wrong and what to do about it, and what to do next."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal

from reconciler.core.computations import next_computation
from reconciler.core.events import (
    AddressBlocked,
    BatchAcknowledged,
    ChangeEnded,
    ChangeOutcome,
    Counts,
    Event,
    EventSink,
    PlanCreated,
    SentTotals,
)
from reconciler.core.model import Address
from reconciler.core.rounding import duration
from reconciler.core.schedule import ACTIVATION_DELAY
from reconciler.render.blocked import BlockedGroup, grouped
from reconciler.render.numbers import NumberFormat, counted, near
from reconciler.render.text import name, sentence


class RunTotals(EventSink):
    """What a run has come to, from its events."""

    def __init__(self) -> None:
        self._unchanged = 0
        self._ended: dict[Address, ChangeEnded] = {}
        self._blocked: list[AddressBlocked] = []
        self._work = SentTotals(batches=0, added=0, removed=0, rejected=0)
        self._counting = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._counting:
            match event:
                case PlanCreated():
                    self._unchanged = event.unchanged
                case BatchAcknowledged():
                    self._work = _with(self._work, event)
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
    """Those that Criteo refused are not counted in."""
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
class ApplyReport:
    """An apply, ready to be laid out. `failures` and `not_attempted` are in order of their addresses."""

    counts: Counts
    headline: str
    members: str
    live: str
    failures: tuple[Failure, ...]
    interrupted: tuple[str, ...]
    skipped: tuple[str, ...]
    next_step: str
    blocked: tuple[BlockedGroup, ...] = ()

    @property
    def look(self) -> Literal["good", "risky", "bad"]:
        """How grave it is, for layouts that have colours."""
        if self.failures:
            return "bad"
        return "risky" if self.interrupted or self.skipped or self.blocked else "good"


def apply_report(
    environment: str, tally: RunTotals, elapsed: timedelta, ended_at: datetime, figures: NumberFormat
) -> ApplyReport:
    """What an apply did. "Applied" is only ever said of changes that were carried out in full."""
    counts, work = tally.counts, tally.work
    failed = tally.ended(ChangeOutcome.FAILED)
    unfinished = counts.interrupted or counts.skipped or any(one.resumable for one in failed)
    return ApplyReport(
        counts=counts,
        headline=_headline(name(environment), counts, elapsed, work_done=bool(work.batches)),
        members=_members(work, figures),
        live=_live(ended_at) if work.batches else "",
        failures=tuple(map(_failure, failed)),
        interrupted=tuple(name(str(one.address)) for one in tally.ended(ChangeOutcome.INTERRUPTED)),
        skipped=tuple(name(str(one.address)) for one in tally.ended(ChangeOutcome.SKIPPED)),
        next_step="run the same command again: it goes on where it stopped" if unfinished else "",
        blocked=grouped(tally.blocked),
    )


def _headline(environment: str, counts: Counts, elapsed: timedelta, *, work_done: bool) -> str:
    stopped = f"{counts.interrupted:,} stopped midway, " if counts.interrupted else ""
    numbers = (
        f"{counts.applied:,} applied, {counts.unchanged:,} already done, "
        f"{counts.failed:,} failed, {stopped}{counts.skipped:,} not attempted"
        + (f", {counts.blocked:,} blocked" if counts.blocked else "")
    )
    changes = counts.applied + counts.failed + counts.interrupted + counts.skipped
    if not changes and work_done:
        return f"Only suppressed members were removed on {environment} in {duration(elapsed)}: {numbers}."
    if not changes:
        return f"Nothing to do: {environment} is as the manifests say. {numbers}."
    if not counts.applied:
        start = "Nothing is complete yet"
    elif counts.applied < changes or counts.blocked:
        start = "Applied in part"
    else:
        start = "Applied"
    return f"{start} on {environment} in {duration(elapsed)}: {numbers}."


def _members(work: SentTotals, figures: NumberFormat) -> str:
    if not work.batches:
        return ""
    moved = [one for one in (figures.plus(work.added), figures.minus(work.removed)) if one] or ["none"]
    text = f"Members: {' '.join(moved)} in {counted(work.batches, 'batch', 'batches')}"
    if work.rejected:
        rejected = figures.count(work.rejected)
        what = "identifier" if rejected == "1" else "identifiers"  # "<10 identifier" would say that it is one
        text += f"; {rejected} {what} rejected by Criteo"
    return f"{text}."


def _live(ended_at: datetime) -> str:
    computed = next_computation(ended_at)
    live = near(computed + ACTIVATION_DELAY, computed)
    return f"Criteo computes what was sent at {near(computed, ended_at)}; live about {live}."


def _failure(ended: ChangeEnded) -> Failure:
    problem = sentence(ended.problem) or "it failed"
    return Failure(name(str(ended.address)), problem, sentence(ended.remedy))
