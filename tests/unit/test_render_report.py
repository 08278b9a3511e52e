"""The end of an apply in four counts, and never a word too many."""

import io
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.errors import RejectedError, RemoteError
from reconciler.core.events import BatchTaken, Outcome, SegmentPatched
from reconciler.core.model import Address
from reconciler.render.figures import EXACT, ROUNDED, Figures
from reconciler.render.report import ApplyReport, Tally, Work, apply_report, print_report
from reconciler.render.terminal import console

pytestmark = pytest.mark.promise("read-right")

END = datetime(2026, 11, 24, 11, 30, tzinfo=UTC)
A, B, C = (Address("offsite-email", name) for name in "abc")
NOTHING = Work(0, 0, 0, 0)


def report(
    outcomes: dict[Address, Outcome],
    errors: dict[Address, RemoteError] | None = None,
    work: Work = NOTHING,
    unchanged: int = 0,
    figures: Figures = EXACT,
) -> ApplyReport:
    elapsed = timedelta(seconds=174)
    return apply_report("production", outcomes, errors or {}, unchanged, work, elapsed, END, figures)


def told(one: ApplyReport) -> list[str]:
    stream = io.StringIO()
    print_report(one, console(stream, color=None))
    return stream.getvalue().splitlines()


def test_all_went_well() -> None:
    work = Work(batches=12, added=18_240, removed=2_911, rejected=0)
    assert told(report({A: Outcome.APPLIED, B: Outcome.APPLIED}, work=work, unchanged=3)) == [
        "Applied on production in 2 min 54 s: 2 applied, 3 already done, 0 failed, 0 not attempted.",
        "Members: +18,240 −2,911 in 12 batches.",
        "Criteo computes what was sent at 12:00 UTC; live about 17:00 UTC.",
    ]


def test_one_was_stopped_on_its_way() -> None:
    outcomes = {C: Outcome.NOT_ATTEMPTED, B: Outcome.STOPPED, A: Outcome.APPLIED}
    said = told(report(outcomes, {}, Work(batches=1, added=10, removed=0, rejected=0)))
    assert said[:3] == ["Stopped midway: offsite-email/b", "Not attempted: offsite-email/c", ""]
    assert "0 failed, 1 stopped midway, 1 not" in said[3]


def test_some_failed() -> None:
    errors = {B: RejectedError("Criteo refused the batch", remedy="look at it")}
    outcomes = {C: Outcome.NOT_ATTEMPTED, B: Outcome.FAILED, A: Outcome.APPLIED}
    work = Work(batches=1, added=10, removed=0, rejected=1)
    assert told(report(outcomes, errors, work)) == [
        "! offsite-email/b: Criteo refused the batch",
        "  → look at it",
        "Not attempted: offsite-email/c",
        "",
        "Applied in part on production in 2 min 54 s: 1 applied, 0 already done, 1 failed, 1 not attempted.",
        "Members: +10 in 1 batch; 1 identifier rejected by Criteo.",
        "Criteo computes what was sent at 12:00 UTC; live about 17:00 UTC.",
        "Next: run the same command again: it goes on where it stopped",
    ]


def test_nothing_applied_is_never_called_applied() -> None:
    assert report({A: Outcome.FAILED}).headline.startswith("Nothing is complete yet on production")
    assert report({}, unchanged=8).headline == (
        "Nothing to do: production is as the manifests say. "
        "0 applied, 8 already done, 0 failed, 0 not attempted."
    )


def test_a_failure_without_an_error_still_shows() -> None:
    assert told(report({A: Outcome.FAILED}))[0] == "! offsite-email/a: it failed"


def test_rounded_reports_hide_small_counts() -> None:
    work = Work(batches=1, added=3, removed=0, rejected=2)
    assert report({A: Outcome.APPLIED}, work=work, figures=ROUNDED).members == (
        "Members: +<10 in 1 batch; <10 identifiers rejected by Criteo."
    )
    all_rejected = Work(batches=1, added=0, removed=0, rejected=20)
    assert report({A: Outcome.APPLIED}, work=all_rejected).members.startswith("Members: none in 1 batch;")


def test_the_tally_counts_what_criteo_took() -> None:
    tally = Tally()
    tally.emit(BatchTaken(A, "add", 100, 3, 100, 150))
    tally.emit(BatchTaken(A, "remove", 50, 0, 150, 150))
    tally.emit(SegmentPatched(A))
    assert (tally.added, tally.removed) == (97, 50)
