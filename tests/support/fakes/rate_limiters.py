"""Rate limiters and many workers in simulated time, for each definition of a minute."""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from reconciler.criteo import pacing
from reconciler.criteo.pacing import RateHeaders, RateState, RateTicket
from reconciler.criteo.rate_limiter import SLICE


@dataclass(frozen=True)
class Verdict:
    allowed: bool
    remaining: int
    reset: float


class Limiter(Protocol):
    def arrive(self, now: float) -> Verdict: ...

    def earliest(self, now: float) -> float:
        """Return the earliest time at which a call arriving now is allowed; calls arrive roughly in order."""
        ...


class Fixed:
    """A limit per full minute."""

    def __init__(self, limit: int) -> None:
        self.limit, self.window, self.used = limit, -1.0, 0

    def arrive(self, now: float) -> Verdict:
        window = now // 60
        if window != self.window:
            self.window, self.used = window, 0
        allowed = self.used < self.limit
        self.used += allowed
        return Verdict(allowed, self.limit - self.used, (window + 1) * 60)

    def earliest(self, now: float) -> float:
        full = now // 60 <= self.window and self.used >= self.limit
        return (self.window + 1) * 60 if full else max(now, self.window * 60)


class Sliding:
    """A limit for any sixty seconds."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.calls: deque[float] = deque()

    def arrive(self, now: float) -> Verdict:
        while self.calls and self.calls[0] <= now - 60:
            self.calls.popleft()
        allowed = len(self.calls) < self.limit
        if allowed:
            self.calls.append(now)
        return Verdict(allowed, self.limit - len(self.calls), self.calls[0] + 60)

    def earliest(self, now: float) -> float:
        now = max(now, self.calls[-1]) if self.calls else now
        return max(now, self.calls[0] + 60) if len(self.calls) >= self.limit else now


class Bucket:
    """A token bucket with a minute's calls, refilled evenly."""

    def __init__(self, limit: int) -> None:
        self.limit, self.tokens, self.at = limit, float(limit), 0.0

    def arrive(self, now: float) -> Verdict:
        self.tokens = min(self.limit, self.tokens + (now - self.at) * self.limit / 60)
        self.at = now
        allowed = self.tokens >= 1
        self.tokens -= allowed
        missing = max(0.0, 1 - self.tokens)
        return Verdict(allowed, int(self.tokens), now + missing * 60 / self.limit)

    def earliest(self, now: float) -> float:
        now = max(now, self.at)
        tokens = self.tokens + (now - self.at) * self.limit / 60
        return now + max(0.0, 1 - tokens) * 60 / self.limit + 1e-6


class FromFirstCall(Fixed):
    """A limit per minute, which starts with its first call."""

    def arrive(self, now: float) -> Verdict:
        if now >= self.window + 60:
            self.window, self.used = now, 0
        allowed = self.used < self.limit
        self.used += allowed
        return Verdict(allowed, self.limit - self.used, self.window + 60)


class FullBucket(Bucket):
    """A token bucket whose reset is the time when it is full."""

    def arrive(self, now: float) -> Verdict:
        status = super().arrive(now)
        full = now + (self.limit - self.tokens) * 60 / self.limit
        return Verdict(status.allowed, status.remaining, full)


KINDS: dict[str, Callable[[int], Limiter]] = {"fixed": Fixed, "sliding": Sliding, "bucket": Bucket}
VARIANTS = {**KINDS, "from first call": FromFirstCall, "full bucket": FullBucket}


