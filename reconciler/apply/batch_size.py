"""The batch size of one run: lowered if Criteo refuses a batch as too large and accepts a smaller batch."""

import threading
from collections.abc import Iterable

from reconciler.core.errors import CallTooLargeError, RejectedError
from reconciler.core.members import Batch
from reconciler.core.state.resource import SegmentState


class BatchSize:
    """The largest batch to send, shared by the transfers of a run.

    `size` starts at `api.batchSize`, or at the size that an interrupted run came down to. That size is in the
    resource states of its unfinished transfers.
    """

    def __init__(self, configured: int, size: int) -> None:
        self._configured = configured
        self._size = min(configured, size)
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        return self._size

    def to_record(self, size: int) -> int | None:
        """Return the size to record with a batch; None if it is the configured size."""
        return size if size < self._configured else None

    def accepted(self, size: int) -> bool:
        """Record that Criteo accepted a batch of a transfer with batches of this size.

        Return whether it is smaller than before.
        """
        with self._lock:
            lowered = size < self._size
            self._size = min(self._size, size)
            return lowered

    def below(self, batch: Batch, error: CallTooLargeError) -> int:
        """Return the size to try after `batch` was refused. Raises RejectedError if it has 1 identifier."""
        half = (batch.end - batch.start) // 2
        if not half:
            raise RejectedError(
                f"{error.problem}: a batch of 1 identifier is too large", remedy=error.remedy, code=error.code
            ) from None
        return min(half, self._size)


def smallest_batch_size(segments: Iterable[SegmentState], otherwise: int) -> int:
    """Return the batch size with which unfinished transfers resume: the smallest that a run came down to."""
    transfers = (segment.transfer for segment in segments)
    return min((one.batch_size for one in transfers if one and one.batch_size), default=otherwise)
