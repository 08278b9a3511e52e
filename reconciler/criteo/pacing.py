"""When the next call may be sent: a pure decision over what was sent and what the rate headers said.

Nobody says whether Criteo counts in fixed minutes, in sliding ones, or fills a bucket, and whether
a call counts when it arrives or a little later. Three rules hold for all of these, so a call may
go as soon as one of them allows it, and none of them lets a 429 happen while we are alone:

minute  fewer calls than the limit can have arrived within the last minute. A call arrived at the
        latest when its answer came; one without an answer, when we gave it up.
room    an answer that left `remaining` lets that many more calls through, however late. Every call
        that may have arrived after it counts against them.
reset   an answer that left nothing lets one more through from its `reset` on. Once a sliding minute
        is ruled out, because more remains than one that holds our last calls could leave, a bucket
        is the worst case left: from any `reset` on it fills at an even rate.

`reset` is in the server's time. `Date` of the same answers bounds how far our clock is ahead of it;
without a `Date`, the third rule is not used. Calls of others show up as less `remaining` than our
own calls explain: they count against the minute as if they had just been made.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace

MINUTE = 60.0
EPSILON = 0.2
"""Added to a minute: two clocks never agree on how long one is."""
ROUNDING = 1.0
"""Added to a reset: it comes in whole seconds, rounded who knows how."""
KEPT_ROOMS = 4
FIRST_PAUSE = 5.0
"""After a 429 that doesn't say when to come back; doubles each time, up to a minute."""


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """What an answer said. `reset` and `date` are Unix seconds of the server's clock."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    date: float | None = None


@dataclass(frozen=True, slots=True)
class RateTicket:
    """A call on its way, and what was known when it left.

    `calls` is 2 when it fetches a token first. `done` calls were answered by then; `expired` of them
    more than a minute ago.
    """

    sent_at: float
    calls: int
    done: int
    expired: int


@dataclass(frozen=True, slots=True)
class RateAllowance:
    """What one answer proves: `remaining` calls get through after the first `before` ones.

    If nothing remains, nothing gets through between that answer and its reset, and then one more:
    a call answered by `shut_until` came before. The reset is not later than `opens_at`.
    """

    before: int
    remaining: int
    shut_until: float
    opens_at: float
    until: float


@dataclass(frozen=True, slots=True)
class RateState:
    """All that is known; times are Unix seconds of our clock.

    `answered` holds when the calls of the last minute ended, `remains` what each answer left, and
    `sent_at` when those began that were let through, or may be. `sent` and `done` count calls since
    the start. `foreign` calls are not ours, and count until `foreign_until`.
    """

    limit: int
    sent: int = 0
    done: int = 0
    answered: tuple[float, ...] = ()
    remains: tuple[int, ...] = ()
    sent_at: tuple[float, ...] = ()
    foreign: int = 0
    foreign_until: float = 0.0
    rooms: tuple[RateAllowance, ...] = ()
    maybe_sliding: bool = True
    ahead_at_least: float = -math.inf
    ahead_at_most: float = math.inf
    refusals: int = 0
    refused_in_row: int = 0

    @property
    def in_flight(self) -> int:
        return self.sent - self.done


def reserve(pace: RateState, now: float, calls: int = 1) -> tuple[RateState, RateTicket | None]:
    """Lets a call go, or not yet (None); see `delay` for how long."""
    pace = _forget(pace, now)
    if not _allowed(pace, now, min(calls, pace.limit)):
        return pace, None
    ticket = RateTicket(now, calls, pace.done, pace.done - len(pace.answered))
    return replace(pace, sent=pace.sent + calls, sent_at=(*pace.sent_at, now)), ticket


def delay(pace: RateState, now: float, calls: int = 1) -> float:
    """Seconds until the call may go if no answer comes meanwhile; infinite if only an answer helps."""
    if _listening(pace):
        return math.inf
    calls = min(calls, pace.limit)
    rooms = (_room_opens(pace, room, calls) for room in pace.rooms)
    return max(0.0, min(_minute_opens(pace, calls), *rooms, math.inf) - now)


def observe_no_response(pace: RateState, ticket: RateTicket, now: float) -> RateState:
    """The call got no answer, and we stopped waiting for it."""
    return replace(_end(pace, ticket, 0, now), sent_at=())


def observe_response(pace: RateState, ticket: RateTicket, headers: RateHeaders, now: float) -> RateState:
    """The call was let through."""
    pace = _end(replace(pace, refused_in_row=0), ticket, headers.remaining or 0, now)
    pace = _learn_clock(pace, ticket, headers, now)
    if headers.limit and headers.limit != pace.limit:
        pace = replace(pace, limit=headers.limit, maybe_sliding=True)
    lately = _after(pace.sent_at, now - MINUTE)
    if lately - pace.in_flight + min(pace.remains) > pace.limit:
        pace = replace(pace, maybe_sliding=False)
    if headers.remaining is None:
        return pace
    surely_before = lately - (pace.sent - ticket.done) + 1
    least = pace.limit - (pace.sent - ticket.expired) - headers.remaining
    most = pace.limit - surely_before - headers.remaining
    held = pace.foreign if now < pace.foreign_until else 0
    pace = replace(
        pace,
        foreign=max(0, min(held, most) if least <= held else most),
        foreign_until=now + MINUTE + EPSILON,
        rooms=pace.rooms if least <= 0 else (),
    )
    return _add_room(pace, ticket, headers.remaining, headers, now)


def _learn_clock(pace: RateState, ticket: RateTicket, headers: RateHeaders, now: float) -> RateState:
    if headers.date is None:
        return pace
    return replace(
        pace,
        ahead_at_least=max(pace.ahead_at_least, ticket.sent_at - headers.date - 1),
        ahead_at_most=min(pace.ahead_at_most, now - headers.date),
    )


def _add_room(
    pace: RateState, ticket: RateTicket, remaining: int, headers: RateHeaders, now: float
) -> RateState:
    shut_until = -math.inf
    if headers.reset is not None and not remaining:
        shut_until = headers.reset - ROUNDING + pace.ahead_at_least
    opens_at = _opens_at(pace, headers, now)
    room = RateAllowance(ticket.done + ticket.calls, remaining, shut_until, opens_at, now + MINUTE)
    return replace(pace, rooms=(*pace.rooms, room)[-KEPT_ROOMS:])


def observe_rejection(pace: RateState, ticket: RateTicket, headers: RateHeaders, now: float) -> RateState:
    """The call met a 429: others share the limit, or a belief was wrong. Starts again from nothing."""
    pause = min(MINUTE, FIRST_PAUSE * 2.0**pace.refused_in_row)
    opens_at = _opens_at(pace, headers, now)
    if math.isinf(opens_at):
        stated = headers.reset is not None and 0 < headers.reset - now <= MINUTE + ROUNDING
        opens_at = (headers.reset or 0.0) + ROUNDING if stated else now + pause
    return replace(
        observe_no_response(pace, ticket, now),
        limit=headers.limit or pace.limit,
        foreign=headers.limit or pace.limit,
        foreign_until=now + MINUTE + EPSILON,
        rooms=(RateAllowance(pace.sent, 0, -math.inf, opens_at, opens_at + MINUTE),),
        maybe_sliding=True,
        ahead_at_least=-math.inf,
        ahead_at_most=math.inf,
        refusals=pace.refusals + 1,
        refused_in_row=pace.refused_in_row + 1,
    )


def _end(pace: RateState, ticket: RateTicket, remaining: int, now: float) -> RateState:
    return replace(
        pace,
        done=pace.done + ticket.calls,
        answered=(*pace.answered, *[now] * ticket.calls),
        remains=(*pace.remains, *[remaining] * ticket.calls),
    )


def _forget(pace: RateState, now: float) -> RateState:
    """Drops what is older than a minute."""
    since = now - MINUTE - EPSILON
    expired = bisect_right(pace.answered, since)
    return replace(
        pace,
        answered=pace.answered[expired:],
        remains=pace.remains[expired:],
        sent_at=pace.sent_at[bisect_right(pace.sent_at, since) :],
        rooms=tuple(room for room in pace.rooms if room.until > now),
    )


def _after(times: tuple[float, ...], since: float) -> int:
    """How many of the times, which are in order, come after `since`."""
    return len(times) - bisect_right(times, since)


def _listening(pace: RateState) -> bool:
    """The first call goes alone: its answer says what the limit is and how much is left of it."""
    return pace.done == 0 and pace.sent > 0


def _allowed(pace: RateState, now: float, calls: int) -> bool:
    if _listening(pace):
        return False
    if _minute_opens(pace, calls) <= now:
        return True
    return any(_room_opens(pace, room, calls) <= now for room in pace.rooms)


def _minute_opens(pace: RateState, calls: int) -> float:
    excess = len(pace.answered) + pace.in_flight + pace.foreign + calls - pace.limit
    if excess <= 0:
        return -math.inf
    if excess > len(pace.answered) + pace.foreign:
        return math.inf
    own = pace.answered[:excess]
    if not pace.foreign:
        return own[-1] + MINUTE + EPSILON
    expiries = [time + MINUTE + EPSILON for time in own] + [pace.foreign_until] * pace.foreign
    return sorted(expiries)[excess - 1]


def _room_opens(pace: RateState, room: RateAllowance, calls: int) -> float:
    needed = pace.sent - _before(pace, room) + calls
    if needed <= room.remaining:
        return -math.inf
    beyond = needed - max(1, room.remaining)
    if beyond and (pace.maybe_sliding or needed > pace.limit):
        return math.inf
    return room.opens_at + beyond * MINUTE / pace.limit


def _before(pace: RateState, room: RateAllowance) -> int:
    """How many calls surely came before the room was measured."""
    if room.remaining:
        return room.before
    return max(room.before, pace.done - _after(pace.answered, room.shut_until))


def _opens_at(pace: RateState, headers: RateHeaders, now: float) -> float:
    if headers.reset is None or math.isinf(pace.ahead_at_most):
        return math.inf
    opens_at = max(now, headers.reset + pace.ahead_at_most + ROUNDING)
    return opens_at if opens_at <= now + MINUTE + 2 * ROUNDING else math.inf
