"""The end of an apply: four counts, what went wrong and what to do about it, and what to do next."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from reconciler.core.errors import ReconcilerError
from reconciler.core.events import BatchTaken, Event, Outcome
from reconciler.core.model import Address
from reconciler.core.schedule import TO_CAMPAIGNS, next_computation
from reconciler.render.figures import Figures, counted, duration, near
from reconciler.render.terminal import show, wrapped
from reconciler.render.text import name, sentence


class Tally:
    """Counts what Criteo took, from the events of several threads. Those it refused are not counted in."""

    def __init__(self) -> None:
        self.added = 0
        self.removed = 0
        self._counting = threading.Lock()

    def emit(self, event: Event) -> None:
        if isinstance(event, BatchTaken):
            taken = event.count - event.rejected
            with self._counting:
                if event.operation == "add":
                    self.added += taken
                else:
                    self.removed += taken


@dataclass(frozen=True, slots=True)
class Failure:
    address: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How an apply ended, address by address; `already_done` needed nothing."""

    applied: int
    already_done: int
    failed: int
    stopped: int
    not_attempted: int


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """An apply, ready to be laid out. `failures` and `not_attempted` are in order of their addresses."""

    counts: Counts
    headline: str
    members: str
    live: str
    failures: tuple[Failure, ...]
    stopped: tuple[str, ...]
    not_attempted: tuple[str, ...]
    next_step: str


@dataclass(frozen=True, slots=True)
class Work:
    """What was sent: batches that Criteo acknowledged, and members in them."""

    batches: int
    added: int
    removed: int
    rejected: int


def apply_report(
    environment: str,
    outcomes: Mapping[Address, Outcome],
    errors: Mapping[Address, ReconcilerError],
    unchanged: int,
    work: Work,
    elapsed: timedelta,
    ended_at: datetime,
    figures: Figures,
) -> ApplyReport:
    """What an apply did. "Applied" is only ever said of changes that were carried out in full."""
    ended = {kind: [address for address, one in sorted(outcomes.items()) if one == kind] for kind in Outcome}
    counts = Counts(
        applied=len(ended[Outcome.APPLIED]),
        already_done=unchanged,
        failed=len(ended[Outcome.FAILED]),
        stopped=len(ended[Outcome.STOPPED]),
        not_attempted=len(ended[Outcome.NOT_ATTEMPTED]),
    )
    unfinished = counts.failed + counts.stopped + counts.not_attempted
    return ApplyReport(
        counts=counts,
        headline=_headline(name(environment), counts, elapsed),
        members=_members(work, figures),
        live=_live(ended_at) if work.batches else "",
        failures=tuple(_failure(address, errors.get(address)) for address in ended[Outcome.FAILED]),
        stopped=tuple(name(str(address)) for address in ended[Outcome.STOPPED]),
        not_attempted=tuple(name(str(address)) for address in ended[Outcome.NOT_ATTEMPTED]),
        next_step="run the same command again: it goes on where it stopped" if unfinished else "",
    )


def print_report(report: ApplyReport, out: Console) -> None:
    show(report_lines(report, out), out)


def report_lines(report: ApplyReport, out: Console) -> Iterator[Text]:
    for failure in report.failures:
        yield from wrapped(f"! {failure.address}: {failure.problem}", "red", 0, out, hang=2)
        if failure.remedy:
            yield from wrapped(f"→ {failure.remedy}", "", 2, out, hang=2)
    for what, addresses in (("Stopped midway", report.stopped), ("Not attempted", report.not_attempted)):
        if addresses:
            yield from wrapped(f"{what}: {', '.join(addresses)}", "yellow", 0, out, hang=2)
    if report.failures or report.stopped or report.not_attempted:
        yield Text()
    yield from wrapped(report.headline, "bold", 0, out)
    for line in (report.members, report.live):
        if line:
            yield from wrapped(line, "", 0, out)
    if report.next_step:
        yield from wrapped(f"Next: {report.next_step}", "bold", 0, out)


def _headline(environment: str, counts: Counts, elapsed: timedelta) -> str:
    stopped = f"{counts.stopped:,} stopped midway, " if counts.stopped else ""
    numbers = (
        f"{counts.applied:,} applied, {counts.already_done:,} already done, "
        f"{counts.failed:,} failed, {stopped}{counts.not_attempted:,} not attempted"
    )
    changes = counts.applied + counts.failed + counts.stopped + counts.not_attempted
    if not changes:
        return f"Nothing to do: {environment} is as the manifests say. {numbers}."
    if not counts.applied:
        start = "Nothing is complete yet"
    elif counts.applied < changes:
        start = "Applied in part"
    else:
        start = "Applied"
    return f"{start} on {environment} in {duration(elapsed)}: {numbers}."


def _members(work: Work, figures: Figures) -> str:
    if not work.batches:
        return ""
    moved = [one for one in (figures.plus(work.added), figures.minus(work.removed)) if one] or ["none"]
    text = f"Members: {' '.join(moved)} in {counted(work.batches, 'batch', 'batches')}"
    if work.rejected:
        what = "identifier" if work.rejected == 1 else "identifiers"
        text += f"; {figures.count(work.rejected)} {what} rejected by Criteo"
    return f"{text}."


def _live(ended_at: datetime) -> str:
    computed = next_computation(ended_at)
    live = near(computed + TO_CAMPAIGNS, computed)
    return f"Criteo computes what was sent at {near(computed, ended_at)}; live about {live}."


def _failure(address: Address, error: ReconcilerError | None) -> Failure:
    problem, remedy = (error.problem, error.remedy) if error else ("it failed", "")
    return Failure(name(str(address)), sentence(problem), sentence(remedy))
