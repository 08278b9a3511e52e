"""The final report of an apply, in four counts."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from golden import plan_cases as cases

from reconciler.core.errors import CancelledError
from reconciler.core.events import (
    BatchAcknowledged,
    BatchSizeLowered,
    ChangeEnded,
    ChangeOutcome,
    Counts,
    SegmentUpdated,
    SentTotals,
    plan_made,
)
from reconciler.core.model import Address
from reconciler.render.document import document_text
from reconciler.render.document.apply_report import ApplyReport, RunTotals, apply_report
from reconciler.render.document.model import DocumentType, with_error
from reconciler.render.document.plan import plan_document
from reconciler.render.numbers import EXACT, ROUNDED, NumberFormat
from reconciler.render.terminal.apply_report import print_report
from reconciler.render.terminal.console import console

pytestmark = pytest.mark.promise("read-right")

END = datetime(2026, 11, 24, 11, 30, tzinfo=UTC)
A, B, C = (Address("offsite-email", name) for name in "abc")
ADDED = BatchAcknowledged(A, "add", 10, 0, 10, 10)


def report(
    outcomes: dict[Address, ChangeOutcome],
    *batches: BatchAcknowledged,
    unchanged: int = 0,
    figures: NumberFormat = EXACT,
    problem: tuple[str, str] = ("", ""),
) -> ApplyReport:
    tally = RunTotals()
    tally.emit(plan_made(cases.plan(unchanged=unchanged)))
    for batch in batches:
        tally.emit(batch)
    for address, outcome in outcomes.items():
        tally.emit(ChangeEnded(address, outcome, *(problem if outcome == ChangeOutcome.FAILED else ())))
    return apply_report("production", tally, timedelta(seconds=180), END, figures)


def lines_of(one: ApplyReport) -> list[str]:
    stream = io.StringIO()
    print_report(one, console(stream, color=None))
    return stream.getvalue().splitlines()


def test_all_went_well() -> None:
    batches = [BatchAcknowledged(A, "add", 1_824, 0, 0, 0)] * 10 + [
        BatchAcknowledged(B, "remove", 2_911, 0, 0, 0)
    ]
    assert lines_of(report({A: ChangeOutcome.APPLIED, B: ChangeOutcome.APPLIED}, *batches, unchanged=3)) == [
        "Applied on production in 3 minutes: 2 applied, 3 unchanged, 0 failed, 0 skipped.",
        "Members: +18,240 −2,911 in 11 batches.",
        "Criteo computes what was sent at 12:00 UTC; live about 17:00 UTC.",
    ]


def test_running_again_is_advised_only_where_it_may_help() -> None:
    def next_step(*failures: bool, left: bool = False) -> str:
        tally = RunTotals()
        for address, resumable in zip((A, B), failures, strict=False):
            tally.emit(ChangeEnded(address, ChangeOutcome.FAILED, "no", "", resumable))
        if left:
            tally.emit(ChangeEnded(C, ChangeOutcome.SKIPPED))
        return apply_report("production", tally, timedelta(seconds=1), END, EXACT).next_step

    assert next_step() == next_step(False) == next_step(False, False) == ""
    for mixed in (next_step(True), next_step(True, False), next_step(False, left=True)):
        assert mixed == "rerun the command to resume"


def test_one_was_stopped_on_its_way() -> None:
    outcomes = {C: ChangeOutcome.SKIPPED, B: ChangeOutcome.INTERRUPTED, A: ChangeOutcome.APPLIED}
    said = lines_of(report(outcomes, ADDED))
    assert said[:3] == ["Interrupted: offsite-email/b", "Skipped: offsite-email/c", ""]
    assert "0 failed, 1 interrupted, 1 skipped" in said[3]


def test_some_failed() -> None:
    outcomes = {C: ChangeOutcome.SKIPPED, B: ChangeOutcome.FAILED, A: ChangeOutcome.APPLIED}
    batch, problem = BatchAcknowledged(A, "add", 11, 1, 11, 11), ("Criteo refused the batch", "look at it")
    assert lines_of(report(outcomes, batch, problem=problem)) == [
        "! offsite-email/b: Criteo refused the batch",
        "  → look at it",
        "Skipped: offsite-email/c",
        "",
        "Applied in part on production in 3 minutes: 1 applied, 0 unchanged, 1 failed, 1 skipped.",
        "Members: +10 in 1 batch; 1 identifier rejected by Criteo.",
        "Criteo computes what was sent at 12:00 UTC; live about 17:00 UTC.",
        "Next: rerun the command to resume",
    ]


def test_nothing_applied_is_never_called_applied() -> None:
    assert report({A: ChangeOutcome.FAILED}).headline.startswith("No change completed yet on production")
    assert report({}, unchanged=8).headline == (
        "Nothing to do: production matches its manifests. 0 applied, 8 unchanged, 0 failed, 0 skipped."
    )


def test_a_failure_without_a_word_still_shows() -> None:
    assert lines_of(report({A: ChangeOutcome.FAILED}))[0] == "! offsite-email/a: it failed"


def test_rounded_reports_hide_small_counts() -> None:
    few = report({A: ChangeOutcome.APPLIED}, BatchAcknowledged(A, "add", 5, 2, 5, 5), figures=ROUNDED)
    assert few.members == "Members: +<10 in 1 batch; <10 identifiers rejected by Criteo."
    none = report({A: ChangeOutcome.APPLIED}, BatchAcknowledged(A, "add", 20, 20, 20, 20))
    assert none.members.startswith("Members: none in 1 batch;")


def test_the_tally_counts_what_criteo_took() -> None:
    tally = RunTotals()
    tally.emit(BatchAcknowledged(A, "add", 100, 3, 100, 150))
    tally.emit(BatchAcknowledged(A, "remove", 50, 0, 150, 150))
    tally.emit(SegmentUpdated(A))
    tally.emit(ChangeEnded(A, ChangeOutcome.APPLIED))
    assert tally.work == SentTotals(batches=2, added=97, removed=50, rejected=3)
    assert tally.counts == Counts(applied=1, unchanged=0, failed=0, interrupted=0, skipped=0)


def test_a_smaller_batch_size_is_stated_with_the_setting() -> None:
    tally = RunTotals()
    for event in (
        BatchSizeLowered(25_000),
        BatchSizeLowered(12_500),
        BatchAcknowledged(A, "add", 9, 0, 9, 9),
    ):
        tally.emit(event)
    one = apply_report("sandbox", tally, timedelta(seconds=1), END, EXACT)
    assert one.members.endswith(
        ". Criteo refused batches of more than 12,500 identifiers: write `batchSize: 12500` under `api`."
    )


@pytest.mark.parametrize("subject", [DocumentType.APPLY, DocumentType.PLAN])
def test_what_nothing_came_of_says_so_and_is_never_live(subject: DocumentType) -> None:
    made = plan_document(
        cases.plan(cases.update(cases.LAPSED, cases.CHANGED)), cases.ENVIRONMENT, ROUNDED, subject
    )
    stopped = with_error(made, CancelledError("cancelled"))
    nothing = "Nothing was sent" if subject == DocumentType.APPLY else "This was not finished"
    assert document_text.failure_headline(stopped) == f"{nothing}: cancelled."
    assert (stopped.estimate, document_text.estimate(stopped)) == (None, ())
    assert made.estimate


def test_what_something_came_of_never_says_that_nothing_was_sent() -> None:
    made = plan_document(cases.plan(cases.update(cases.LAPSED, cases.CHANGED)), cases.ENVIRONMENT, ROUNDED)
    stopped = with_error(
        replace(made, outcome=report({A: ChangeOutcome.INTERRUPTED}, ADDED)), CancelledError("cancelled")
    )
    assert document_text.failure_headline(stopped) == ""
    assert stopped.estimate == made.estimate
