"""Each credential has its own workers: a slow credential does not hold up the others."""

import threading

import pytest

from reconciler.apply.job_groups import Job, by_credential
from reconciler.apply.worker_pool import run_concurrently
from reconciler.core.plan.worker_count import FEWEST, MOST, MOST_IDENTIFIERS, workers_per_group


def no_exit() -> None:
    raise AssertionError("no request outlasts the grace period")


def run(groups: list[list[Job]], workers: int) -> None:
    run_concurrently(threading.Event(), no_exit)(groups, workers)  # type: ignore[arg-type]


def test_a_blocked_credential_does_not_hold_up_another() -> None:
    """The first group waits for the last job of the second."""
    done, order = threading.Event(), list[str]()

    def slow() -> None:
        assert done.wait(60)
        order.append("slow")

    jobs: list[tuple[str, Job]] = [("one", slow) for _ in range(3)]
    jobs += [("two", lambda: order.append("fast")), ("two", done.set)]
    run(by_credential(jobs), 1)
    assert order == ["fast", "slow", "slow", "slow"]


def test_jobs_of_a_credential_keep_their_order() -> None:
    order = list[int]()
    jobs = [("one", lambda number=number: order.append(number)) for number in range(20)]
    run(by_credential(jobs), 1)
    assert order == list(range(20))


def test_a_job_that_raises_ends_all_groups_and_is_raised() -> None:
    def fails() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run([[fails], [lambda: None]], 2)


@pytest.mark.parametrize(
    ("batches", "groups", "workers"),
    [
        ([], 1, FEWEST),
        ([50_000] * 1_000, 1, FEWEST),
        ([1] * 1_000, 1, MOST),
        ([MOST_IDENTIFIERS // 20] * 1_000, 1, 20),
        ([50_000, *[1] * 1_000], 1, MOST),
        ([1] * 1_000, 20, MOST // 20),
        ([50_000] * 1_000, 20, 1),
    ],
)
def test_workers_are_limited_by_the_identifiers_in_memory(
    batches: list[int], groups: int, workers: int
) -> None:
    assert workers_per_group(batches, groups) == workers
