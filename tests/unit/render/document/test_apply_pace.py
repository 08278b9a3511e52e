"""The progress of an apply: share of its calls, rate, and time left, from its events and a clock."""

import pytest

from reconciler.core.events import AddressWork, ApplyStarted, BatchAcknowledged, ChangeEnded, ChangeOutcome
from reconciler.core.model import Address
from reconciler.render.document.apply_pace import ApplyPace, Pace, budget_text, pace_text

pytestmark = pytest.mark.promise("read-right")

A, B, BLOCKED = (Address("offsite-email", name) for name in ("a", "b", "blocked"))


def started(*calls: int, limit: int = 60, waits: float = 0.0) -> ApplyStarted:
    work = zip((A, B), calls, strict=False)
    return ApplyStarted(
        tuple(AddressWork(address, "criteo", count) for address, count in work), (), {"criteo": limit}, waits
    )


def batch(address: Address) -> BatchAcknowledged:
    return BatchAcknowledged(address, "add", 10, 0, 10, 100)


def sent(pace: ApplyPace, address: Address, *times: float) -> None:
    for now in times:
        pace.take(batch(address), now)


def test_the_share_is_that_of_calls() -> None:
    pace = ApplyPace(started(3, 1), 0)
    sent(pace, A, 1, 2)
    assert (pace.at(2).done, pace.at(2).ended) == (0.5, 0)
    pace.take(ChangeEnded(B, ChangeOutcome.APPLIED), 3)
    assert (pace.at(3).done, pace.at(3).ended) == (0.75, 1)


def test_calls_of_a_failed_change_are_no_longer_expected() -> None:
    pace = ApplyPace(started(50, 50), 0)
    pace.take(ChangeEnded(A, ChangeOutcome.FAILED), 1)
    assert pace.at(1).done == 0.5


def test_more_calls_than_planned_are_not_more_than_all() -> None:
    pace = ApplyPace(started(2), 0)
    sent(pace, A, 1, 2, 3)
    assert pace.at(3).done == 1


def test_without_calls_the_share_is_that_of_segments() -> None:
    pace = ApplyPace(started(0, 0), 0)
    pace.take(ChangeEnded(A, ChangeOutcome.APPLIED), 1)
    assert pace.at(1) == Pace(1, 2, 0.5, 0, 60, 0.0)


def test_removals_at_blocked_addresses_count_as_calls_not_as_segments() -> None:
    work = ApplyStarted(
        (AddressWork(A, "criteo", 1),), (AddressWork(BLOCKED, "criteo", 1),), {"criteo": 60}, 0.0
    )
    pace = ApplyPace(work, 0)
    sent(pace, BLOCKED, 1)
    assert (pace.at(1).done, pace.at(1).segments) == (0.5, 1)


def test_the_rate_is_that_of_the_last_minute() -> None:
    pace = ApplyPace(started(1000, limit=250), 0)
    sent(pace, A, *range(1, 121))
    assert pace.at(120).calls_per_minute == 60
    assert pace.at(150).calls_per_minute == 30


def test_bursts_count_as_no_more_than_the_limit() -> None:
    pace = ApplyPace(started(1000, limit=250), 0)
    sent(pace, A, *[1.0] * 250)
    assert (pace.at(2).calls_per_minute, pace.at(2).seconds_left) == (250, 180)
    sent(pace, A, *[60.5] * 250)
    assert (pace.at(60.6).calls_per_minute, pace.at(60.6).seconds_left) == (250, 120)


def test_the_time_left_follows_the_limit_until_there_is_a_rate() -> None:
    assert ApplyPace(started(120, 60, limit=60), 5).at(5).seconds_left == 180


def test_the_slowest_credential_determines_the_time_left() -> None:
    work = ApplyStarted(
        (AddressWork(A, "fast", 250), AddressWork(B, "slow", 30)), (), {"fast": 250, "slow": 10}, 0.0
    )
    assert ApplyPace(work, 0).at(0).seconds_left == 180


def test_the_time_left_includes_the_wait_for_unconfirmed_requests() -> None:
    pace = ApplyPace(started(1, waits=900.0), 100)
    assert pace.at(100).seconds_left == 900
    assert pace.at(400).seconds_left == 600


def test_a_share_of_the_limit_is_shown_beside_it() -> None:
    work = ApplyStarted((AddressWork(A, "criteo", 250),), (), {"criteo": 125}, 0.0, share=0.5)
    assert budget_text(ApplyPace(work, 0).at(0)) == "0% · 0/1 segment · 0 of 125 calls/min (50%) · 2 min left"


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (0.0, "<1 min left"),
        (60.0, "<1 min left"),
        (61.0, "2 min left"),
        (180.0, "3 min left"),
        (7_380.0, "2 h 3 min left"),
    ],
)
def test_a_line_has_segments_share_rate_and_time(left: float, text: str) -> None:
    pace = Pace(312, 600, 0.629, 248, 250, left)
    assert pace_text(pace) == f"312/600 segments · 62% · 248 calls/min · {text}"
    assert budget_text(pace) == f"62% · 312/600 segments · 248 of 250 calls/min · {text}"
