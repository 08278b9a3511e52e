"""When a request may be sent: each of the three rules, and the rate limiter."""

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from support.fakes.clock import FakeClock

from reconciler.core.errors import CancelledError
from reconciler.core.remote import RateLimit
from reconciler.criteo import pacing
from reconciler.criteo.pacing import (
    EPSILON,
    FIRST_PAUSE,
    MINUTE,
    ROUNDING,
    RateHeaders,
    RateState,
    RateTicket,
)
from reconciler.criteo.rate_limiter import SLICE, RateLimiter, rate_headers

pytestmark = pytest.mark.promise("pacing")

SILENT = RateHeaders()


def go(pace: RateState, now: float, calls: int = 1) -> tuple[RateState, RateTicket]:
    pace, ticket = pacing.reserve(pace, now, calls)
    assert ticket is not None
    return pace, ticket


def done(pace: RateState, now: float, headers: RateHeaders = SILENT) -> RateState:
    pace, ticket = go(pace, now)
    return pacing.observe_response(pace, ticket, headers, now)


def allowed(pace: RateState, now: float) -> int:
    """How many calls may go at once."""
    count = 0
    while True:
        pace, ticket = pacing.reserve(pace, now)
        if ticket is None:
            return count
        count += 1


def test_the_first_call_goes_alone() -> None:
    """Its response has the limit; without a response, later calls are sent all the same."""
    pace, ticket = go(RateState(10), 0)
    assert allowed(pace, 0) == 0
    assert pacing.delay(pace, 0) == math.inf
    assert allowed(pacing.observe_response(pace, ticket, SILENT, 1), 1) == 9
    assert allowed(pacing.observe_no_response(pace, ticket, 1), 1) == 9


def test_without_headers_a_minute_holds_the_assumed_limit() -> None:
    pace = RateState(3)
    for second in (1, 2, 3):
        pace = done(pace, second)
    assert allowed(pace, 4) == 0
    assert pacing.delay(pace, 4) == pytest.approx(1 + MINUTE + EPSILON - 4)
    assert allowed(pace, 1 + MINUTE + 2 * EPSILON) == 1
    assert allowed(pace, 3 + MINUTE + 2 * EPSILON) == 3


def test_a_call_counts_from_its_answer_and_not_from_its_start() -> None:
    pace, ticket = go(RateState(1), 0)
    pace = pacing.observe_response(pace, ticket, SILENT, 30)
    assert allowed(pace, 80) == 0
    assert allowed(pace, 91) == 1


def test_the_limit_is_what_the_headers_say() -> None:
    assert allowed(done(RateState(10), 0, RateHeaders(limit=250, remaining=249)), 1) == 249
    assert allowed(done(RateState(250), 0, RateHeaders(limit=10, remaining=9)), 1) == 9


def test_what_others_took_is_not_ours() -> None:
    """An earlier run may have used most of the minute."""
    pace = done(RateState(10), 0, RateHeaders(limit=10, remaining=4))
    assert pace.foreign == 5
    assert allowed(pace, 1) == 4
    assert allowed(pace, 1 + MINUTE) == 10


def test_more_remaining_than_a_minute_allows_is_taken() -> None:
    """A new fixed minute starts: the remaining count shows it."""
    pace = RateState(3)
    for second in (57, 58, 59):
        pace = done(pace, second, RateHeaders(3, 59 - second))
    assert allowed(pace, 61) == 0
    pace = done(pace, 60 + 57 + 1, RateHeaders(3, 2))
    assert allowed(pace, 60 + 57 + 2) == 2


def test_calls_under_way_count_against_what_remains() -> None:
    pace = done(RateState(10), 0, RateHeaders(10, 9))
    pace, first = go(pace, 1)
    pace, _ = go(pace, 1)
    pace = pacing.observe_response(pace, first, RateHeaders(10, 3), 2)
    assert allowed(pace, 2) == 2


