"""How many calls a minute; a pure rule over the calls let through, in three readings of "minute"."""

import math
from dataclasses import dataclass, replace

import orjson

from reconciler.emulator.accesstokens import Grant
from reconciler.emulator.database import Session
from reconciler.emulator.switches import Switches

MINUTE = 60.0
ROUNDING = 1e-6


@dataclass(frozen=True)
class Ruling:
    """`reset` is the Unix second from which another call may be made."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset),
        }


def decide(session: Session, grant: Grant) -> Ruling:
    """Counts this call for its grant, unless it is refused."""
    key = f"rate {session.switches.rate_window} {grant.consent}"
    stored = session.get(key)
    state = orjson.loads(stored) if isinstance(stored, str) else []
    switches = replace(session.switches, rate_limit=grant.limit)
    result, state = rule(switches, state, session.now)
    session.put(key, orjson.dumps(state).decode())
    return result


def rule(switches: Switches, state: list[float], now: float) -> tuple[Ruling, list[float]]:
    """The state of a bucket is (tokens, instant); of a window, the instants of its calls."""
    if switches.rate_window == "bucket":
        return _bucket(switches.rate_limit, state, now)
    if switches.rate_window == "fixed":
        opened = now // MINUTE * MINUTE
        calls = [call for call in state if call >= opened]
        return _window(switches.rate_limit, calls, now, math.ceil(opened + MINUTE))
    calls = [call for call in state if call > now - MINUTE]
    return _window(switches.rate_limit, calls, now, math.ceil((calls or [now])[0] + MINUTE))


def _window(limit: int, calls: list[float], now: float, reset: int) -> tuple[Ruling, list[float]]:
    if len(calls) >= limit:
        return Ruling(False, limit, 0, reset), calls
    return Ruling(True, limit, limit - len(calls) - 1, reset), [*calls, now]


def _bucket(limit: int, state: list[float], now: float) -> tuple[Ruling, list[float]]:
    """Full at first; refilled evenly, a whole bucket a minute."""
    tokens, instant = state if len(state) == 2 else (float(limit), now)
    tokens = min(float(limit), tokens + (now - instant) * limit / MINUTE)
    allowed = tokens > 1 - ROUNDING
    left = max(0.0, tokens - 1) if allowed else tokens
    wait = max(0.0, 1 - left) * MINUTE / limit
    return Ruling(allowed, limit, int(left), math.ceil(now + wait)), [left, now]
