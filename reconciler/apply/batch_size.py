"""The batch size of one run: lowered if Criteo refuses a batch as too large and accepts a smaller batch."""

import threading

from reconciler.core.errors import CallTooLargeError, RejectedError
from reconciler.core.members import Batch


class BatchSize:
    """The largest batch to send, shared by the transfers of a run. `size` starts at `api.batchSize`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        return self._size

    def accepted(self, size: int) -> None:
        """Record that Criteo accepted a batch of a transfer with batches of this size."""
        with self._lock:
            self._size = min(self._size, size)

    def below(self, batch: Batch, error: CallTooLargeError) -> int:
        """Return the size to try after `batch` was refused. Raises RejectedError if it has 1 identifier."""
        half = (batch.end - batch.start) // 2
        if not half:
            raise RejectedError(
                f"{error.problem}: a batch of 1 identifier is too large", remedy=error.remedy, code=error.code
            ) from None
        return min(half, self._size)