def test_one_more_goes_from_the_reset_on() -> None:
    """And a second one only when the limiter can't be a sliding minute."""
    start = 1_000_000.0
    pace = done(RateState(1), start, RateHeaders(1, 0, reset=start + 20, date=start))
    assert allowed(pace, start + 20) == 0
    assert pacing.delay(pace, start) == pytest.approx(20 + ROUNDING)
    assert allowed(pace, start + 20 + ROUNDING) == 1


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
def test_a_clock_that_is_wrong_does_not_move_the_reset(ahead: float) -> None:
    start = 1_000_000.0
    headers = RateHeaders(1, 0, reset=start + 20 - ahead, date=start - ahead)
    pace = done(RateState(1), start, headers)
    assert pacing.delay(pace, start) == pytest.approx(20 + ROUNDING)


@pytest.mark.parametrize("reset", [None, 999_000.0, 1_000_020.0, 2_000_000.0])
def test_without_a_date_a_reset_is_ignored(reset: float | None) -> None:
    start = 1_000_000.0
    pace = done(RateState(1), start, RateHeaders(1, 0, reset=reset))
    assert pacing.delay(pace, start) == pytest.approx(MINUTE + EPSILON)


def test_after_a_429_all_wait_for_its_reset_and_then_one_goes() -> None:
    start = 1_000_000.0
    pace = done(RateState(10), start, RateHeaders(10, 9))
    pace, ticket = go(pace, start + 1)
    pace = pacing.observe_rejection(pace, ticket, RateHeaders(10, 0, reset=start + 30), start + 1)
    assert pace.refusals == 1
    assert allowed(pace, start + 29) == 0
    assert pacing.delay(pace, start + 1) == pytest.approx(29 + ROUNDING)
    assert allowed(pace, start + 31) == 1


def test_a_429_that_says_nothing_is_waited_out_longer_each_time() -> None:
    pace, now, waits = RateState(10), 0.0, []
    for _ in range(6):
        pace, ticket = go(pace, now)
        pace = pacing.observe_rejection(pace, ticket, SILENT, now)
        waits.append(pacing.delay(pace, now))
        now += waits[-1]
    assert waits == pytest.approx([FIRST_PAUSE, 10, 20, 40, MINUTE, MINUTE], abs=0.5)
    assert pace.refusals == 6


def test_a_call_with_a_token_takes_two_places() -> None:
    pace, ticket = go(RateState(3), 0, calls=2)
    pace = pacing.observe_response(pace, ticket, SILENT, 0)
    assert allowed(pace, 1) == 1
    assert go(RateState(1), 0, calls=2)[1].calls == 2


def test_headers_that_make_no_sense_are_as_good_as_none() -> None:
    wrong = {
        "x-ratelimit-limit": "many",
        "x-ratelimit-remaining": "-1",
        "x-ratelimit-reset": "nan",
        "date": "now",
    }
    assert rate_headers(wrong) == RateHeaders()
    assert rate_headers({}) == RateHeaders()
    assert rate_headers({"x-ratelimit-limit": "0"}) == RateHeaders()
    date = datetime(2026, 11, 24, tzinfo=UTC)
    right = {
        "x-ratelimit-limit": "20",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "1628249355",
        "date": format_datetime(date, usegmt=True),
    }
    assert rate_headers(right) == RateHeaders(20, 0, 1628249355.0, date.timestamp())


@pytest.mark.parametrize("calls", ["1e300", "1e12", "1e9", "-5", "nan", "inf", "-1e-9", "", "0x10", "٣e9"])
def test_an_implausible_limit_is_ignored(calls: str) -> None:
    assert rate_headers({"x-ratelimit-limit": calls, "x-ratelimit-remaining": calls}) == RateHeaders()


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 99999 00:00:00 GMT",
        f"Mon, 01 Jan {'9' * 30} 00:00:00 GMT",
        "Mon, 32 Foo 2026 99:99:99 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "\x00",
        ",",
    ],
)
@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize("reset", ["1e300", "-1", "nan", "0", "253402300799"])
def test_no_header_stops_the_gate(date: str, refused: bool, reset: str) -> None:
    clock = FakeClock()
    gate = RateLimiter(clock, 250)
    for limit in ("1e300", "1e12", "10000", "0.5"):
        headers = {"date": date, "x-ratelimit-limit": limit, "x-ratelimit-remaining": limit}
        headers["x-ratelimit-reset"] = reset
        gate.record_response(gate.acquire(one), headers, refused=refused)
        gate.acquire(one)
    assert clock.waited < 10 * MINUTE


def one() -> int:
    return 1


