"""When the next call may be sent, decided from the calls so far and Criteo's rate headers. No I/O, no clock.

    reserve ─┬─► None          wait for `delay` seconds, or for a response, and reserve again
             └─► RateTicket    send ─┬─► a response     observe_response      its headers open an allowance
                                     ├─► 429            observe_rejection     a pause, then one call
                                     └─► no response    observe_no_response   counts for a minute

Criteo does not state whether it counts in fixed minutes, in sliding minutes or with a token bucket, nor when
a call counts. Each of three rules is safe for all of these, so a call may go if one rule allows it. While
nobody else uses the limit, no rule leads to a 429:

minute     Fewer calls than the limit can have arrived within the last minute. A call arrived at the latest
           when its response came, or when reconciler stopped waiting for it.
remaining  A response that left `remaining` allows that many more calls, at any time. Each call that may have
           arrived after it counts against them.
reset      A response that left nothing allows one more call after its `reset`. If more remains than a sliding
           minute could leave after the last calls, Criteo uses a bucket at worst: from any `reset` on, the
           bucket fills at an even rate.

`reset` is in the server's time. The `Date` headers bound the difference of the two clocks. Without `Date`,
the third rule is not used. Calls of other users show as less `remaining` than reconciler's calls explain.
They count for a minute, as if they had just been made.

With a share below 100%, other environments use the rest of the limit. Then only the rule `minute` applies,
with the share of the limit: `remaining` and `reset` do not tell whose calls come next. Other calls count only
if they are more than the rest of the limit. At the first response, earlier calls may be of this environment,
so they count against its share.

With a reserve, an apply leaves calls to commands that only read. Without it, a plan at the same time gets 429
responses until the apply ends, because the apply takes each call as soon as Criteo allows it.

Example: Criteo allows 3 calls per minute. Times are in seconds.

>>> state, first = reserve(RateState(limit=250), now=0.0)
>>> reserve(state, now=0.1)[1] is None  # the first call goes alone: its response states the limit
True
>>> state = observe_response(state, first, RateHeaders(limit=3, remaining=2), now=0.5)
>>> state, second = reserve(state, now=1.0)
>>> state, third = reserve(state, now=1.0)
>>> reserve(state, now=1.0)[1] is None  # 3 calls within a minute
True
>>> delay(state, now=1.0)  # until a minute after the first response, and 0.2 s for the difference of clocks
59.7
>>> state, fourth = reserve(state, now=60.7)
>>> state = observe_rejection(state, fourth, RateHeaders(), now=61.0)  # 429: another user made calls
>>> delay(state, now=61.0)
5.0
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace

from reconciler.core.remote import without_reserve

MINUTE = 60.0
EPSILON = 0.2
"""Seconds added to a minute, because two clocks differ."""
ROUNDING = 1.0
"""Seconds added to a reset, because it comes in whole seconds."""
TINY = 1e-9
"""Added before a share of a limit is rounded down: 29% of 100 is 29."""
KEPT_ALLOWANCES = 4
"""Allowances to remember."""
FIRST_PAUSE = 5.0
"""Seconds to pause after a 429 without a reset. Doubles with each further 429, up to a minute."""


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """The rate headers of a response. `reset` and `date` are Unix seconds of the server's clock."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    date: float | None = None


@dataclass(frozen=True, slots=True)
class RateTicket:
    """A call that may be sent, with the counts at the time of its reservation.

    `calls` is 2 if the call fetches a token first. `done` calls had a response by then, `expired` of them for
    more than a minute.
    """

    sent_at: float
    calls: int
    done: int
    expired: int


@dataclass(frozen=True, slots=True)
class RateAllowance:
    """The calls that one response allows: `remaining` calls after the first `before` calls.

    If nothing remains, no call succeeds between that response and its reset, and one more succeeds then.
    A call with a response by `shut_until` came before. The reset is not later than `opens_at`. The allowance
    is dropped at `until`. Times are Unix seconds of our clock.
    """

    before: int
    remaining: int
    shut_until: float
    opens_at: float
    until: float


@dataclass(frozen=True, slots=True)
class RateState:
    """The calls so far and the allowances. Times are Unix seconds of our clock.

    `limit` calls per minute are for this process, `others` for other environments and the reserve.
    `answered` are the end times of the calls of the last minute, `remains` the `remaining` of their
    responses, and `sent_at` the start times of calls that Criteo accepted or may accept. `sent` and `done`
    count calls since the start. `foreign` calls of other users count until `foreign_until`. `heard`: a
    response stated the remaining calls.
    """

    limit: int
    sent: int = 0
    done: int = 0
    answered: tuple[float, ...] = ()
    remains: tuple[int, ...] = ()
    sent_at: tuple[float, ...] = ()
    foreign: int = 0
    foreign_until: float = 0.0
    allowances: tuple[RateAllowance, ...] = ()
    maybe_sliding: bool = True
    ahead_at_least: float = -math.inf
    ahead_at_most: float = math.inf
    refusals: int = 0
    refused_in_row: int = 0
    share: float = 1.0
    reserve: float = 0.0
    others: int = 0
    heard: bool = False

    @property
    def in_flight(self) -> int:
        return self.sent - self.done


