"""What became of each address over time: one point per address and run, in documents of one month each.

The documents are advisory: a lost month costs its points, and nothing else. Counts are exact, because the
state has them exactly too.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from reconciler.core.model import Address
from reconciler.core.promotion.lock import Proof, proof_digest
from reconciler.core.verification import VerificationResult

RETENTION = 24
"""Months of points that a state keeps, with the newest one."""
MOST_POINTS = 100_000
"""Points of a month. The oldest runs of a month beyond it are dropped."""

MOST_WAIT = timedelta(days=28)
"""A verification writes its points this long after it checked an address, at most (`verify --wait`)."""


class PointKind(StrEnum):
    """What a run did."""

    APPLY = "apply"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One address in one run.

    `size` is that of the last completed transfer; None if it is not known. `adds` and `removes` are the
    members that Criteo acknowledged in this run, `rejected` those of `size` that it called invalid.
    `arrived`, `matched` and `match_rate` are Criteo's counts, of a verification only. `proof` is the digest
    of what a successful verification proves; "" of any other point.
    """

    address: Address
    size: int | None
    adds: int
    removes: int
    rejected: int
    arrived: int | None = None
    matched: int | None = None
    match_rate: float | None = None
    proof: str = ""


@dataclass(frozen=True, slots=True)
class SeriesRun:
    """All points of one run. `id` is the one in its events, `at` its end."""

    id: str
    kind: PointKind
    at: datetime
    points: tuple[SeriesPoint, ...]


@dataclass(frozen=True, slots=True)
class SeriesMonth:
    """The runs of one month, such as 2026-11, in the order of writing."""

    month: str
    runs: tuple[SeriesRun, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesDay:
    """One address on one day: the last size and match rate, and all members that were sent.

    `adds` and `removes` are None on a day without an apply.
    """

    day: date
    size: int | None = None
    adds: int | None = None
    removes: int | None = None
    rejected: int = 0
    arrived: int | None = None
    matched: int | None = None
    match_rate: float | None = None


def month_of(moment: datetime) -> str:
    return f"{moment:%Y-%m}"


def newest_months(moment: datetime, count: int) -> tuple[str, ...]:
    """Return the month of a moment and those before it, the oldest first."""
    newest = moment.year * 12 + moment.month - 1
    return tuple(f"{month // 12:04}-{month % 12 + 1:02}" for month in range(newest - count + 1, newest + 1))


def expired_months(known: Iterable[str], newest: str) -> tuple[str, ...]:
    """Return the months that are no longer kept once `newest` is written. Later months stay."""
    kept = newest_months(datetime.strptime(f"{newest}-01+0000", "%Y-%m-%d%z"), RETENTION)
    return tuple(month for month in known if month < kept[0])


def appended(month: SeriesMonth, run: SeriesRun) -> SeriesMonth:
    """Return the month with a run, in place of an earlier write of the same run.

    The oldest runs beyond MOST_POINTS are dropped, but never the one that is appended.
    """
    runs = [one for one in month.runs if one.id != run.id]
    room = MOST_POINTS - len(run.points)
    kept = []
    for one in reversed(runs):
        room -= len(one.points)
        if room < 0:
            break
        kept.append(one)
    return replace(month, runs=(*reversed(kept), run))


def verified_points(
    results: Iterable[VerificationResult], proofs: Mapping[Address, Proof]
) -> tuple[SeriesPoint, ...]:
    """Return the points of a verification: of each address whose result is final, and that Criteo counts.

    `proofs` are the newest ones, these results included.
    """
    return tuple(
        SeriesPoint(
            one.address,
            one.sent,
            0,
            0,
            one.rejected,
            one.counts.identifiers,
            one.counts.matches,
            one.counts.match_rate,
            proof_digest(one.address, proofs[one.address]) if one.address in proofs else "",
        )
        for one in results
        if one.outcome.is_kept and one.counts.identifiers is not None
    )


def months_with(proofs: Iterable[Proof]) -> tuple[str, ...]:
    """Return the months that may have the points of these proofs: a run can end in the month after."""
    times = [one.verified_at for one in proofs]
    return tuple(sorted({month_of(time) for one in times for time in (one, one + MOST_WAIT)}))


def earlier_proofs(months: Iterable[SeriesMonth]) -> frozenset[str]:
    """Return the digests of all proofs in these months."""
    points = (point for month in months for run in month.runs for point in run.points)
    return frozenset(point.proof for point in points if point.proof)


def runs_of(months: Iterable[SeriesMonth]) -> tuple[SeriesRun, ...]:
    """Return all runs, the oldest first."""
    return tuple(sorted((run for month in months for run in month.runs), key=lambda run: run.at))


def recent_sizes(runs: Iterable[SeriesRun], most: int) -> dict[Address, tuple[int, ...]]:
    """Return the newest known sizes of each address, the oldest first."""
    sizes: dict[Address, list[int]] = defaultdict(list)
    for run in runs:
        for point in run.points:
            if point.size is not None:
                sizes[point.address].append(point.size)
    return {address: tuple(found[-most:]) for address, found in sizes.items()}


def by_day(runs: Iterable[SeriesRun], since: date) -> Mapping[Address, tuple[SeriesDay, ...]]:
    """Return the days of each address from `since` on, in order. A day without a point is not listed."""
    days: dict[Address, dict[date, SeriesDay]] = defaultdict(dict)
    for run in runs:
        day = run.at.date()
        if day >= since:
            for point in run.points:
                known = days[point.address]
                known[day] = _later(known.get(day, SeriesDay(day)), run.kind, point)
    return {address: tuple(known[day] for day in sorted(known)) for address, known in days.items()}


def _later(day: SeriesDay, kind: PointKind, point: SeriesPoint) -> SeriesDay:
    size = day.size if point.size is None else point.size
    if kind is PointKind.APPLY:
        return replace(
            day,
            size=size,
            adds=(day.adds or 0) + point.adds,
            removes=(day.removes or 0) + point.removes,
            rejected=point.rejected,
        )
    return replace(
        day,
        size=size,
        rejected=point.rejected,
        arrived=point.arrived,
        matched=point.matched,
        match_rate=point.match_rate,
    )
