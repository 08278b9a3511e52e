"""How many workers send at the same time: enough to use the rate limit, few enough for the memory."""

from collections.abc import Iterable

FEWEST, MOST = 8, 96
"""Workers of a run. If a response takes 10 s, 250 calls a minute need 42 workers."""
MOST_IDENTIFIERS = 8 * 50_000
"""Identifiers in the batches of all workers: 100 MB."""


def workers_per_group(batches: Iterable[int], groups: int) -> int:
    """Return the workers of each group of jobs, from the largest batch of each job.

    More than FEWEST workers only if the largest batches together hold at most MOST_IDENTIFIERS.
    """
    workers, identifiers = 0, 0
    for batch in sorted(batches, reverse=True)[:MOST]:
        identifiers += batch
        if identifiers > MOST_IDENTIFIERS:
            break
        workers += 1
    return max(1, max(FEWEST, workers) // groups)