def shared(limit: int, share: float) -> RateState:
    """Return the state before the first call, for a share of a limit."""
    return _with_limit(RateState(limit, share=share), limit)


def reserve(state: RateState, now: float, calls: int = 1) -> tuple[RateState, RateTicket | None]:
    """Return the new state and a ticket, or None if the call must wait; see `delay`."""
    state = _drop_expired(state, now)
    if not _allowed(state, now, min(calls, state.limit)):
        return state, None
    ticket = RateTicket(now, calls, state.done, state.done - len(state.answered))
    return replace(state, sent=state.sent + calls, sent_at=(*state.sent_at, now)), ticket


def delay(state: RateState, now: float, calls: int = 1) -> float:
    """Return the seconds until the call may go. Infinite if it may go only after a further response."""
    if _awaits_first_response(state):
        return math.inf
    calls = min(calls, state.limit)
    allowances = (_allowance_opens(state, allowance, calls) for allowance in state.allowances)
    return max(0.0, min(_minute_opens(state, calls), *allowances, math.inf) - now)


def leave_reserve(state: RateState, reserve: float) -> RateState:
    """Return the state of a process that leaves a part of its calls to others."""
    return _with_limit(replace(state, reserve=reserve), state.limit + state.others)


def share_of_limit(state: RateState) -> int:
    """Return the calls per minute of this environment, with the reserve: at least 1."""
    return max(1, int((state.limit + state.others) * state.share + TINY))


def left(state: RateState, remaining: int) -> int:
    """Return how many of the remaining calls of the credential are for this process."""
    if state.share == 1:
        return remaining
    return max(0, min(remaining, state.limit - len(state.answered) - state.in_flight))


def observe_no_response(state: RateState, ticket: RateTicket, now: float) -> RateState:
    """Return the state after a call without a response."""
    return replace(_end(state, ticket, 0, now), sent_at=())


def observe_response(state: RateState, ticket: RateTicket, headers: RateHeaders, now: float) -> RateState:
    """Return the state after a response other than 429."""
    state = _end(replace(state, refused_in_row=0), ticket, headers.remaining or 0, now)
    state = _learn_clock(state, ticket, headers, now)
    if headers.limit and headers.limit != state.limit + state.others:
        state = replace(_with_limit(state, headers.limit), maybe_sliding=True)
    lately = _after(state.sent_at, now - MINUTE)
    if lately - state.in_flight + min(state.remains) > state.limit + state.others:
        state = replace(state, maybe_sliding=False)
    if headers.remaining is None:
        return state
    surely_before = lately - (state.sent - ticket.done) + 1
    most = state.limit - surely_before - headers.remaining
    if state.share < 1 and not state.heard:
        state = _count_earlier(state, min(state.limit, most + state.others), now)
    least = state.limit - (state.sent - ticket.expired) - headers.remaining
    held = state.foreign if now < state.foreign_until else 0
    state = replace(
        state,
        foreign=max(0, min(held, most) if least <= held else most),
        foreign_until=now + MINUTE + EPSILON,
        allowances=state.allowances if least <= 0 else (),
        heard=True,
    )
    return _add_allowance(state, ticket, headers, now) if state.share == 1 else state


def _with_limit(state: RateState, limit: int) -> RateState:
    """Return the state under another limit of the credential."""
    own = without_reserve(share_of_limit(replace(state, limit=limit, others=0)), state.reserve)
    return replace(state, limit=own, others=limit - own)


def _count_earlier(state: RateState, calls: int, now: float) -> RateState:
    """Return the state with calls from before the first, as if they had just ended."""
    calls = max(0, calls)
    return replace(
        state,
        sent=state.sent + calls,
        done=state.done + calls,
        answered=(*state.answered, *[now] * calls),
        remains=(*state.remains, *[0] * calls),
    )


def _learn_clock(state: RateState, ticket: RateTicket, headers: RateHeaders, now: float) -> RateState:
    if headers.date is None:
        return state
    return replace(
        state,
        ahead_at_least=max(state.ahead_at_least, ticket.sent_at - headers.date - 1),
        ahead_at_most=min(state.ahead_at_most, now - headers.date),
    )


