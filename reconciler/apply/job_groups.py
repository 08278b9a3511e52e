"""Independent parts of an apply, which may run at the same time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

Job = Callable[[], None]
RunJobs = Callable[[Sequence[Sequence[Job]], int], None]
"""Runs all groups of jobs, each group by this many workers; raises what a job raises once all have stopped.

A group runs its jobs in order; a slow group does not hold up the others.
"""


def by_credential(jobs: Iterable[tuple[str, Job]]) -> list[list[Job]]:
    """Return the jobs of each credential in their order: each credential has its own rate limit."""
    groups: dict[str, list[Job]] = defaultdict(list)
    for credential, job in jobs:
        groups[credential].append(job)
    return list(groups.values())
