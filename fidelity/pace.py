"""Calls per minute: ten, until a response states the limit; then half of the limit, for other users."""

import time
from collections import deque
from collections.abc import Mapping
from typing import Protocol

UNTOLD = 10
MINUTE = 60.5


class Clock(Protocol):
    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Pace:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: deque[float] = deque()
        self.per_minute = UNTOLD

    def wait(self) -> None:
        """Wait until the next call is allowed."""
        now = self._clock.now()
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        if len(self._sent) >= self.per_minute:
            self._clock.sleep(self._sent[len(self._sent) - self.per_minute] + MINUTE - now)
        self._sent.append(self._clock.now())

    def learn(self, headers: Mapping[str, str]) -> None:
        header = headers.get("x-ratelimit-limit", "")
        if header.isascii() and header.isdigit() and int(header):
            self.per_minute = max(1, int(header) // 2)

    def refused(self, headers: Mapping[str, str]) -> None:
        """Wait after a 429: until its reset, or a minute."""
        header = headers.get("x-ratelimit-reset", "")
        wait = float(header) - self._clock.now() if header.isascii() and header.isdigit() else MINUTE
        self._clock.sleep(min(max(wait, 1.0), MINUTE))