def _add_allowance(state: RateState, ticket: RateTicket, headers: RateHeaders, now: float) -> RateState:
    shut_until = -math.inf
    if headers.reset is not None and not headers.remaining:
        shut_until = headers.reset - ROUNDING + state.ahead_at_least
    opens_at = _opens_at(state, headers, now)
    remaining = max(0, (headers.remaining or 0) - state.others)
    allowance = RateAllowance(ticket.done + ticket.calls, remaining, shut_until, opens_at, now + MINUTE)
    return replace(state, allowances=(*state.allowances, allowance)[-KEPT_ALLOWANCES:])


def observe_rejection(state: RateState, ticket: RateTicket, headers: RateHeaders, now: float) -> RateState:
    """Return the state after a 429: other users share the limit, or an assumption was wrong.

    All earlier allowances are dropped.
    """
    state = _with_limit(state, headers.limit or state.limit + state.others)
    pause = min(MINUTE, FIRST_PAUSE * 2.0**state.refused_in_row)
    opens_at = _opens_at(state, headers, now)
    if math.isinf(opens_at):
        stated = headers.reset is not None and 0 < headers.reset - now <= MINUTE + ROUNDING
        opens_at = (headers.reset or 0.0) + ROUNDING if stated else now + pause
    return replace(
        observe_no_response(state, ticket, now),
        foreign=state.limit,
        foreign_until=now + MINUTE + EPSILON,
        allowances=(RateAllowance(state.sent, 0, -math.inf, opens_at, opens_at + MINUTE),),
        maybe_sliding=True,
        ahead_at_least=-math.inf,
        ahead_at_most=math.inf,
        refusals=state.refusals + 1,
        refused_in_row=state.refused_in_row + 1,
    )


def _end(state: RateState, ticket: RateTicket, remaining: int, now: float) -> RateState:
    return replace(
        state,
        done=state.done + ticket.calls,
        answered=(*state.answered, *[now] * ticket.calls),
        remains=(*state.remains, *[remaining] * ticket.calls),
    )


def _drop_expired(state: RateState, now: float) -> RateState:
    """Drop calls that ended more than a minute ago, and allowances past their `until`."""
    since = now - MINUTE - EPSILON
    expired = bisect_right(state.answered, since)
    return replace(
        state,
        answered=state.answered[expired:],
        remains=state.remains[expired:],
        sent_at=state.sent_at[bisect_right(state.sent_at, since) :],
        allowances=tuple(allowance for allowance in state.allowances if allowance.until > now),
    )


def _after(times: tuple[float, ...], since: float) -> int:
    """Return how many of the sorted times come after `since`."""
    return len(times) - bisect_right(times, since)


def _awaits_first_response(state: RateState) -> bool:
    """Return whether the first call is under way. Its response states the limit and the remaining calls."""
    return state.done == 0 and state.sent > 0


def _allowed(state: RateState, now: float, calls: int) -> bool:
    if _awaits_first_response(state):
        return False
    if _minute_opens(state, calls) <= now:
        return True
    return any(_allowance_opens(state, allowance, calls) <= now for allowance in state.allowances)


def _minute_opens(state: RateState, calls: int) -> float:
    excess = len(state.answered) + state.in_flight + state.foreign + calls - state.limit
    if excess <= 0:
        return -math.inf
    if excess > len(state.answered) + state.foreign:
        return math.inf
    own = state.answered[:excess]
    if not state.foreign:
        return own[-1] + MINUTE + EPSILON
    expiries = [time + MINUTE + EPSILON for time in own] + [state.foreign_until] * state.foreign
    return sorted(expiries)[excess - 1]


def _allowance_opens(state: RateState, allowance: RateAllowance, calls: int) -> float:
    needed = state.sent - _before(state, allowance) + calls
    if needed <= allowance.remaining:
        return -math.inf
    beyond = needed - max(1, allowance.remaining)
    if beyond and (state.maybe_sliding or needed > state.limit):
        return math.inf
    return allowance.opens_at + beyond * MINUTE / state.limit


def _before(state: RateState, allowance: RateAllowance) -> int:
    """Return how many calls certainly came before the response of the allowance."""
    if allowance.remaining:
        return allowance.before
    return max(allowance.before, state.done - _after(state.answered, allowance.shut_until))


def _opens_at(state: RateState, headers: RateHeaders, now: float) -> float:
    if headers.reset is None or math.isinf(state.ahead_at_most):
        return math.inf
    opens_at = max(now, headers.reset + state.ahead_at_most + ROUNDING)
    return opens_at if opens_at <= now + MINUTE + 2 * ROUNDING else math.inf
