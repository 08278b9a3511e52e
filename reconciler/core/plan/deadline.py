"""The order of an apply that completes most segments before a computation of Criteo, and those that miss it.

Each credential sends its calls at an even rate, one change after the other. Removals of suppressed members
come first, because nothing may delay them. Then the most changes are complete in time if the chosen ones are
sent in the order in which their waits end. Read backwards from the deadline, the end of a wait is a due time,
and the rule of Moore and Hodgson chooses: take the changes by due time, and drop the longest of those taken
whenever one would be late.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.model import Address
from reconciler.core.plan.changes import Ending, SegmentChange, address_of
from reconciler.core.plan.cost import not_before, own_calls
from reconciler.core.plan.model import Deadline, Plan
from reconciler.core.schedule import SAFE_MARGIN


@dataclass(frozen=True, slots=True)
class Job:
    """The calls of one change. Nothing is sent before `waits` seconds.

    `urgent`: it removes suppressed members.
    """

    address: Address
    calls: int
    waits: float = 0.0
    urgent: bool = False


def before_deadline(plan: Plan, batch_size: int, computed_at: datetime) -> Plan:
    """Return the plan with the order in which most changes are complete before this computation."""
    left = (computed_at - SAFE_MARGIN - plan.basis.made_at).total_seconds()
    jobs: dict[str, list[Job]] = defaultdict(list)
    own: dict[str, int] = defaultdict(int)
    for change in plan.changes:
        if not isinstance(change, Ending):
            jobs[change.spec.credential].append(_job(change, batch_size, plan.basis.made_at))
            own[change.spec.credential] += own_calls(change, batch_size)
    ordered: list[Address] = []
    late: list[Address] = []
    for credential, group in jobs.items():
        seconds = 60.0 / plan.cost.calls_per_minute(credential)
        shared = plan.cost.calls.get(credential, 0) - own[credential]
        order, done = in_order(group, left - shared * seconds, seconds)
        ordered += [one.address for one in order]
        late += [one.address for one in order if one not in done]
    changed = [address_of(one) for one in plan.changes if not isinstance(one, Ending)]
    return replace(plan, deadline=Deadline(computed_at, tuple(ordered), tuple(sorted(late)), len(changed)))


def in_order(jobs: Iterable[Job], left: float, seconds: float) -> tuple[list[Job], set[Job]]:
    """Return all jobs in the order in which they are sent, and those that are complete after `left` seconds.

    A call takes `seconds`. Urgent jobs come before all others, also those that are late. Of
    them, those whose waits end too late come last.
    """
    urgent = sorted(
        (one for one in jobs if one.urgent),
        key=lambda one: (one.waits + one.calls * seconds > left, one.calls, one.waits, one.address),
    )
    others = [one for one in jobs if not one.urgent]
    start, done = 0.0, set[Job]()
    for one in urgent:
        start += one.calls * seconds
        if max(start, one.waits + one.calls * seconds) <= left:
            done.add(one)
    chosen = _most(others, left, seconds, start)
    rest = sorted(set(others) - set(chosen), key=lambda one: (one.waits, one.calls, one.address))
    return urgent + chosen + rest, done | set(chosen)


def _most(jobs: Sequence[Job], left: float, seconds: float, start: float) -> list[Job]:
    """Return the largest set of jobs that are complete in time, in the order of the ends of their waits."""
    taken: list[tuple[float, Address, Job]] = []
    used = 0.0
    for job in sorted(jobs, key=lambda one: (-max(one.waits, start), one.calls, one.address)):
        heapq.heappush(taken, (-job.calls, job.address, job))
        used += job.calls * seconds
        if used > left - max(job.waits, start):
            used -= heapq.heappop(taken)[2].calls * seconds
    return sorted((job for *_, job in taken), key=lambda one: (max(one.waits, start), one.calls, one.address))


def _job(change: SegmentChange, batch_size: int, now: datetime) -> Job:
    until = not_before(change)
    waits = max(0.0, (until - now).total_seconds()) if until else 0.0
    return Job(
        change.spec.address, own_calls(change, batch_size), waits, change.members.delta.priority_removes > 0
    )