def test_the_gate_waits_on_its_clock_and_says_why() -> None:
    clock = FakeClock()
    gate = RateLimiter(clock, 1)
    gate.record_response(
        gate.acquire(one), {"x-ratelimit-limit": "1", "x-ratelimit-remaining": "0"}, refused=False
    )
    assert gate.rate_limit() == RateLimit(1, 0)
    gate.acquire(one)
    assert clock.waits == [(pytest.approx(60.2), "up to 1 calls a minute are sent")]


def test_while_calls_are_under_way_the_gate_looks_often() -> None:
    """Their answers may open it earlier."""
    gate: RateLimiter

    class Answering(FakeClock):
        def wait(self, seconds: float, reason: str, shown: float = 0.0) -> None:
            super().wait(seconds, reason, shown)
            if len(self.waits) == 3:
                gate.record_response(first, {}, refused=False)

    clock = Answering()
    gate = RateLimiter(clock, 10)
    first = gate.acquire(one)
    gate.acquire(one)
    assert [seconds for seconds, _ in clock.waits] == [SLICE] * 3


def test_the_gate_can_be_left_by_cancelling() -> None:
    class Stopping(FakeClock):
        def wait(self, seconds: float, reason: str, shown: float = 0.0) -> None:
            raise CancelledError("asked to stop")

    gate = RateLimiter(Stopping(), 1)
    gate.record_no_response(gate.acquire(one))
    with pytest.raises(CancelledError):
        gate.acquire(one)


def test_the_gate_counts_refusals() -> None:
    gate = RateLimiter(FakeClock(), 10)
    gate.record_response(gate.acquire(one), {}, refused=True)
    assert gate.refusals == 1
    assert gate.rate_limit() is None


def heard(share: float, remaining: int, limit: int = 250) -> RateState:
    """The state after a first response, which took no time."""
    headers = RateHeaders(limit=limit, remaining=remaining, reset=60.0, date=0.0)
    return done(pacing.shared(10, share), 0, headers)


def test_a_share_is_of_the_limit_that_criteo_states() -> None:
    assert pacing.shared(10, 0.5).limit == 5
    assert heard(0.5, 249).limit == 125
    assert heard(0.29, 99, limit=100).limit == 29
    assert heard(0.001, 249).limit == 1
    assert allowed(heard(0.5, 249), 0) == 124


def test_calls_before_the_first_may_be_of_this_environment() -> None:
    pace = heard(0.5, 199)
    assert allowed(pace, 0) == 74
    assert allowed(pace, MINUTE + EPSILON) == 125
    assert allowed(heard(0.5, 0), 0) == 0


def test_calls_of_the_other_environments_do_not_slow_this_one() -> None:
    pace = heard(0.5, 249)
    pace = done(pace, 1, RateHeaders(limit=250, remaining=123, reset=60.0, date=1.0))
    assert (pace.foreign, allowed(pace, 1)) == (0, 123)


def test_more_calls_than_the_rest_of_the_limit_slow_this_environment() -> None:
    pace = heard(0.5, 249)
    pace = done(pace, 1, RateHeaders(limit=250, remaining=93, reset=60.0, date=1.0))
    assert (pace.foreign, allowed(pace, 1)) == (30, 93)


def test_a_share_stays_one_after_a_429() -> None:
    pace, ticket = go(heard(0.5, 249), 1)
    pace = pacing.observe_rejection(pace, ticket, RateHeaders(limit=100), 2)
    assert (pace.limit, pace.foreign) == (50, 50)
    assert allowed(pace, 2 + MINUTE + EPSILON) == 50


def test_the_limit_of_an_environment_is_its_share() -> None:
    gate = RateLimiter(FakeClock(), 250, 0.5)
    gate.record_response(
        gate.acquire(one), {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9"}, refused=False
    )
    assert gate.rate_limit() == RateLimit(5, 4)


def test_a_wait_in_slices_shows_the_whole_wait() -> None:
    """While a call is under way, the limiter looks again every half second."""
    clock = FakeClock()
    gate = RateLimiter(clock, 2)
    gate.record_response(gate.acquire(one), {}, refused=False)
    gate.acquire(one)
    clock.patience = 1
    with pytest.raises(CancelledError):
        gate.acquire(one)
    assert (clock.waits[-1][0], clock.shown[-1]) == (SLICE, pytest.approx(60.2))
