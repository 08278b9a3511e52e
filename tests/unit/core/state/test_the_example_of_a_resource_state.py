"""The worked example at the head of core/state/resource.py: a kill after the first batch was dispatched."""

from datetime import UTC, datetime, timedelta

from reconciler.apply.batch_size import smallest_batch_size
from reconciler.core.members import EMPTY_SNAPSHOT, Batch, Delta, Identifiers, Operation, SnapshotRef
from reconciler.core.model import IdentifierType, SegmentKey
from reconciler.core.remote import Acknowledgement
from reconciler.core.state import resource
from reconciler.core.state.resource import (
    SegmentState,
    acknowledge,
    complete_transfer,
    next_window,
    record_dispatch,
    resume_transfer,
    start_transfer,
)

NOW = datetime(2026, 11, 24, 9, 4, tzinfo=UTC)
GRACE = timedelta(minutes=15)
KEY = SegmentKey("1001", "7", IdentifierType.EMAIL, "sha256")
A_AND_B, B_AND_C = SnapshotRef("ab", 2), SnapshotRef("bc", 2)
ONE = 1


def batch(state: SegmentState, operation: Operation) -> Batch:
    """The next batch of one identifier."""
    assert state.transfer
    window = next_window(state.transfer, ONE)
    assert window
    return Batch(operation, *window, Identifiers(("x",)))


def test_a_killed_run_of_the_example_sends_batch_1_again() -> None:
    assert "Example: a and b are confirmed, b and c are the target" in str(resource.__doc__)
    before = SegmentState(KEY, segment_id="42", confirmed=A_AND_B)
    killed = start_transfer(before, B_AND_C, EMPTY_SNAPSHOT, Delta(0, 1, 1))
    killed = record_dispatch(killed, batch(killed, "add"), NOW)
    assert killed.transfer
    assert killed.transfer.in_flight
    assert (killed.transfer.in_flight.end, killed.transfer.acknowledged) == (1, 0)

    resumed = resume_transfer(killed, GRACE)
    for operation, position in (("add", 0), ("remove", 1)):
        sent = batch(resumed, operation)
        assert sent.start == position
        resumed = record_dispatch(resumed, sent, NOW)
        resumed = acknowledge(resumed, sent, Acknowledgement(1, 0), NOW, GRACE)
    completed = complete_transfer(resumed, NOW)
    assert (completed.confirmed, completed.uncertain, completed.transfer) == (B_AND_C, EMPTY_SNAPSHOT, None)


def test_an_unfinished_transfer_resumes_with_the_batch_size_that_criteo_accepted() -> None:
    before = SegmentState(KEY, segment_id="42", confirmed=A_AND_B)
    started = start_transfer(before, B_AND_C, EMPTY_SNAPSHOT, Delta(0, 1, 1))
    smaller = record_dispatch(started, batch(started, "add"), NOW, batch_size=25)
    assert smallest_batch_size([before, started], otherwise=100) == 100
    assert smallest_batch_size([before, started, smaller], otherwise=100) == 25