@dataclass
class World:
    """A limiter behind a network: callers, latencies, and headers.

    `there` is the share of the latency before the call arrives and counts. `skew` is how far the
    server's clock is ahead of ours. Worlds with one limiter are processes that use one credential.
    """

    limiter: Limiter
    limit: int
    workers: int
    latency: Callable[[], float]
    there: Callable[[], float]
    skew: float = 0.0
    start: float = 1_800_000_000.0
    with_date: bool = True
    with_headers: bool = True
    round_reset: Callable[[float], float] = math.ceil
    assumed: int = 10
    share: float = 1.0
    reserve: float = 0.0
    pace: RateState = field(init=False)
    to_send: int = 0
    to_end: int = 0
    refused: int = 0

    def run(self, calls: int) -> float:
        """Send this many calls; return the time until the last response."""
        return run_together([self], calls)

    def begin(self, calls: int, agenda: "Agenda") -> None:
        self.pace = pacing.leave_reserve(pacing.shared(self.assumed, self.share), self.reserve)
        self.to_send = self.to_end = calls
        for _ in range(self.workers):
            agenda.add(self.start, Event("ready"), self)

    def step(self, agenda: "Agenda", event: "Event", now: float) -> None:
        if event.what == "arrive":
            agenda.add(now + event.back, self.judge(event, now), self)
        elif event.what == "answer":
            allowed = self.learn(event, now)
            self.to_end, self.to_send = self.to_end - allowed, self.to_send + (not allowed)
            agenda.add(now, Event("ready"), self)
        elif self.to_send:
            self.to_send -= self.send(agenda, now)

    def send(self, agenda: "Agenda", now: float) -> bool:
        self.pace, ticket = pacing.reserve(self.pace, now)
        if ticket:
            latency, share = self.latency(), self.there()
            agenda.add(now + latency * share, Event("arrive", ticket, latency * (1 - share)), self)
            return True
        wait = pacing.delay(self.pace, now)
        agenda.add(now + max(0.001, min(wait, SLICE) if self.pace.in_flight else wait), Event("ready"), self)
        return False

    def judge(self, event: "Event", now: float) -> "Event":
        status = self.limiter.arrive(now + self.skew)
        self.refused += not status.allowed
        return Event("answer", event.ticket, status=status, date=math.floor(now + self.skew))

    def learn(self, event: "Event", now: float) -> bool:
        status = event.status
        headers = RateHeaders()
        if self.with_headers:
            date = float(event.date) if self.with_date else None
            headers = RateHeaders(self.limit, status.remaining, self.round_reset(status.reset), date)
        change = pacing.observe_response if status.allowed else pacing.observe_rejection
        self.pace = change(self.pace, event.ticket, headers, now)
        return status.allowed

    def oracle(self, calls: int) -> float:
        """Return the time that the same workers take if they know the limiter."""
        free, last = [self.start] * self.workers, self.start
        for _ in range(calls):
            latency, share = self.latency(), self.there()
            wished = heapq.heappop(free) + latency * share + self.skew
            arrival = self.limiter.earliest(wished)
            self.limiter.arrive(arrival)
            end = arrival - self.skew + latency * (1 - share)
            heapq.heappush(free, end)
            last = max(last, end)
        return last - self.start


@dataclass(frozen=True)
class Event:
    what: str
    ticket: RateTicket = field(default=RateTicket(0, 1, 0, 0))
    back: float = 0.0
    status: Verdict = field(default=Verdict(allowed=True, remaining=0, reset=0))
    date: int = 0


class Agenda:
    """Future events, in order of time, then of entry."""

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Event, World]] = []
        self._count = 0

    def add(self, time: float, event: Event, world: World) -> None:
        self._count += 1
        heapq.heappush(self._events, (time, self._count, event, world))

    def next(self) -> tuple[float, Event, World]:
        time, _, event, world = heapq.heappop(self._events)
        return time, event, world


def run_together(worlds: Sequence[World], calls: int) -> float:
    """Let each process send this many calls; return the time from the first start to the last response."""
    agenda = Agenda()
    for world in worlds:
        world.begin(calls, agenda)
    return run_all(worlds, agenda) - min(world.start for world in worlds)


def run_all(worlds: Sequence[World], agenda: Agenda) -> float:
    """Run until these processes have ended, and return the time; others may go on."""
    now = 0.0
    while any(world.to_end for world in worlds):
        now, event, world = agenda.next()
        world.step(agenda, event, now)
    return now


def steady(kind: str, limit: int, latency: float, seed: int, workers: int = 8) -> World:
    """Usual latencies: they differ by half, and calls count between sending and response."""
    chance = random.Random(seed)  # noqa: S311 - a seeded simulation
    return World(
        KINDS[kind](limit),
        limit,
        workers,
        latency=lambda: latency * chance.uniform(0.5, 1.5),
        there=lambda: chance.uniform(0.2, 0.9),
        skew=chance.uniform(-40, 40),
        start=1_800_000_000 + chance.uniform(0, 60),
    )
