"""Points of runs are appended to their month; nothing else changes, and months expire after two years."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies

from reconciler.core import series
from reconciler.core.endpoints import EndpointKind
from reconciler.core.model import Address, Seat
from reconciler.core.promotion.lock import Proof, proof_digest
from reconciler.core.promotion.proofs import KnownProofs
from reconciler.core.remote import Statistics
from reconciler.core.series import (
    PointKind,
    SeriesDay,
    SeriesMonth,
    SeriesPoint,
    SeriesRun,
    appended,
    by_day,
    earlier_proofs,
    expired_months,
    month_of,
    months_with,
    newest_months,
    recent_sizes,
    runs_of,
    verified_points,
)
from reconciler.core.verification import VerificationOutcome, VerificationResult

pytestmark = pytest.mark.promise("state")

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
COUNTED = Statistics(9, 6, 0.66)
PROOF = Proof("a" * 64, NOON, EndpointKind.CRITEO, Seat("1", "2"), None)
LAPSED, LOYAL = Address("email", "lapsed"), Address("email", "loyal")


def run(*points: SeriesPoint, at: datetime = NOON, kind: PointKind = PointKind.APPLY) -> SeriesRun:
    return SeriesRun(at.isoformat(), kind, at, points)


def point(size: int | None, adds: int = 0, removes: int = 0, address: Address = LAPSED) -> SeriesPoint:
    return SeriesPoint(address, size, adds, removes, 0)


@given(strategies.series_months, strategies.series_months)
def test_each_run_is_there_once_and_the_others_stay(month: SeriesMonth, more: SeriesMonth) -> None:
    result = month
    for one in more.runs:
        result = appended(result, one)
    new = {one.id for one in more.runs}
    assert result.runs == (*(one for one in month.runs if one.id not in new), *more.runs)
    assert result.month == month.month
    for one in more.runs[-1:]:
        assert appended(result, one) == result


@given(strategies.series_months, st.integers(1, 8))
def test_a_month_is_bounded_and_keeps_its_newest_runs(month: SeriesMonth, most: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(series, "MOST_POINTS", most)
        result = SeriesMonth(month.month)
        for one in month.runs:
            result = appended(result, one)
            assert result.runs[-1] == one
            assert sum(len(run.points) for run in result.runs) <= max(most, len(one.points))
        assert result.runs == month.runs[len(month.runs) - len(result.runs) :]


@given(strategies.times, st.integers(1, 60))
def test_months_count_back_without_a_gap(moment: datetime, count: int) -> None:
    months = newest_months(moment, count)
    assert len(months) == count
    assert months[-1] == month_of(moment)
    for earlier, later in pairwise(months):
        first = datetime.strptime(f"{later}-01+0000", "%Y-%m-%d%z")
        assert month_of(first - timedelta(days=1)) == earlier


@given(strategies.times, st.integers(1, 60))
def test_the_newest_24_months_are_kept(moment: datetime, count: int) -> None:
    months = newest_months(moment, count)
    assert expired_months(months, months[-1]) == months[:-24]


def test_a_day_has_the_last_size_and_rate_and_all_that_was_sent() -> None:
    rate = SeriesPoint(LAPSED, 14, 0, 0, 1, 13, 9, 0.75)
    runs = (
        run(point(9, adds=9), at=NOON - timedelta(days=9)),
        run(point(10, adds=10)),
        run(point(14, adds=5, removes=1), point(3, address=LOYAL), at=NOON + timedelta(hours=1)),
        run(rate, at=NOON + timedelta(hours=2), kind=PointKind.VERIFY),
        run(point(None, adds=2), at=NOON + timedelta(days=1)),
    )
    days = by_day(runs, NOON.date())
    assert days[LAPSED] == (
        SeriesDay(date(2026, 11, 3), 14, 15, 1, 1, 13, 9, 0.75),
        SeriesDay(date(2026, 11, 4), None, 2, 0),
    )
    assert days[LOYAL] == (SeriesDay(date(2026, 11, 3), 3, 0, 0),)


def test_the_newest_sizes_are_in_order_and_known() -> None:
    october, november = (
        SeriesMonth("2026-10", (run(point(1), at=NOON - timedelta(days=9)),)),
        SeriesMonth("2026-11", (run(point(3), at=NOON + timedelta(days=1)), run(point(2)), run(point(None)))),
    )
    assert recent_sizes(runs_of((november, october)), 2) == {LAPSED: (2, 3)}
    assert recent_sizes(runs_of((november, october)), 9) == {LAPSED: (1, 2, 3)}


def test_a_verification_gives_points_of_final_counts_only() -> None:
    results = [
        VerificationResult(LAPSED, VerificationOutcome.VERIFIED, "11", 10, 1, COUNTED),
        VerificationResult(LOYAL, VerificationOutcome.NOT_COMPUTED, "12", 10, 1, COUNTED),
        VerificationResult(LOYAL, VerificationOutcome.MISSING, "12", 10, 1),
    ]
    assert verified_points(results, {}) == (SeriesPoint(LAPSED, 10, 0, 0, 1, 9, 6, 0.66),)
    [point] = verified_points(results, {LAPSED: PROOF})
    assert point.proof == proof_digest(LAPSED, PROOF)


def test_a_proof_is_found_by_all_that_it_states() -> None:
    point = SeriesPoint(LAPSED, 10, 0, 0, 1, 9, 6, 0.66, proof_digest(LAPSED, PROOF))
    known = KnownProofs({}, earlier_proofs([SeriesMonth("2026-11", (run(point, kind=PointKind.VERIFY),))]))
    assert known.has(LAPSED, PROOF)
    assert not known.has(LOYAL, PROOF)
    for other in (
        replace(PROOF, digest="b" * 64),
        replace(PROOF, verified_at=NOON - timedelta(days=2)),
        replace(PROOF, endpoint=EndpointKind.EMULATOR),
        replace(PROOF, seat=Seat("2", "1")),
        replace(PROOF, sample_rows=1000),
    ):
        assert not known.has(LAPSED, other)
        assert KnownProofs({LAPSED: other}).has(LAPSED, other)
    assert earlier_proofs([SeriesMonth("2026-11", (run(SeriesPoint(LAPSED, 10, 1, 0, 0)),))]) == frozenset()


@given(st.lists(strategies.times, max_size=3), st.timedeltas(timedelta(), timedelta(days=28)))
def test_the_months_of_proofs_have_their_points(times: list[datetime], waited: timedelta) -> None:
    months = months_with(replace(PROOF, verified_at=time) for time in times)
    assert {month_of(time + waited) for time in times} <= {*months}
    assert len(months) <= 2 * len(times)
