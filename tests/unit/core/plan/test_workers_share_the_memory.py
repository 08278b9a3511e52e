"""An apply has as many workers as the batches of all of them fit into memory."""

import pytest

from reconciler.core.plan.worker_count import FEWEST, MOST, MOST_IDENTIFIERS, workers_per_group


@pytest.mark.parametrize(
    ("batches", "groups", "workers"),
    [
        ([], 1, FEWEST),
        ([1] * 200, 1, MOST),
        ([1] * 200, 4, MOST // 4),
        ([50_000] * 200, 1, MOST_IDENTIFIERS // 50_000),
        ([MOST_IDENTIFIERS + 1, 1, 1], 1, FEWEST),
        ([25_000] * 200, 1, MOST_IDENTIFIERS // 25_000),
        ([1], 200, 1),
    ],
)
def test_the_largest_batches_decide(batches: list[int], groups: int, workers: int) -> None:
    assert workers_per_group(batches, groups) == workers
