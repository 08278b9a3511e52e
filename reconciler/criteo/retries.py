"""Repeats calls where that is safe, and returns what is certain about their outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from reconciler.core.errors import (
    CancelledError,
    OutcomeUnknownError,
    ReconcilerError,
    RemoteError,
    UnsentError,
)
from reconciler.core.ports import Clock
from reconciler.core.remote import RateLimit
from reconciler.criteo.rate_limiter import RateLimiter
from reconciler.criteo.transport import (
    STATUS_PAGE,
    ApiCall,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Succeeded,
    TokenExpired,
    Transport,
)

ATTEMPTS = 5
REFUSALS_IN_ROW = 20
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of a response. `uncertain`: an earlier attempt may still take effect."""

    body: object
    uncertain: bool


@dataclass(slots=True)
class _Tries:
    """The outcomes of the attempts of one call so far."""

    failed: int = 0
    busy: int = 0
    renewed: bool = False
    maybe_done: bool = False
    may_land: bool = False


ResponseCheck = Callable[[object], OutcomeUnknown | Rejected | None]


def any_object(_body: object) -> None:
    """Any JSON object will do."""


def no_callback() -> None:
    """Do nothing before a request is sent."""


class RetryingSession:
    """The shared part of the reader and writer of one credential."""

    def __init__(
        self,
        exchange: Transport,
        gate: RateLimiter,
        clock: Clock,
        version: str,
        chance: Callable[[], float],
    ) -> None:
        self._exchange = exchange
        self._gate = gate
        self._clock = clock
        self._chance = chance
        self.root = f"/{version}/retail-media"

    def rate_limit(self) -> RateLimit | None:
        return self._gate.rate_limit()

    def skew(self) -> timedelta | None:
        return self._gate.skew()

    def send(
        self, call: ApiCall, check: ResponseCheck = any_object, leaving: Callable[[], None] = no_callback
    ) -> Reply | Rejected:
        """Send the call. `check` may find a rejection or an unknown outcome in a response.

        A rejection is returned, not raised, because a 400 may be about one item of many. It is raised if an
        earlier attempt may have taken effect: then the outcome of the call is unknown.
        """
        tries = _Tries()
        try:
            return self._send(call, check, leaving, tries)
        except CancelledError as stop:
            stop.in_doubt = tries.maybe_done
            raise

    def _send(
        self, call: ApiCall, check: ResponseCheck, leaving: Callable[[], None], tries: _Tries
    ) -> Reply | Rejected:
        while True:
            outcome = self._exchange.send(call, leaving)
            if isinstance(outcome, Succeeded):
                body, found = outcome.body, check(outcome.body)
                if found is None:
                    return Reply(body, tries.may_land)
                outcome = found
            if isinstance(outcome, Rejected) and not tries.maybe_done:
                return outcome
            if isinstance(outcome, OutcomeUnknown) and call.writes:
                tries.maybe_done = True
                tries.may_land = tries.may_land or outcome.late
            self._pause_or_raise(call, outcome, tries)

    def _pause_or_raise(
        self,
        call: ApiCall,
        outcome: OutcomeUnknown | NotSent | RateLimited | TokenExpired | Rejected,
        tries: _Tries,
    ) -> None:
        match outcome:
            case RateLimited():
                tries.busy += 1
                if tries.busy >= REFUSALS_IN_ROW:
                    _give_up(call, tries, _crowded(call, tries.busy))
            case TokenExpired(error):
                if tries.renewed:
                    _give_up(call, tries, error)
                tries.renewed = True
            case Rejected(error=error):
                _give_up(call, tries, error)
            case OutcomeUnknown(problem=problem) | NotSent(problem=problem):
                tries.failed += 1
                hopeless = isinstance(outcome, OutcomeUnknown) and not call.repeatable
                if hopeless or tries.failed >= ATTEMPTS:
                    _give_up(call, tries, _failure(call, outcome, tries.failed))
                self._clock.wait(self._pause(tries.failed), f"{problem}; trying again")

    def _pause(self, failed: int) -> float:
        """Doubles, and differs between clients that failed together."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (failed - 1))
        return longest * (0.5 + self._chance() / 2)


def _give_up(call: ApiCall, tries: _Tries, error: ReconcilerError) -> NoReturn:
    """A later no doesn't undo what an earlier attempt may have done."""
    if tries.maybe_done and not isinstance(error, OutcomeUnknownError):
        raise OutcomeUnknownError(
            f"{call.what}: an attempt got no whole answer, and then: {error.problem}",
            remedy=error.remedy or "run again: what was sent is sent again",
        )
    raise error


def _failure(call: ApiCall, outcome: OutcomeUnknown | NotSent, failed: int) -> ReconcilerError:
    times = "once" if failed == 1 else f"{failed} times"
    problem = f"{call.what}: {outcome.problem} (tried {times})"
    if isinstance(outcome, OutcomeUnknown):
        unknown = OutcomeUnknownError if call.writes else RemoteError
        return unknown(problem, remedy=STATUS_PAGE)
    not_done = UnsentError if call.writes else RemoteError
    return not_done(problem, remedy=outcome.remedy)


def _crowded(call: ApiCall, busy: int) -> RemoteError:
    return UnsentError(
        f"{call.what}: Criteo answered 429 (too many calls) {busy} times in a row",
        remedy="other programs share the limit of this application: stop them, or run again later",
        code="too-many-requests",
    )
