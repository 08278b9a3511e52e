"""How far an apply is, how fast it calls Criteo, and how long it takes from now."""

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from reconciler.core.events import AddressWork, ApplyStarted, BatchAcknowledged, ChangeEnded, Event
from reconciler.core.model import Address
from reconciler.core.rounding import format_limit
from reconciler.render.numbers import counted

WINDOW = 60.0
"""Seconds over which calls are counted."""
TREND = 300.0
"""Seconds whose calls determine the time left."""
USED = 0.75
"""Share of the limit from which an apply is as fast as the limit allows."""
SETTLED = 30.0
"""Seconds until calls are a better measure than the estimate of the plan."""


@dataclass(frozen=True, slots=True)
class Pace:
    """An apply at one moment. `done`: the share of its calls; of its segments if it has no calls.

    `limit` is the number of calls that all credentials may make in a minute, a `share` of what Criteo allows.
    """

    ended: int
    segments: int
    done: float
    calls_per_minute: int
    limit: int
    seconds_left: float
    share: float = 1.0


class ApplyPace:
    """Follows the events of an apply. Times are seconds of a monotonic clock."""

    def __init__(self, started: ApplyStarted, now: float) -> None:
        self._started = started
        self._since = now
        self._work = {one.address: one for one in (*started.removals, *started.changes)}
        self._sent: Counter[Address] = Counter()
        self._ended: set[Address] = set()
        self._recent: dict[str, deque[float]] = defaultdict(deque)

    def take(self, event: Event, now: float) -> None:
        match event:
            case BatchAcknowledged() if event.address in self._work:
                self._sent[event.address] += 1
                self._recent[self._work[event.address].credential].append(now)
            case ChangeEnded():
                self._ended.add(event.address)
            case _:
                pass  # bulk calls are few

    def at(self, now: float) -> Pace:
        changes, limits = self._started.changes, self._started.limits
        ended = sum(one.address in self._ended for one in changes)
        left: Counter[str] = Counter()
        for one in self._work.values():
            left[one.credential] += self._left(one)
        rates = {credential: self._rate(credential, now) for credential in limits}
        total = sum(one.calls for one in self._work.values())
        return Pace(
            ended=ended,
            segments=len(changes),
            done=1 - left.total() / total if total else ended / max(1, len(changes)),
            calls_per_minute=round(sum(rates.values())),
            limit=sum(limits.values()),
            seconds_left=self._seconds_left(left, now),
            share=self._started.share,
        )

    def _left(self, one: AddressWork) -> int:
        return 0 if one.address in self._ended else max(0, one.calls - self._sent[one.address])

    def _seconds_left(self, left: Mapping[str, int], now: float) -> float:
        """Return the estimate of the plan at first, then the calls left at the trend."""
        if self._started.estimate and now < self._since + SETTLED:
            return max(0.0, self._since + self._started.estimate - now)
        trends = {one: self._trend(one, now) for one, limit in self._started.limits.items() if limit}
        paced = [WINDOW * left[one] / trend for one, trend in trends.items()]
        return max(0.0, self._since + self._started.waits - now, *paced)

    def _trend(self, credential: str, now: float) -> float:
        """Return the calls per minute to expect: those of the last minutes, or the limit if it is used.

        Calls come in bursts, so the last minutes may contain one burst less than the next.
        """
        limit, rate = self._started.limits[credential], self._rate(credential, now, TREND)
        return rate if 0 < rate < USED * limit else limit

    def _rate(self, credential: str, now: float, window: float = WINDOW) -> float:
        """Return the calls per minute, at most the limit: a minute may contain two bursts."""
        recent = self._recent[credential]
        while recent and recent[0] <= now - TREND:
            recent.popleft()
        elapsed = min(window, now - self._since)
        counted = len(recent) - bisect_right(recent, now - window)
        rate = WINDOW * counted / elapsed if elapsed else 0.0
        return min(rate, self._started.limits[credential])


def pace_text(pace: Pace) -> str:
    """Return text such as "312/600 segments · 62% · 248 calls/min · 3 min left"."""
    return " · ".join((_segments(pace), _share(pace), f"{pace.calls_per_minute:,} calls/min", _left(pace)))


def budget_text(pace: Pace) -> str:
    """Return text such as "62% · 312/600 segments · 248 of 250 calls/min · 3 min left".

    With a share of the limit: "124 of 125 calls/min (50%)".
    """
    share = f" ({format_limit(pace.share)})" if pace.share < 1 else ""
    rate = f"{pace.calls_per_minute:,} of {pace.limit:,} calls/min{share}"
    return " · ".join((_share(pace), _segments(pace), rate, _left(pace)))


def _segments(pace: Pace) -> str:
    return f"{pace.ended:,}/{counted(pace.segments, 'segment')}"


def _share(pace: Pace) -> str:
    """Return whole percent. 100% means that nothing is left."""
    return f"{int(100 * pace.done)}%"


def _left(pace: Pace) -> str:
    minutes = ceil(pace.seconds_left / 60)
    if minutes <= 1:
        return "<1 min left"
    hours, rest = divmod(minutes, 60)
    return f"{hours:,} h {rest} min left" if hours else f"{minutes} min left"
