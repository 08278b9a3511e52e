"""The rate limiter of one credential: the only place where a call waits to be sent."""

import math
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from reconciler.core.ports import Clock
from reconciler.core.remote import RESERVE, RateLimit
from reconciler.criteo import pacing
from reconciler.criteo.call_recorder import CallRecorder
from reconciler.criteo.pacing import RateHeaders, RateTicket

SLICE = 0.5
"""Longest wait while calls are under way: their answers may open the gate earlier."""
MOST_CALLS = 10_000
"""Calls per minute. A header that states more is ignored."""
TICK = 0.001
"""Shortest wait: less is lost where seconds are rounded to the clock's microseconds."""


UNRECORDED = CallRecorder()


class RateLimiter:
    """The rate limiter of one credential. All its requests count against one limit.

    It uses a share of the limit, of 1.0 at most.
    """

    def __init__(
        self, clock: Clock, limit: int, share: float = 1.0, calls: CallRecorder = UNRECORDED
    ) -> None:
        self._clock = clock
        self._calls = calls
        self._lock = threading.Lock()
        self._pace = pacing.shared(limit, share)
        self._newest: RateLimit | None = None
        self._skew: timedelta | None = None
        self._responses, self._response_times = 0, 0.0

    def acquire(self, calls: Callable[[], int]) -> RateTicket:
        """Wait until the call may be sent. `calls` returns its number of requests, with the token request."""
        since, waited = self._now(), False
        while True:
            with self._lock:
                now, needed = self._now(), calls()
                self._pace, ticket = pacing.reserve(self._pace, now, needed)
                if ticket:
                    break
                delay = pacing.delay(self._pace, now, needed)
                under_way, limit = self._pace.in_flight > 0, self._pace.limit
            seconds = max(TICK, min(delay, SLICE) if under_way else delay)
            shown = delay if math.isfinite(delay) else 0.0
            self._clock.wait(seconds, f"up to {limit:,} calls a minute are sent", shown)
            waited = True
        if waited:
            self._calls.waited(timedelta(seconds=now - since))
        return ticket

    def leave_reserve(self) -> None:
        """Leave a part of the calls to other processes from now on."""
        with self._lock:
            self._pace = pacing.leave_reserve(self._pace, RESERVE)

    def record_no_response(self, ticket: RateTicket) -> None:
        """Record that a call got no response."""
        with self._lock:
            self._pace = pacing.observe_no_response(self._pace, ticket, self._now())

    def record_response(self, ticket: RateTicket, headers: Mapping[str, str], *, refused: bool) -> None:
        """An answer came; `refused` is a 429."""
        rate = rate_headers(headers)
        learn = pacing.observe_rejection if refused else pacing.observe_response
        with self._lock:
            self._responses += 1
            self._response_times += max(0.0, self._now() - ticket.sent_at)
            self._pace = learn(self._pace, ticket, rate, self._now())
            if rate.limit is not None and rate.remaining is not None:
                self._newest = RateLimit(
                    pacing.share_of_limit(self._pace),
                    pacing.left(self._pace, rate.remaining),
                    self._response_times / self._responses,
                )
            if rate.date is not None:
                self._skew = timedelta(seconds=rate.date - self._now())

    def rate_limit(self) -> RateLimit | None:
        return self._newest

    def skew(self) -> timedelta | None:
        """Return how far the server's clock was ahead at the last response with a `Date`; None before."""
        return self._skew

    @property
    def refusals(self) -> int:
        """Return the number of 429 responses."""
        return self._pace.refusals

    def _now(self) -> float:
        return self._clock.now().timestamp()


def rate_headers(headers: Mapping[str, str]) -> RateHeaders:
    """Return the valid rate headers. Invalid ones count as missing."""
    limit = _count(headers.get("x-ratelimit-limit"))
    return RateHeaders(
        limit=limit or None,
        remaining=_count(headers.get("x-ratelimit-remaining")),
        reset=_number(headers.get("x-ratelimit-reset")),
        date=_date(headers.get("date")),
    )


def _count(text: str | None) -> int | None:
    number = _number(text)
    return int(number) if number is not None and number <= MOST_CALLS else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(text: str | None) -> float | None:
    """Return the time of a `Date` header; None if it is invalid."""
    try:
        date = parsedate_to_datetime(text or "")
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
