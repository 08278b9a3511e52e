"""The estimate of a plan: calls by credential, the time that pacing and waits allow, when it is live."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from reconciler.core.members import Delta
from reconciler.core.model import Api
from reconciler.core.plan.changes import (
    Change,
    Delete,
    Empty,
    Ending,
    Forget,
    Removal,
    SegmentChange,
    Teardown,
)
from reconciler.core.plan.steps import CreateSegment, Steps, UpdateSegment
from reconciler.core.plan.worker_count import workers_per_group
from reconciler.core.remote import BULK_ITEMS, RateLimit, without_reserve
from reconciler.core.schedule import ACTIVATION_DELAY, next_computation

MINUTE = 60.0
ASSUMED_RATE = RateLimit(limit=10, remaining=10)
"""Assumed before the first response: the lower documented limit, of the `authorizationCode` grant."""


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """The estimate of a plan: calls by credential, duration, next computation, and when members are live.

    `rates` are the calls per minute of this environment, which may be a share of a credential's limit.
    `waits_until`: the last time at which an unconfirmed request may still take effect, so a change waits.
    """

    calls: Mapping[str, int]
    rates: Mapping[str, RateLimit]
    duration: timedelta
    computed_at: datetime
    live_at: datetime
    waits_until: datetime | None = None
    assumed: RateLimit = ASSUMED_RATE

    def rate(self, credential: str) -> RateLimit:
        """Return the rate of a credential; before its first response, the assumed rate."""
        return self.rates.get(credential, self.assumed)

    def calls_per_minute(self, credential: str) -> int:
        """Return the calls that an apply makes in a minute: without the reserve."""
        return without_reserve(self.rate(credential).limit)


def member_calls(delta: Delta, batch_size: int) -> int:
    """Return the number of calls for a delta. Each phase counts separately: one call has one operation."""
    return sum(ceil(phase / batch_size) for phase in (delta.priority_removes, delta.adds, delta.removes))


def cost(
    changes: Iterable[Change | Removal], api: Api, rates: Mapping[str, RateLimit], now: datetime
) -> CostEstimate:
    """Return the calls and the duration of these changes. The slowest credential determines the duration.

    Changes that wait for unconfirmed requests wait while the others are sent.
    """
    changes = tuple(changes)
    assumed = _assumed(api.share)
    calls = _calls(changes, api.batch_size)
    until = max(filter(None, map(not_before, changes)), default=None)
    duration = _paced(changes, api.batch_size, rates, assumed)
    if until is not None:
        waiting = [one for one in changes if not_before(one)]
        duration = max(duration, until - now + _paced(waiting, api.batch_size, rates, assumed))
    computed_at = next_computation(now + duration)
    return CostEstimate(calls, rates, duration, computed_at, computed_at + ACTIVATION_DELAY, until, assumed)


def _assumed(share: float) -> RateLimit:
    calls = max(1, int(ASSUMED_RATE.limit * share))
    return RateLimit(calls, calls)


def not_before(change: Change | Removal) -> datetime | None:
    """Return the time until which the last step of the change waits; None if none waits."""
    if isinstance(change, Forget | Removal):
        return None
    if isinstance(change, Empty | Delete):
        return change.emptying.not_before
    patches = (step.not_before for step in change.steps.setup if isinstance(step, UpdateSegment))
    return max(filter(None, (change.members.not_before, *patches)), default=None)


def _paced(
    changes: Sequence[Change | Removal], batch_size: int, rates: Mapping[str, RateLimit], assumed: RateLimit
) -> timedelta:
    calls, longest = _calls(changes, batch_size), Counter[str]()
    sending = [one for one in changes if not isinstance(one, Forget)]
    for change in sending:
        credential = credential_of(change)
        longest[credential] = max(longest[credential], own_calls(change, batch_size))
    workers = workers_per_group((_largest_batch(one, batch_size) for one in sending), max(1, len(calls)))
    seconds = (
        _seconds(count, rates.get(credential, assumed), workers, longest[credential])
        for credential, count in calls.items()
    )
    return timedelta(seconds=max(seconds, default=0.0))


def _largest_batch(change: SegmentChange | Teardown | Removal, batch_size: int) -> int:
    if isinstance(change, Empty | Delete):
        return min(batch_size, change.emptying.removes)
    if isinstance(change, Removal):
        return min(batch_size, max((one.urgent.count for one in change.departures), default=0))
    return min(batch_size, change.members.delta.total)


def _seconds(calls: int, rate: RateLimit, workers: int, longest: int) -> float:
    """Return the seconds for these calls: `remaining` calls go at once, then `limit` calls per minute.

    Both are without the reserve. Slow responses limit the calls of each worker, and the `longest` calls of
    one segment follow one another. Criteo does not state what a minute is. If it ends after the last
    responses, it takes longer by their time, so the estimate adds the half. The last calls go at its start
    or evenly, so the estimate adds a quarter of a minute.
    """
    limit = without_reserve(max(1, rate.limit))
    waiting = max(0, calls - max(0, rate.remaining - (rate.limit - limit)))
    paced = waiting / limit * (MINUTE + rate.response_time / 2) + MINUTE / 4
    paced = max(MINUTE, paced) if waiting else 0.0
    return max(paced + rate.response_time, max(calls / workers, longest) * rate.response_time)


def _calls(changes: Iterable[Change | Removal], batch_size: int) -> dict[str, int]:
    bulk: dict[tuple[str, str, int, str], int] = defaultdict(int)
    calls: Counter[str] = Counter()
    for change in changes:
        if isinstance(change, Forget):
            continue
        credential = credential_of(change)
        calls[credential] += own_calls(change, batch_size)
        if isinstance(change, Delete):
            bulk[credential, change.emptying.key.account_id, 0, "delete"] += len(change.segment_ids)
        steps = Steps() if isinstance(change, Removal | Ending) else change.steps
        for account_id, turn, verb in _bulk_steps(steps):
            bulk[credential, account_id, turn, verb] += 1
    for (credential, *_), items in bulk.items():
        calls[credential] += ceil(items / BULK_ITEMS)
    return {credential: count for credential, count in sorted(calls.items()) if count}


def credential_of(change: SegmentChange | Teardown | Removal) -> str:
    """Return the credential of the calls."""
    return change.emptying.credential if isinstance(change, Empty | Delete) else change.spec.credential


def own_calls(change: Change | Removal, batch_size: int) -> int:
    """Return the calls for this change alone, without those that create or update several segments."""
    if isinstance(change, Forget):
        return 0
    if isinstance(change, Empty | Delete):
        transfers = (one.comparison.delta for one in change.emptying.transfers)
        return sum(member_calls(one, batch_size) for one in transfers)
    if isinstance(change, Removal):
        return sum(ceil(one.urgent.count / batch_size) for one in change.departures)
    sent = member_calls(change.members.delta, batch_size) if change.steps.transfer else 0
    return sent + sum(isinstance(step, UpdateSegment) for step in change.steps.finalize)


def _bulk_steps(steps: Steps) -> Iterable[tuple[str, int, str]]:
    for step in steps.setup:
        if isinstance(step, CreateSegment):
            yield step.key.account_id, step.turn, "create"
        elif isinstance(step, UpdateSegment):
            yield step.account_id, step.turn, "update"
